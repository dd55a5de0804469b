//! The texts of a run: reads all parts, and sees to it that no text that is measured on is learned
//! from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Error, Result, anyhow, ensure};
use data_pipeline::dataset::{Samples, fingerprint};
use data_pipeline::digest::Digest;
use data_pipeline::error::DataError;
use data_pipeline::text::{Column, Target, TextSet};

use super::numbers::numbers_as_classes;
use super::recipe::DataConfig;
use super::shared::{among, refuse_same_file, refuse_shared, shared};
use crate::recipe::class_names::{absent, doubtful, refuse_alike, refuse_missing};
use crate::run::began::{Began, TEXTS};
use crate::run::copies;
use crate::text::open_texts::unit;
use crate::text::paraphrased::{self, Paraphrased};

/// The parts, read.
pub(super) struct Parts {
    /// Labelled texts.
    pub(super) labeled: Arc<TextSet>,
    /// Texts without labels; it knows the classes all the same.
    pub(super) unlabeled: Arc<TextSet>,
    pub(super) validation: Option<Arc<TextSet>>,
    pub(super) test: Option<Arc<TextSet>>,
    /// The paraphrases of the unlabelled texts, where there are some.
    pub(super) paraphrased: Option<Arc<Paraphrased>>,
    /// What should be known of them, a sentence each.
    pub(super) notes: Vec<String>,
}

