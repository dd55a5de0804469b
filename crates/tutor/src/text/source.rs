//! Texts to learn from: running text without labels, and labelled ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use augment::text::sentences::sentences;
use data_pipeline::dataset::{Part, Samples};
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Example, Reviews};
use serde::{Deserialize, Serialize};

use super::addresses;
use super::texts::{Document, Texts};
use super::topics;

/// Where the texts come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum TextConfig {
    /// The embedded addresses: passages are told apart by when they were spoken.
    Addresses {
        /// The first year of each class, in rising order.
        #[serde(default = "addresses::eras")]
        first_years: Vec<u32>,
    },
    /// Reviews of films: `imdb/{train,test,unsup}.tsv`, or the folders as published, below
    /// `--data`.
    Imdb {
        /// What becomes of rows that cannot be read.
        #[serde(default, skip_serializing_if = "is_error")]
        on_bad: OnBadInput,
    },
    /// Synthetic texts of five topics, generated anew each time, always the same ones.
    Topics {},
    /// Another of UDA's sets: `SET/{train,test}.csv` below `--data`.
    Reviews {
        set: Reviews,
        /// What becomes of rows that cannot be read.
        #[serde(default, skip_serializing_if = "is_error")]
        on_bad: OnBadInput,
    },
}

/// Whether it is what recipes that do not say it have.
fn is_error(on_bad: &OnBadInput) -> bool {
    *on_bad == OnBadInput::Error
}

/// One in so many unlabelled reviews is held out of pre-training, to measure it.
const HELD_OUT: usize = 50;

impl TextConfig {
    /// What is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            TextConfig::Addresses { first_years } => addresses::check(first_years),
            TextConfig::Imdb { .. } | TextConfig::Topics {} | TextConfig::Reviews { .. } => Ok(()),
        }
    }

    /// Whether they come along with the program.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self, TextConfig::Addresses { .. } | TextConfig::Topics {})
    }

    /// Opens them; `dir` is `--data`, for texts that are not embedded.
    pub(crate) fn open(&self, dir: Option<&Path>) -> Result<Texts> {
        match self {
            TextConfig::Addresses { first_years } => addresses::open(first_years),
            TextConfig::Topics {} => topics::open(),
            TextConfig::Imdb { on_bad } => reviews(Reviews::Imdb, dir, *on_bad),
            TextConfig::Reviews { set, on_bad } => reviews(*set, dir, *on_bad),
        }
    }

    /// What of them is not there, in words; nothing is read. `dir` is as for [`open`](Self::open).
    pub(crate) fn missing(&self, dir: Option<&Path>) -> Option<String> {
        let set = match self {
            TextConfig::Addresses { .. } | TextConfig::Topics {} => return None,
            TextConfig::Imdb { .. } => Reviews::Imdb,
            TextConfig::Reviews { set, .. } => *set,
        };
        match folder_of(set, dir) {
            Ok(folder) => set.missing(&folder).map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// The folder of a set: below the folder of all data, or that itself.
fn folder_of(set: Reviews, dir: Option<&Path>) -> Result<PathBuf> {
    let name = set.name();
    let dir = dir.with_context(|| {
        format!(
            "{name} is not embedded: name the folder that holds {name}/train.{} with --data DIR or \
             $TUTOR_DATA",
            if set == Reviews::Imdb { "tsv" } else { "csv" }
        )
    })?;
    let below = dir.join(name);
    Ok(if below.is_dir() { below } else { dir.to_owned() })
}

fn reviews(set: Reviews, dir: Option<&Path>, on_bad: OnBadInput) -> Result<Texts> {
    let (name, folder) = (set.name(), folder_of(set, dir)?);
    let read = |part| set.read(&folder, part, on_bad);
    let (labeled, test, all) = (read(Part::Train)?, read(Part::Test)?, read(Part::Extra)?);
    let document = |example: &Example| -> Document { sentences(&example.texts.a) };
    let (mut running, mut held_out) = (Vec::new(), Vec::new());
    for (i, example) in all.examples().iter().enumerate() {
        let to = if i % HELD_OUT == HELD_OUT - 1 { &mut held_out } else { &mut running };
        to.push(document(example));
    }
    let what = match set {
        Reviews::Imdb => "film reviews (IMDb)".to_owned(),
        _ => format!("texts of {name}"),
    };
    let mut about = format!(
        "{what}: {} to pre-train on and {} held out of it, labels drawn from {}, {} test {}",
        running.len(),
        held_out.len(),
        labeled.len(),
        test.len(),
        if set == Reviews::Imdb { "reviews" } else { "texts" }
    );
    if on_bad == OnBadInput::Skip {
        for set in [&labeled, &all, &test] {
            set.notes().iter().for_each(|note| about += &format!("; {}, {note}", set.name()));
        }
    }
    let (unlabeled, test) = (Arc::new(all), Arc::new(test));
    Ok(Texts { about, running, held_out, labeled, unlabeled, test })
}

#[cfg(test)]
mod tests {
    use data_pipeline::text::Target;

    use super::*;
    use crate::text::texts::draw;

    #[test]
    fn more_labels_of_a_seed_hold_the_fewer() {
        let texts =
            TextConfig::Addresses { first_years: addresses::eras() }.open(None).expect("embedded");
        let ids = |count, seed| {
            let set = draw(&texts.labeled, count, seed).expect("labels");
            let ids: std::collections::BTreeSet<String> =
                set.examples().iter().map(|e| e.id.clone()).collect();
            assert_eq!(ids.len(), count);
            ids
        };
        assert!(ids(40, 1).is_superset(&ids(8, 1)));
        assert_ne!(ids(40, 1), ids(40, 2));
        let error = draw(&texts.labeled, 10, 1).expect_err("not a multiple").to_string();
        assert!(error.contains("10"), "{error}");
        assert!(draw(&texts.labeled, 400_000, 1).is_err());
        assert_eq!(texts.unlabeled.len(), texts.labeled.len());
        assert!(texts.unlabeled.examples().iter().all(|e| e.target == Target::None));
    }

    #[test]
    fn reviews_that_cannot_be_read_are_skipped_as_the_recipe_says() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("imdb")).expect("a folder");
        for (part, bad) in [("train", ""), ("test", ""), ("unsup", "one cell\n")] {
            let rows = "content\tlabel\tid\na film\tpos\t1\na play\tneg\t2\n".to_owned();
            let path = dir.path().join(format!("imdb/{part}.tsv"));
            std::fs::write(path, rows + bad).expect("written");
        }
        let open = |toml: &str| {
            let config: TextConfig = toml::from_str(toml).expect("a table");
            let written = toml::to_string(&config).expect("TOML");
            assert_eq!(written.contains("on_bad"), toml.contains("skip"), "{written}");
            config.open(Some(dir.path()))
        };
        let error = open("kind = \"imdb\"").err().expect("refused").to_string();
        assert!(error.contains("unsup.tsv line 4"), "{error}");
        let found = open("kind = \"imdb\"\non_bad = \"skip\"").expect("texts");
        assert!(found.about.contains("left out: a row with other columns"), "{}", found.about);
    }

    #[test]
    fn classes_of_addresses_are_checked() {
        let fault = |years: &[u32]| {
            let first_years = years.to_vec();
            TextConfig::Addresses { first_years }.check().expect_err("refused")
        };
        assert!(fault(&[1790]).contains("two classes"), "{}", fault(&[1790]));
        assert!(fault(&[1790, 1700]).contains("rising"));
        assert!(fault(&[1800, 1900]).contains("1790"), "the first address belongs to a class");
    }
}
