//! One of several equal parts of the samples, labelled by a process of its own into a Parquet file
//! of its own.
//!
//! Beside the parts stands what they are of, so that those of different work are not taken for one
//! table.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use data_pipeline::digest::Digest;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::{Deserialize, Serialize};
use torch::group::Rendezvous;

use super::table::Format;

/// Which of how many parts, the first being 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(in crate::commands) number: usize,
    pub(in crate::commands) of: usize,
}

/// `2/4`.
pub(in crate::commands) fn parse(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(number, of)| {
        Some(Shard { number: number.trim().parse().ok()?, of: of.trim().parse().ok()? })
    });
    match numbers {
        Some(shard) if (1..=shard.of).contains(&shard.number) && shard.of < 100_000 => Ok(shard),
        _ => Err(format!("{text:?} is none of N parts, counted from 1: write 1/N to N/N")),
    }
}

/// The part of a process that a launcher has started beside others, and the process's place on its
/// machine.
pub(super) fn of_launcher() -> Result<Option<(Shard, usize)>> {
    let variable = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        // These processes never meet.
        value.or_else(|| (name == "MASTER_ADDR").then(|| "localhost".to_owned()))
    };
    let rendezvous = Rendezvous::from_vars(variable)?;
    let shard = |m: Rendezvous| (Shard { number: m.rank + 1, of: m.size }, m.local_rank);
    Ok(rendezvous.map(shard))
}

impl Shard {
    /// Its samples, of so many.
    pub(super) fn range(self, samples: usize) -> Range<usize> {
        let end = |number: usize| (samples as u128 * number as u128 / self.of as u128) as usize;
        end(self.number - 1)..end(self.number)
    }

    /// Its file below a folder.
    pub(super) fn file(self, folder: &Path) -> PathBuf {
        folder.join(format!("part-{:05}-of-{:05}.parquet", self.number, self.of))
    }

    /// Whether its file is there and whole. Fails where the folder holds parts of other work.
    pub(super) fn is_done(self, folder: &Path, whole: &Whole) -> Result<bool> {
        let own = self.file(folder);
        let entries = folder.read_dir().with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry.with_context(|| folder.display().to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(stem) = name.strip_suffix(".parquet") else { continue };
            let of = stem.strip_prefix("part-").and_then(|part| part.split_once("-of-"));
            match of.and_then(|(_, of)| of.parse::<usize>().ok()) {
                Some(of) if of == self.of => {}
                Some(_) => bail!(other(&path, "one of another number of parts")),
                None => bail!(other(&path, "something else than a part of labels")),
            }
        }
        whole.agree(folder)?;
        if !own.is_file() {
            return Ok(false);
        }
        if stamps(&own)?.as_deref() != Some(&whole.stamps.to_string()) {
            bail!(other(&own, "labels of samples that have changed since"));
        }
        Ok(true)
    }
}

fn other(path: &Path, what: &str) -> String {
    format!("{} holds {what}: name another folder by --out, or remove it", path.display())
}

/// What all parts together label, and how; beside them as `parts.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Whole {
    network: String,
    threshold: Option<f32>,
    /// Whether the texts stand beside their labels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    texts: bool,
    /// What the first column is called. Earlier versions called it `text` or `pair` where texts
    /// were shown, and did not note it.
    #[serde(default = "image", skip_serializing_if = "is_image")]
    id: String,
    parts: usize,
    samples: usize,
    /// Of the names of all samples.
    names: Digest,
    /// Of what tells the part's samples from others of their names.
    #[serde(skip, default = "no_stamps")]
    stamps: Digest,
}

fn image() -> String {
    "image".to_owned()
}

fn is_image(id: &str) -> bool {
    id == image()
}

fn no_stamps() -> Digest {
    Digest::of(&[])
}

/// The key under which a part keeps its stamps.
const KEY: &str = "tutor.stamps";

/// What a part keeps of its samples.
fn stamps(path: &Path) -> Result<Option<String>> {
    let at = || path.display().to_string();
    let file = File::open(path).with_context(at)?;
    let reader = SerializedFileReader::new(file).with_context(at)?;
    let entries = reader.metadata().file_metadata().key_value_metadata();
    let entry = entries.into_iter().flatten().find(|entry| entry.key == KEY);
    Ok(entry.and_then(|entry| entry.value.clone()))
}