impl Parts {
    /// Reads all parts, and the paraphrases that lie at a path: of the texts of `data.unlabeled`,
    /// or where there is none of `data.text`, as the file has them, before any is left out.
    ///
    /// Fails if a part cannot be read, if there are fewer than two classes, if two classes have the
    /// same name but for case and spaces, or one's name says that there is no label and the recipe
    /// does not say that it is one, if a label of another part is not among them, if a text that is
    /// measured on is labelled too and the recipe does not allow it, or if the paraphrases are of
    /// other texts.
    pub(super) fn open(config: &DataConfig, paraphrases: Option<&Path>) -> Result<Self> {
        let columns = config.columns();
        let reader = columns.labeled(&config.text, None)?;
        let named = |set: TextSet, path: &Path| with_folders(set, path, config);
        let all = named(reader.read(std::slice::from_ref(&config.text))?, &config.text)?;
        let classes = all.classes().to_vec();
        ensure!(
            classes.len() >= 2,
            "{}: {} in the column of labels, and a classifier needs two or more (name the column \
             with --label-column)",
            config.text.display(),
            match classes.first() {
                Some(only) => format!("`{only}` is the only class"),
                None => "there is no label".to_owned(),
            }
        );
        let unit = unit(&all);
        let is_labeled = |i: &u32| all.label(*i as usize).is_some();
        let (labeled, bare): (Vec<u32>, Vec<u32>) = (0..all.len() as u32).partition(is_labeled);
        let labeled = all.select(&labeled);
        let counts: Vec<(&str, u64)> =
            classes.iter().map(String::as_str).zip(labels(&labeled)).collect();
        let are = &config.class;
        refuse_missing(&counts, are).and_then(|()| refuse_alike(&counts)).with_context(|| {
            let column = reader.label.as_ref().and_then(Column::name).unwrap_or_default();
            format!("{}, column `{column}`", config.text.display())
        })?;
        let mut notes = all.notes().to_vec();
        let labeled = once_each(labeled, unit, &mut notes)?;
        let numbers = numbers_as_classes(&classes, labeled.len());
        refuse_same_file(config)?;
        let scored = |path: &Option<PathBuf>| -> Result<Option<TextSet>> {
            let Some(path) = path else { return Ok(None) };
            let reader = columns.labeled(path, Some(classes.clone()))?;
            let read = reader.read(std::slice::from_ref(path));
            // Numbers of one table are not those of another.
            let read = read.map_err(|error| match &numbers {
                Some(numbers) if error.can_be_skipped() => {
                    Error::from(error).context(numbers.clone())
                }
                _ => named_alike(error.into()),
            });
            let set = named(read?, path)?;
            let known: Vec<u32> =
                (0..set.len() as u32).filter(|i| set.label(*i as usize).is_some()).collect();
            ensure!(!known.is_empty(), "{}: no row has a label", path.display());
            let note = match set.len() - known.len() {
                0 => None,
                bare => Some(format!(
                    "{bare} of the {} {unit} have no label, and are neither measured nor learned from",
                    set.len()
                )),
            };
            Ok(Some(set.select(&known).noted(note)))
        };
        let validation = scored(&config.validation)?;
        let test = scored(&config.test)?;
        notes.extend(numbers);
        notes.extend(doubtful(&counts, are));
        notes.extend(absent(&counts, are));
        for set in [&validation, &test].into_iter().flatten() {
            notes.extend(set.notes().iter().map(|note| format!("{}: {note}", set.name())));
        }
        let more = match &config.unlabeled {
            Some(path) => {
                let set = named(columns.bare(path, &classes).map_err(named_alike)?, path)?;
                notes.extend(set.notes().iter().map(|note| format!("{}: {note}", set.name())));
                Some(set)
            }
            None => None,
        };
        let measured: Vec<&TextSet> = [&validation, &test].into_iter().flatten().collect();
        for set in &measured {
            let told = among((&labeled, "labelled"), set, unit);
            refuse_shared(told.filter(|_| !config.allow_duplicates))?;
        }
        if let (Some(validation), Some(test)) = (&validation, &test)
            && let Some(told) = among((validation, "validation"), test, unit)
        {
            refuse_shared(Some(told.clone()).filter(|_| !config.allow_duplicates))?;
            notes.push(format!("{told}; the row is chosen on the validation part"));
        }
        let bare = all.select(&bare);
        let (unlabeled, left_out) = unlabeled(&bare, more.as_ref(), &labeled, &measured)?;
        if left_out > 0 {
            notes.push(format!(
                "{left_out} unlabelled {unit} are left out: they occur twice, or are labelled, or \
                 are measured on"
            ));
        }
        let paraphrased = match paraphrases {
            Some(path) => {
                let texts = more.as_ref().unwrap_or(&all);
                let read = paraphrases_of(texts, path, &unlabeled)?;
                if !read.is_checked() {
                    notes.push(format!(
                        "{} lies with the paraphrases of {}, and so line i of them was taken for \
                         a paraphrase of text i of {} without a check",
                        paraphrased::missing_store(path),
                        path.display(),
                        texts.name()
                    ));
                }
                Some(Arc::new(read))
            }
            None => None,
        };
        let shared = |set: Option<TextSet>| set.map(Arc::new);
        Ok(Self {
            labeled: Arc::new(labeled),
            unlabeled: Arc::new(unlabeled),
            validation: shared(validation),
            test: shared(test),
            paraphrased,
            notes,
        })
    }

    /// Whether there is a part to measure on, beside the labels that are learned from.
    pub(super) fn is_measured(&self) -> bool {
        self.test.is_some() || self.validation.is_some()
    }

    /// The ids of those texts of a part that are labelled texts too.
    pub(super) fn labeled_of(&self, set: &TextSet) -> Vec<String> {
        shared(&self.labeled, set).into_iter().map(|(ours, _)| set.id(ours)).collect()
    }

