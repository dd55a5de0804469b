//! One of several equal parts of the samples, labelled by a process of its own into a Parquet file
//! of its own.
//!
//! The file says what it is a part of, so that parts of different work are not taken for one table.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use data_pipeline::digest::Digest;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::{Deserialize, Serialize};
use torch::group::Meeting;

/// Which of how many parts, the first being 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(super) number: usize,
    pub(super) of: usize,
}

/// `2/4`.
pub(super) fn parse(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(number, of)| {
        Some(Shard { number: number.trim().parse().ok()?, of: of.trim().parse().ok()? })
    });
    match numbers {
        Some(shard) if (1..=shard.of).contains(&shard.number) && shard.of < 100_000 => Ok(shard),
        _ => Err(format!("{text:?} is none of N parts: write 1/N to N/N")),
    }
}

/// The part of a process that a launcher has started beside others, and the process's place on its
/// machine.
pub(super) fn of_launcher() -> Result<Option<(Shard, usize)>> {
    // These processes never meet.
    let variable = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.or_else(|| (name == "MASTER_ADDR").then(|| "localhost".to_owned()))
    };
    let meeting = Meeting::of(variable)?.filter(|meeting| meeting.size > 1);
    let shard = |m: Meeting| (Shard { number: m.rank + 1, of: m.size }, m.local_rank);
    Ok(meeting.map(shard))
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
            if path.extension().is_none_or(|ending| ending != "parquet") {
                continue;
            }
            let there = Whole::read(&path)?;
            let differs = match &there {
                Some(there) => there.differs(whole, path == own),
                None => Some("something else than labels by `tutor predict --shard`"),
            };
            if let Some(what) = differs {
                bail!(
                    "{} holds {what}: name another folder by --out, or remove the file",
                    path.display()
                );
            }
        }
        Ok(own.is_file())
    }
}

/// What all parts together label, and how.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Whole {
    network: String,
    threshold: Option<f32>,
    parts: usize,
    samples: usize,
    /// Of the names of all samples.
    names: Digest,
    /// Of what tells the part's samples from others of their names.
    stamps: Digest,
}

/// The key under which a file says it.
const KEY: &str = "tutor.labels";

impl Whole {
    /// `names` of all samples, `stamps` of those of the part.
    pub(super) fn new(
        (network, threshold): (String, Option<f32>),
        shard: Shard,
        names: impl ExactSizeIterator<Item = String>,
        stamps: impl Iterator<Item = String>,
    ) -> Self {
        let samples = names.len();
        let [names, stamps] = [&mut lines(names), &mut lines(stamps)]
            .map(|text| Digest::of(std::mem::take(text).as_bytes()));
        Self { network, threshold, parts: shard.of, samples, names, stamps }
    }

    /// What a Parquet file keeps.
    pub(super) fn entry(&self) -> Result<(String, String)> {
        Ok((KEY.to_owned(), serde_json::to_string(self)?))
    }

    fn read(path: &Path) -> Result<Option<Self>> {
        let at = || path.display().to_string();
        let file = File::open(path).with_context(at)?;
        let reader = SerializedFileReader::new(file).with_context(at)?;
        let entries = reader.metadata().file_metadata().key_value_metadata();
        let value = entries.into_iter().flatten().find(|entry| entry.key == KEY);
        Ok(value.and_then(|entry| serde_json::from_str(entry.value.as_deref()?).ok()))
    }

    /// What is not the same, in words.
    fn differs(&self, other: &Self, same_part: bool) -> Option<&'static str> {
        match () {
            () if self.network != other.network => Some("labels by another network"),
            () if self.threshold != other.threshold => Some("labels with another --threshold"),
            () if self.parts != other.parts => Some("one of another number of parts"),
            () if self.samples != other.samples || self.names != other.names => {
                Some("labels of other samples")
            }
            () if same_part && self.stamps != other.stamps => {
                Some("labels of samples that have changed since")
            }
            () => None,
        }
    }
}

fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.fold(String::new(), |all, text| all + &text + "\n")
}

/// The folder of the parts, made if it is not there.
pub(super) fn folder(named: Option<&Path>) -> Result<PathBuf> {
    let folder = named.unwrap_or(Path::new("labels")).to_owned();
    ensure!(
        !folder.is_file(),
        "{}: with several parts, --out is the folder of their Parquet files",
        folder.display()
    );
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
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