impl Whole {
    /// `names` of all samples, `stamps` of those of the part.
    pub(super) fn new(
        (network, threshold, texts, id): (String, Option<f32>, bool, &str),
        shard: Shard,
        names: impl ExactSizeIterator<Item = String>,
        stamps: impl Iterator<Item = String>,
    ) -> Self {
        let samples = names.len();
        let [names, stamps] = [Digest::of_lines(names), Digest::of_lines(stamps)];
        let id = id.to_owned();
        Self { network, threshold, texts, id, parts: shard.of, samples, names, stamps }
    }

    /// What a Parquet file keeps.
    pub(super) fn entry(&self) -> (String, String) {
        (KEY.to_owned(), self.stamps.to_string())
    }

    /// Fails unless the folder is for the same labels. The first process writes what they are.
    fn agree(&self, folder: &Path) -> Result<()> {
        let path = folder.join("parts.json");
        if !path.exists() {
            // Of processes that start together each writes the same, or finds another below.
            atomic_file::write(&path, &serde_json::to_vec_pretty(self)?)?;
        }
        let at = || path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(at)?;
        let known: Self = serde_json::from_str(&text).with_context(at)?;
        let differs = match () {
            () if known.id != self.id => {
                "labels by another version of this program, which may call the first column \
                 otherwise"
            }
            () if known.network != self.network => "labels by another network",
            () if known.threshold != self.threshold => "labels with another --threshold",
            () if known.texts != self.texts => "labels that differ in --with-text",
            () if known.parts != self.parts => "another number of parts",
            () if known.samples != self.samples || known.names != self.names => {
                "labels of other samples"
            }
            () => return Ok(()),
        };
        bail!(other(folder, differs))
    }
}

/// The folder of the parts, which need not be there.
pub(super) fn folder(named: Option<&Path>) -> Result<PathBuf> {
    let folder = named.unwrap_or(Path::new("labels")).to_owned();
    let is_file = folder.is_file() || Format::of(&folder).is_some();
    ensure!(
        !is_file,
        "{}: with several parts, --out is the folder of their Parquet files",
        folder.display()
    );
    Ok(folder)
}

/// Makes it.
pub(super) fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_as_one_of_n() {
        assert_eq!(parse("2/4"), Ok(Shard { number: 2, of: 4 }));
        for text in ["0/4", "5/4", "1/0", "1", "a/b", "-1/4", "1/100000", ""] {
            assert!(parse(text).expect_err(text).contains("1/N to N/N"));
        }
        let file = Shard { number: 2, of: 4 }.file(Path::new("labels"));
        assert_eq!(file, Path::new("labels/part-00002-of-00004.parquet"));
    }

    #[test]
    fn parts_of_texts_by_versions_that_named_their_first_column_otherwise_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let note = dir.path().join("parts.json");
        let whole = |id: &str| {
            let (shard, names) = (Shard { number: 1, of: 2 }, ["a", "b"].map(str::to_owned));
            let identity = ("net".to_owned(), None, false, id);
            Whole::new(identity, shard, names.into_iter(), std::iter::empty())
        };
        whole("image").agree(dir.path()).expect("the first");
        let text = std::fs::read_to_string(&note).expect("it");
        assert!(!text.contains("\"id\""), "as earlier versions wrote it: {text}");
        whole("image").agree(dir.path()).expect("the same");
        let error = whole("id").agree(dir.path()).expect_err("others").to_string();
        assert!(error.contains("another version") && error.contains("--out"), "{error}");
        std::fs::remove_file(&note).expect("removed");
        whole("id").agree(dir.path()).expect("the first");
        whole("id").agree(dir.path()).expect("the same");
    }

    #[test]
    fn each_sample_is_in_one_part() {
        for (samples, of) in (0..130).flat_map(|samples| (1..50).map(move |of| (samples, of))) {
            let mut next = 0;
            for number in 1..=of {
                let range = Shard { number, of }.range(samples);
                assert_eq!(range.start, next);
                assert!(range.len().abs_diff(samples / of) <= 1);
                next = range.end;
            }
            assert_eq!(next, samples);
        }
    }
}