    /// All parts by name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &Arc<TextSet>)> {
        let others = [("validation", &self.validation), ("test", &self.test)];
        let others = others.into_iter().filter_map(|(name, set)| Some((name, set.as_ref()?)));
        [("labelled", &self.labeled), ("unlabelled", &self.unlabeled)].into_iter().chain(others)
    }

    /// How many labels each class has.
    pub(super) fn labels(&self) -> Vec<u64> {
        labels(&self.labeled)
    }

    /// What a sample is, in the plural: `texts` or `pairs`.
    pub(super) fn unit(&self) -> &'static str {
        unit(&self.labeled)
    }

    /// Which texts they are, in words.
    pub(super) fn describe(&self) -> String {
        let parts: Vec<String> =
            self.named().map(|(name, set)| format!("{} {name}", set.len())).collect();
        let classes = self.labeled.classes();
        let of = (self.labeled.name(), self.unit(), classes.len());
        format!("{}: {} of {} classes, {}", of.0, of.1, of.2, parts.join(", "))
    }

    /// Keeps in a run's folder which texts it is about and which paraphrases (those at this path),
    /// or makes sure that they are those that it began with.
    pub(super) fn keep(&self, dir: &Path, paraphrases: Option<&Path>) -> Result<()> {
        let mut began = Began::default();
        for (name, set) in self.named() {
            let labels = (0..set.len()).map(|i| set.label(i));
            let told: String = set
                .digests()?
                .context("texts have digests")?
                .into_iter()
                .zip(labels)
                .map(|(digest, label)| format!("{digest} {label:?}\n"))
                .collect();
            began.add(name, format!("{name} texts"), Digest::of(told.as_bytes()));
        }
        began.keep(dir, TEXTS)?;
        paraphrased::keep(dir, paraphrases.zip(self.paraphrased.as_deref()))
    }
}

/// Ids are the file's name and a line. Where two parts have files of one name, they get the folder
/// of the file too, as many levels as tell them apart.
fn with_folders(set: TextSet, path: &Path, config: &DataConfig) -> Result<TextSet> {
    let others = [&config.unlabeled, &config.validation, &config.test];
    let all: Vec<&Path> = std::iter::once(config.text.as_path())
        .chain(others.into_iter().flatten().map(PathBuf::as_path))
        .filter(|other| *other != path)
        .collect();
    let last = |path: &Path, levels: usize| -> PathBuf {
        let parts: Vec<_> = path.components().collect();
        parts[parts.len().saturating_sub(levels)..].iter().collect()
    };
    let most = path.components().count();
    let is_own =
        |levels: &usize| all.iter().all(|other| last(other, *levels) != last(path, *levels));
    let levels = (1..most).find(is_own).unwrap_or(most);
    if levels == 1 {
        return Ok(set);
    }
    let folder = last(path, levels);
    let folder = folder.parent().map(|at| at.display().to_string()).unwrap_or_default();
    let mut examples = set.examples().to_vec();
    examples.iter_mut().for_each(|example| example.id = format!("{folder}/{}", example.id));
    let notes = set.notes().to_vec();
    let classes = set.classes().to_vec();
    Ok(TextSet::new(set.name(), examples, classes)?.noted(notes))
}

/// The labelled texts without those that are copies of others but for white space, of which `notes`
/// then tell. Fails if a class has none left.
fn once_each(labeled: TextSet, unit: &str, notes: &mut Vec<String>) -> Result<TextSet> {
    let samples = labeled.word_digests().into_iter().enumerate();
    let samples: Vec<_> = samples.map(|(i, digest)| (labeled.label(i), digest)).collect();
    let found = fingerprint::copies(&samples);
    if found.left_out.is_empty() {
        return Ok(labeled);
    }
    notes.extend(copies::told(&found, unit, |i| labeled.id(i)));
    let is_left_out = |i: &u32| found.left_out.binary_search(&(*i as usize)).is_ok();
    let kept: Vec<u32> = (0..labeled.len() as u32).filter(|i| !is_left_out(i)).collect();
    let kept = labeled.select(&kept);
    copies::refuse_emptied(labeled.classes(), (0..kept.len()).map(|i| kept.label(i)), unit)?;
    Ok(kept)
}

/// An error about a column that a table beside that of the labelled texts lacks: naming another one
/// would be naming it for all.
fn named_alike(error: Error) -> Error {
    match error.downcast_ref() {
        Some(DataError::Column { path, column, found }) => anyhow!(
            "{}: no column {column} among {} (columns have the same names in all tables: rename it \
             there)",
            path.display(),
            found.join(", ")
        ),
        _ => error,
    }
}

