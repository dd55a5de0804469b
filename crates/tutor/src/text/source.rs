//! Texts to learn from: running text without labels, and labelled ones.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use augment::text::sentences::sentences;
use data_pipeline::dataset::{Part, Samples};
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Example, Reviews};
use serde::{Deserialize, Serialize};

use super::addresses;
use super::texts::{Document, Texts};

/// Where the texts come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum TextConfig {
    /// The embedded addresses: passages are told apart by when they were spoken.
    Addresses {},
    /// Reviews of films: `imdb/{train,test,unsup}.tsv` below `--data`.
    Imdb {},
}

/// One in so many unlabelled reviews is held out of pre-training, to measure it.
const HELD_OUT: usize = 50;

impl TextConfig {
    /// Opens them; `dir` is `--data`, for texts that are not embedded.
    pub(crate) fn open(&self, dir: Option<&Path>) -> Result<Texts> {
        match self {
            TextConfig::Addresses {} => addresses::open(),
            TextConfig::Imdb {} => imdb(dir),
        }
    }
}

fn imdb(dir: Option<&Path>) -> Result<Texts> {
    let dir = dir.context(
        "imdb is not embedded: name the folder that holds imdb/train.tsv with --data DIR or \
         $TUTOR_DATA",
    )?;
    let below = dir.join("imdb");
    let folder = if below.is_dir() { below } else { dir.to_owned() };
    let read = |part| Reviews::Imdb.read(&folder, part, OnBadInput::Error);
    let (labeled, test, all) = (read(Part::Train)?, read(Part::Test)?, read(Part::Extra)?);
    let document = |example: &Example| -> Document { sentences(&example.texts.a) };
    let (mut running, mut held_out) = (Vec::new(), Vec::new());
    for (i, example) in all.examples().iter().enumerate() {
        let to = if i % HELD_OUT == HELD_OUT - 1 { &mut held_out } else { &mut running };
        to.push(document(example));
    }
    let about = format!(
        "film reviews (IMDb): {} to pre-train on and {} held out of it, labels drawn from {}, {} \
         test reviews",
        running.len(),
        held_out.len(),
        labeled.len(),
        test.len()
    );
    Ok(Texts { about, running, held_out, labeled, test: Arc::new(test) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_labels_of_a_seed_hold_the_fewer() {
        let texts = TextConfig::Addresses {}.open(None).expect("embedded");
        let ids = |count, seed| {
            let set = texts.draw(count, seed).expect("labels");
            let ids: std::collections::BTreeSet<String> =
                set.examples().iter().map(|e| e.id.clone()).collect();
            assert_eq!(ids.len(), count);
            ids
        };
        assert!(ids(40, 1).is_superset(&ids(8, 1)));
        assert_ne!(ids(40, 1), ids(40, 2));
        let error = texts.draw(10, 1).expect_err("not a multiple").to_string();
        assert!(error.contains("10"), "{error}");
        assert!(texts.draw(400_000, 1).is_err());
    }
}
