//! The texts of a run: reads all parts, and sees to it that no text that is measured on is learned
//! from.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Error, Result, bail, ensure};
use data_pipeline::dataset::{Samples, fingerprint};
use data_pipeline::digest::Digest;
use data_pipeline::text::{Column, Target, TextSet};

use super::numbers::numbers_as_classes;
use super::recipe::DataConfig;
use crate::recipe::class_names::{absent, doubtful, refuse_alike, refuse_missing};
use crate::run::copies;
use crate::run::files;
use crate::text::open_texts::unit;

/// The parts, read.
pub(super) struct Parts {
    /// Labelled texts.
    pub(super) labeled: Arc<TextSet>,
    /// Texts without labels; it knows the classes all the same.
    pub(super) unlabeled: Arc<TextSet>,
    pub(super) validation: Option<Arc<TextSet>>,
    pub(super) test: Option<Arc<TextSet>>,
    /// What should be known of them, a sentence each.
    pub(super) notes: Vec<String>,
}

impl Parts {
    /// Reads all parts. Fails if one cannot be read, if there are fewer than two classes, if two
    /// classes have the same name but for case and spaces, or one's name says that there is no
    /// label and the recipe does not say that it is one, if a label of another part is not among
    /// them, or if a text that is measured on is labelled too and the recipe does not allow it.
    pub(super) fn open(config: &DataConfig) -> Result<Self> {
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
        let scored = |path: &Option<PathBuf>, name: &str| -> Result<Option<TextSet>> {
            let Some(path) = path else { return Ok(None) };
            ensure!(
                *path != config.text,
                "the {name} part is the table of labelled texts itself ({}): name another one",
                path.display()
            );
            let reader = columns.labeled(path, Some(classes.clone()))?;
            let read = reader.read(std::slice::from_ref(path));
            // Numbers of one table are not those of another.
            let read = read.map_err(|error| match &numbers {
                Some(numbers) if error.can_be_skipped() => {
                    Error::from(error).context(numbers.clone())
                }
                _ => error.into(),
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
        let validation = scored(&config.validation, "validation")?;
        let test = scored(&config.test, "test")?;
        notes.extend(numbers);
        notes.extend(doubtful(&counts, are));
        notes.extend(absent(&counts, are));
        for set in [&validation, &test].into_iter().flatten() {
            notes.extend(set.notes().iter().map(|note| format!("{}: {note}", set.name())));
        }
        let more = match &config.unlabeled {
            Some(path) => {
                let set = named(columns.bare(path, &classes)?, path)?;
                notes.extend(set.notes().iter().map(|note| format!("{}: {note}", set.name())));
                Some(set)
            }
            None => None,
        };
        let measured: Vec<&TextSet> = [&validation, &test].into_iter().flatten().collect();
        if !config.allow_duplicates {
            refuse_shared(&labeled, &measured, unit)?;
        }
        let bare = all.select(&bare);
        let (unlabeled, left_out) = unlabeled(&bare, more.as_ref(), &labeled, &measured)?;
        if left_out > 0 {
            notes.push(format!(
                "{left_out} unlabelled {unit} are left out: they occur twice, or are labelled, or \
                 are measured on"
            ));
        }
        let shared = |set: Option<TextSet>| set.map(Arc::new);
        Ok(Self {
            labeled: Arc::new(labeled),
            unlabeled: Arc::new(unlabeled),
            validation: shared(validation),
            test: shared(test),
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

    /// Keeps in a run's folder which texts it is about, or makes sure that they are those that it
    /// began with.
    pub(super) fn keep(&self, dir: &Path) -> Result<()> {
        let mut found = BTreeMap::new();
        for (name, set) in self.named() {
            let labels = (0..set.len()).map(|i| set.label(i));
            let told: String = set
                .digests()?
                .context("texts have digests")?
                .into_iter()
                .zip(labels)
                .map(|(digest, label)| format!("{digest} {label:?}\n"))
                .collect();
            found.insert(name.to_owned(), Digest::of(told.as_bytes()).to_string());
        }
        let before: BTreeMap<String, String> =
            files::once(&dir.join("texts.json"), || Ok(found.clone()))?;
        let changed = found.iter().find(|(name, digest)| before.get(*name) != Some(digest));
        if let Some((name, _)) = changed {
            bail!(
                "the {name} texts are no longer those with which {} began, or were read by an \
                 earlier version: bring the old ones back, or begin anew with --fresh",
                dir.display()
            );
        }
        Ok(())
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

/// An error if a text or pair that is measured on is a labelled one too.
fn refuse_shared(labeled: &TextSet, measured: &[&TextSet], unit: &str) -> Result<()> {
    for set in measured {
        let shared = shared(labeled, set);
        if let Some(&(ours, other)) = shared.first() {
            bail!(
                "{} of the {} {unit} of {} are labelled {unit} too, such as {} and {}: take them out \
                 of one of the two, or go on with --allow-duplicates (allow_duplicates = true)",
                shared.len(),
                set.len(),
                set.name(),
                set.id(ours),
                labeled.id(other)
            );
        }
    }
    Ok(())
}

/// The texts or pairs of a set that are labelled ones too but for white space, and which, by
/// position.
fn shared(labeled: &TextSet, set: &TextSet) -> Vec<(usize, usize)> {
    let known: HashMap<Digest, usize> =
        labeled.word_digests().into_iter().enumerate().map(|(i, digest)| (digest, i)).collect();
    let found = set.word_digests().into_iter().enumerate();
    found.filter_map(|(i, digest)| Some((i, *known.get(&digest)?))).collect()
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
            notes: vec![],
        };
        let dir = tempfile::tempdir().expect("a folder");
        parts(&["a", "b"]).keep(dir.path()).expect("kept");
        parts(&["a", "b"]).keep(dir.path()).expect("the same");
        let error = parts(&["a"]).keep(dir.path()).expect_err("other texts").to_string();
        for told in ["labelled texts are no longer", "read by an earlier version", "--fresh"] {
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn white_space_makes_no_other_text() {
        let labeled = set("labelled", &["a film", "a play", "a film ", "a  play\n"]);
        let mut notes = Vec::new();
        let labeled = once_each(labeled, "texts", &mut notes).expect("two classes");
        assert_eq!((labeled.len(), notes.len()), (2, 1), "{notes:?}");
        let test = set("test", &["new", " a\u{a0}film"]);
        let error = refuse_shared(&labeled, &[&test], "texts").expect_err("a copy").to_string();
        assert!(error.contains("test/1 and labelled/0"), "{error}");
        let bare = set("bare", &["a play ", "new ", "other", "other  "]);
        let (found, left_out) = unlabeled(&bare, None, &labeled, &[&test]).expect("a set");
        assert_eq!((found.len(), left_out), (1, 3));
    }
}