/// The texts or pairs without labels, each once, without those that are labelled or measured on;
/// and how many were left out.
fn unlabeled(
    bare: &TextSet,
    more: Option<&TextSet>,
    labeled: &TextSet,
    measured: &[&TextSet],
) -> Result<(TextSet, usize)> {
    let mut seen: std::collections::HashSet<Digest> = Default::default();
    let mut examples = Vec::new();
    for set in std::iter::once(labeled).chain(measured.iter().copied()) {
        seen.extend(set.word_digests());
    }
    let mut left_out = 0;
    for set in std::iter::once(bare).chain(more) {
        for (example, digest) in set.examples().iter().zip(set.word_digests()) {
            if seen.insert(digest) {
                examples.push(example.clone());
            } else {
                left_out += 1;
            }
        }
    }
    examples.iter_mut().for_each(|example| example.target = Target::None);
    let name = format!("unlabelled {}", unit(labeled));
    Ok((TextSet::new(name, examples, labeled.classes().to_vec())?, left_out))
}

/// The paraphrases of the texts of a file, of which some may be unlabelled texts that are learned
/// from. Fails if they are of other texts, or if none of the unlabelled ones has any.
fn paraphrases_of(texts: &TextSet, path: &Path, unlabeled: &TextSet) -> Result<Paraphrased> {
    let way_out = "give others (--paraphrases, or uda.strong.path in a recipe), or leave them out";
    ensure!(
        !texts.has_pairs(),
        "{}: paraphrases are of single texts, and these are pairs: leave the paraphrases out",
        path.display()
    );
    ensure!(
        path.exists(),
        "there are no paraphrases at {}: `tutor augment text --policy back-translation` makes them \
         of the file of unlabelled texts; {way_out}",
        path.display()
    );
    let read = Paraphrased::read(path, texts)?;
    ensure!(
        unlabeled.is_empty() || read.counts(unlabeled).with > 0,
        "{}: none of the {} unlabelled texts has a paraphrase here that differs from it: {way_out}",
        path.display(),
        unlabeled.len()
    );
    Ok(read)
}

