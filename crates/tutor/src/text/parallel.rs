//! Sentences in two languages, line by line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use data_pipeline::text::read::all_lines;
use serde::{Deserialize, Serialize};

use super::phrases;
use crate::run::began::Began;

/// Where sentences and their translations come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ParallelConfig {
    /// Synthetic sentences in English and French, generated anew each time, always the same ones.
    Phrases {},
    /// Files `PART.LANGUAGE` with a sentence a line, packed (`.gz`, `.zst`) or not.
    Files {
        /// The folder, below `--data` or from the root.
        folder: PathBuf,
        /// The endings of both languages.
        languages: [String; 2],
        /// The part that is trained on.
        train: String,
        /// The part on which a training is measured along its way.
        validation: String,
        /// The parts of the result, the one that counts first.
        tests: Vec<String>,
    },
}

/// A sentence in both languages.
pub(crate) type Pair = [String; 2];

/// A part with its name.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) pairs: Vec<Pair>,
}

/// Sentences in two languages, in parts.
pub(crate) struct Parallel {
    /// Which they are, in words.
    pub(crate) about: String,
    pub(crate) languages: [String; 2],
    pub(crate) train: Part,
    pub(crate) validation: Part,
    pub(crate) tests: Vec<Part>,
}

impl Parallel {
    /// Adds them to what a run began with.
    pub(crate) fn add_to(&self, began: &mut Began) {
        for Part { name, pairs } in [&self.train, &self.validation].into_iter().chain(&self.tests) {
            began.add_each(name, format!("sentences of {name}"), pairs);
        }
    }
}

/// Synthetic sentences to train on, and for each of the other two parts.
const PHRASES: [usize; 2] = [4_000, 200];

impl ParallelConfig {
    /// What is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let ParallelConfig::Files { languages, train, validation, tests, .. } = self else {
            return Ok(());
        };
        if languages[0] == languages[1] {
            return Err(format!("languages: both are {}", languages[0]));
        }
        if tests.is_empty() {
            return Err("tests: name at least one part that is translated in the end".to_owned());
        }
        if tests.contains(train) || train == validation {
            return Err(format!("{train} is trained on and cannot be measured on"));
        }
        Ok(())
    }

    /// Reads them; `dir` is `--data`, for what is not embedded.
    pub(crate) fn open(&self, dir: Option<&Path>) -> Result<Parallel> {
        let found = match self {
            ParallelConfig::Phrases {} => embedded(),
            ParallelConfig::Files { folder, languages, train, validation, tests } => {
                let folder = below(folder, dir)?;
                let read = |part: &String| read(&folder, part, languages);
                let tests = tests.iter().map(read).collect::<Result<_>>()?;
                let (mut train, validation) = (read(train)?, read(validation)?);
                // Nothing is learned from a sentence without a translation; of the other parts
                // every line counts, as in published scores.
                train.pairs.retain(|pair| pair.iter().all(|side| !side.trim().is_empty()));
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                let about = format!("sentences of {name}");
                Parallel { about, languages: languages.clone(), train, validation, tests }
            }
        };
        for part in [&found.train, &found.validation].into_iter().chain(&found.tests) {
            ensure!(!part.pairs.is_empty(), "{}: no pair of sentences in it", part.name);
        }
        let tests: Vec<String> = found
            .tests
            .iter()
            .map(|part| format!("{} of {}", part.pairs.len(), part.name))
            .collect();
        let about = format!(
            "{}, {} and {}: {} pairs to train on, {} to measure along the way, test {}",
            found.about,
            found.languages[0],
            found.languages[1],
            found.train.pairs.len(),
            found.validation.pairs.len(),
            tests.join(", ")
        );
        Ok(Parallel { about, ..found })
    }

    /// Which of their files are not there, a sentence each; none is read. `dir` is as for
    /// [`open`](Self::open).
    pub(crate) fn missing(&self, dir: Option<&Path>) -> Vec<String> {
        let ParallelConfig::Files { folder, languages, train, validation, tests } = self else {
            return Vec::new();
        };
        let folder = match below(folder, dir) {
            Ok(folder) => folder,
            Err(error) => return vec![error.to_string()],
        };
        let parts = [train, validation].into_iter().chain(tests);
        parts
            .flat_map(|part| languages.iter().map(move |language| (part, language)))
            .filter_map(|(part, language)| file(&folder, part, language).err())
            .map(|error| error.to_string())
            .collect()
    }
}