/// How many labels each class of a set has.
pub(super) fn labels(set: &TextSet) -> Vec<u64> {
    let mut counts = vec![0; set.classes().len()];
    let all = (0..set.len()).filter_map(|i| set.label(i));
    all.for_each(|class| counts[class as usize] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use data_pipeline::text::{Example, Texts};

    use super::*;
    use crate::text::paraphrased::Counts;

    fn set(name: &str, texts: &[&str]) -> TextSet {
        let example = |(i, text): (usize, &&str)| Example {
            id: format!("{name}/{i}"),
            texts: Texts { a: (*text).to_owned(), b: None },
            target: Target::Class(i as u32 % 2),
        };
        let examples = texts.iter().enumerate().map(example).collect();
        TextSet::new(name, examples, vec!["x".to_owned(), "y".to_owned()]).expect("a set")
    }

    #[test]
    fn a_run_is_about_the_texts_that_it_began_with() {
        let parts = |texts: &[&str]| Parts {
            labeled: Arc::new(set("labelled", texts)),
            unlabeled: Arc::new(set("unlabelled", &["c"])),
            validation: None,
            test: None,
            paraphrased: None,
            notes: vec![],
        };
        let dir = tempfile::tempdir().expect("a folder");
        parts(&["a", "b"]).keep(dir.path(), None).expect("kept");
        parts(&["a", "b"]).keep(dir.path(), None).expect("the same");
        let error = parts(&["a"]).keep(dir.path(), None).expect_err("other texts").to_string();
        for told in ["labelled texts are no longer", "read by an earlier version", "--fresh"] {
            assert!(error.contains(told), "{error}");
        }
    }

    /// Without a file of unlabelled texts, paraphrases are of all rows, labelled ones too.
    #[test]
    fn paraphrases_of_a_single_table_are_of_all_its_rows() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("written");
        };
        write("all.csv", "y,t\na,the first text\n,the second text\nb,the third text\n");
        write("para_0.txt", "a first text\na second text\na third text\n");
        let config = "text = \"all.csv\"\ntext_column = \"t\"\nlabel_column = \"y\"";
        let mut config: DataConfig = toml::from_str(config).expect("a table");
        config.anchor(Some(dir.path())).expect("a path");
        let parts = Parts::open(&config, Some(dir.path())).expect("texts");
        let paraphrased = parts.paraphrased.expect("paraphrases");
        let counts = Counts { texts: 1, with: 1, paraphrases: 1, unchanged: 0 };
        assert_eq!(paraphrased.counts(&parts.unlabeled), counts);
        let drawn = paraphrased.draw("the second text", &mut augment::rng::Rng::new(1));
        assert_eq!(drawn, Some("a second text"));
        assert!(parts.notes.iter().any(|note| note.contains("without a check")), "no store");
        assert!(Parts::open(&config, None).expect("texts").paraphrased.is_none());
    }

    /// A classifier is chosen on the validation part, and the test part must not be that.
    #[test]
    fn parts_that_are_measured_on_are_others_than_all_others() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("written");
        };
        write("all.csv", "y,t\na,one\nb,two\n");
        write("validation.csv", "y,t\na,three\nb,four\n");
        write("same.csv", "y,t\na,five\nb, four\n");
        write("other.csv", "y,t\na,five\n");
        write("Column.csv", "y,T\na,five\n");
        std::os::unix::fs::symlink("validation.csv", dir.path().join("link.csv")).expect("a link");
        let open = |test: &str, unlabeled: &str, allow_duplicates| {
            let config = format!(
                "text = \"all.csv\"\ntext_column = \"t\"\nlabel_column = \"y\"\n\
                 validation = \"validation.csv\"\ntest = \"{test}\"\n{unlabeled}"
            );
            let config: DataConfig = toml::from_str(&config).expect("a table");
            let mut config = DataConfig { allow_duplicates, ..config };
            config.anchor(Some(dir.path())).expect("paths");
            Parts::open(&config, None)
        };
        let fault =
            |test: &str, unlabeled: &str| open(test, unlabeled, false).err().expect("refused");
        open("other.csv", "", false).expect("parts");
        for test in ["validation.csv", "link.csv"] {
            let error = fault(test, "").to_string();
            assert!(error.contains("the test part is the validation part itself"), "{error}");
        }
        let error = fault("same.csv", "").to_string();
        assert!(error.contains("1 of the 2 texts of same are validation texts too"), "{error}");
        assert!(error.contains("--allow-duplicates"), "{error}");
        let notes = open("same.csv", "", true).expect("allowed").notes;
        assert!(notes.iter().any(|note| note.contains("chosen on the validation")), "{notes:?}");
        // Another column is no way out where --text-column names it for all tables.
        let error = fault("Column.csv", "").to_string();
        assert!(error.contains("no column `t` among y, T") && error.contains("rename"), "{error}");
        // All its texts would be left out.
        for (test, bare) in [("other.csv", "other.csv"), ("other.csv", "link.csv")] {
            let error = fault(test, &format!("unlabeled = \"{bare}\"")).to_string();
            let part = if bare == test { "test" } else { "validation" };
            let told = format!("the {part} part is the file of unlabelled texts itself");
            assert!(error.contains(&told), "{error}");
        }
        write("lines.jsonl", "{\"words\": \"six\"}\n");
        let error = fault("other.csv", "unlabeled = \"lines.jsonl\"").to_string();
        assert!(error.contains("no column `t` among words") && error.contains("rename"), "{error}");
    }

    #[test]
    fn white_space_makes_no_other_text() {
        let labeled = set("labelled", &["a film", "a play", "a film ", "a  play\n"]);
        let mut notes = Vec::new();
        let labeled = once_each(labeled, "texts", &mut notes).expect("two classes");
        assert_eq!((labeled.len(), notes.len()), (2, 1), "{notes:?}");
        let test = set("test", &["new", " a\u{a0}film"]);
        let told = among((&labeled, "labelled"), &test, "texts");
        let error = refuse_shared(told).expect_err("a copy").to_string();
        assert!(error.contains("test/1 and labelled/0"), "{error}");
        let bare = set("bare", &["a play ", "new ", "other", "other  "]);
        let (found, left_out) = unlabeled(&bare, None, &labeled, &[&test]).expect("a set");
        assert_eq!((found.len(), left_out), (1, 3));
    }
}