/// Where a folder of a recipe is.
fn below(folder: &Path, dir: Option<&Path>) -> Result<PathBuf> {
    match (folder.is_absolute(), dir) {
        (true, _) => Ok(folder.to_owned()),
        (false, Some(dir)) => Ok(dir.join(folder)),
        (false, None) => bail!(
            "{} is not embedded: name the folder that holds it with --data DIR or $TUTOR_DATA",
            folder.display()
        ),
    }
}

/// The file of a part in a language.
fn file(folder: &Path, part: &str, language: &str) -> Result<PathBuf> {
    let plain = folder.join(format!("{part}.{language}"));
    let packed = ["", ".gz", ".zst"].map(|end| {
        let mut name = plain.clone().into_os_string();
        name.push(end);
        PathBuf::from(name)
    });
    let path = packed.into_iter().find(|path| path.is_file());
    path.with_context(|| format!("{} is not there, packed (.gz, .zst) or not", plain.display()))
}

fn embedded() -> Parallel {
    let [learned, measured] = PHRASES;
    let mut all = phrases::pairs(learned + 2 * measured);
    let test = all.split_off(learned + measured);
    let validation = all.split_off(learned);
    let part = |name: &str, pairs| Part { name: name.to_owned(), pairs };
    Parallel {
        about: "synthetic sentences".to_owned(),
        languages: ["en".to_owned(), "fr".to_owned()],
        train: part("train", all),
        validation: part("validation", validation),
        tests: vec![part("test", test)],
    }
}

/// Reads a part, with all its pairs.
fn read(folder: &Path, part: &str, languages: &[String; 2]) -> Result<Part> {
    let lines = |language: &String| -> Result<(PathBuf, Vec<String>)> {
        let path = file(folder, part, language)?;
        let lines = all_lines(&path)?;
        Ok((path, lines))
    };
    let [(read, sources), (written, targets)] = [lines(&languages[0])?, lines(&languages[1])?];
    ensure!(
        sources.len() == targets.len(),
        "{} has {} lines and {} has {}: line i of one must be the translation of line i of the other",
        read.display(),
        sources.len(),
        written.display(),
        targets.len()
    );
    let pairs = sources.into_iter().zip(targets).map(|(source, target)| [source, target]);
    Ok(Part { name: part.to_owned(), pairs: pairs.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(tests: &[&str]) -> ParallelConfig {
        ParallelConfig::Files {
            folder: "pairs".into(),
            languages: ["en".into(), "fr".into()],
            train: "train".into(),
            validation: "val".into(),
            tests: tests.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn lines_belong_together_whatever_ends_lines_elsewhere() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join("pairs").join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        // U+0085 and U+2028 are characters here, and end no line.
        write("train.en", "a\u{85}b\nc\u{2028}d\n\nlast\n");
        write("train.fr", "A\nB\nno pair\nC\r\n");
        for part in ["val", "test"] {
            write(&format!("{part}.en"), "one\n");
            write(&format!("{part}.fr"), "un\n");
        }
        let found = files(&["test"]).open(Some(dir.path())).expect("pairs");
        let targets: Vec<&str> = found.train.pairs.iter().map(|pair| pair[1].as_str()).collect();
        assert_eq!(targets, ["A", "B", "C"]);
        assert_eq!(found.train.pairs[1][0], "c\u{2028}d");
        assert!(found.about.contains("3 pairs to train on"), "{}", found.about);

        // Published scores are over all lines of a test part.
        write("test.en", "one\n\nthree\n");
        write("test.fr", "un\ndeux\n\n");
        let found = files(&["test"]).open(Some(dir.path())).expect("pairs");
        assert_eq!(found.tests[0].pairs.len(), 3);
        write("test.en", "one\n");
        write("test.fr", "un\ndeux\n");
        let error = files(&["test"]).open(Some(dir.path())).err().expect("refused").to_string();
        assert!(error.contains("has 1 lines") && error.contains("has 2"), "{error}");
        let error = files(&["more"]).open(Some(dir.path())).err().expect("refused").to_string();
        assert!(error.contains("more.en is not there"), "{error}");
        let error = files(&["test"]).open(None).err().expect("refused").to_string();
        assert!(error.contains("--data"), "{error}");
        assert!(files(&["train"]).check().is_err() && files(&[]).check().is_err());
    }

    #[test]
    fn sentences_by_a_rule_are_in_one_part_each() {
        let found = ParallelConfig::Phrases {}.open(None).expect("embedded");
        assert_eq!(found.train.pairs.len(), PHRASES[0]);
        let parts = [&found.validation, &found.tests[0]];
        assert!(parts.iter().all(|part| part.pairs.len() == PHRASES[1]));
        let known = |pair: &Pair| found.train.pairs.contains(pair);
        assert!(!parts.iter().any(|part| part.pairs.iter().any(known)));
    }
}
