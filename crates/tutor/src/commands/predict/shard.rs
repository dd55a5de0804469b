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
use crate::run::processes;

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
    let shard = |m: Rendezvous| (Shard { number: m.rank + 1, of: m.size }, m.local_rank);
    Ok(processes::launched()?.map(shard))
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
        let mut parts = Vec::new();
        let entries = folder.read_dir().with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry.with_context(|| folder.display().to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(stem) = name.strip_suffix(".parquet") else { continue };
            let of = stem.strip_prefix("part-").and_then(|part| part.split_once("-of-"));
            match of.and_then(|(_, of)| of.parse::<usize>().ok()) {
                Some(of) if of == self.of => parts.push(path),
                Some(_) => bail!(other(&path, "one of another number of parts")),
                None => bail!(other(&path, "something else than a part of labels")),
            }
        }
        if note_of(folder).is_none() {
            // Nothing else says of what they are.
            parts.iter().try_for_each(|part| whole.has_part(part, &Kept::of(part)?))?;
        }
        whole.agree(folder)?;
        if !own.is_file() {
            return Ok(false);
        }
        let kept = Kept::of(&own)?;
        whole.has_part(&own, &kept)?;
        if kept.stamps.as_deref() != Some(&whole.stamps.to_string()) {
            let by = match is_image(&whole.id) {
                true => ", by the size or the time of change of their files",
                false => "",
            };
            bail!(other(&own, &format!("labels of samples that have changed since{by}")));
        }
        Ok(true)
    }
}

fn other(path: &Path, what: &str) -> String {
    format!("{} holds {what}: name another folder by --out, or remove it", path.display())
}

/// The file beside the parts that says of what they are: readers of Parquet leave out what begins
/// so.
const NOTE: &str = "_parts.json";

/// What earlier versions called it.
const OLD_NOTE: &str = "parts.json";

/// The file that says of what the parts of a folder are, if there is one.
fn note_of(folder: &Path) -> Option<PathBuf> {
    [NOTE, OLD_NOTE].map(|name| folder.join(name)).into_iter().find(|path| path.exists())
}

/// What all parts together label, and how; beside them as [`NOTE`].
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

/// The key under which a part keeps the digest of its stamps.
const STAMPS: &str = "tutor.stamps";

/// The key under which a part keeps the digest of what all parts together label, and how; by it
/// `data-engine` finds parts of different labellings.
const PARTS: &str = "tutor.parts";

/// What a part keeps in its footer. Those of earlier versions have no digest of all parts.
struct Kept {
    stamps: Option<String>,
    parts: Option<String>,
}

impl Kept {
    fn of(path: &Path) -> Result<Self> {
        let at = || path.display().to_string();
        let file = File::open(path).with_context(at)?;
        let reader = SerializedFileReader::new(file).with_context(at)?;
        let entries = reader.metadata().file_metadata().key_value_metadata();
        let value = |key: &str| {
            let entry = entries.into_iter().flatten().find(|entry| entry.key == key);
            entry.and_then(|entry| entry.value.clone())
        };
        Ok(Self { stamps: value(STAMPS), parts: value(PARTS) })
    }
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

    /// What a Parquet file keeps, by key.
    pub(super) fn entries(&self) -> Result<Vec<(String, String)>> {
        let parts = self.digest()?.to_string();
        Ok(vec![(STAMPS.to_owned(), self.stamps.to_string()), (PARTS.to_owned(), parts)])
    }

    /// Equal for all parts of one labelling, and different otherwise.
    fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(&serde_json::to_vec(self)?))
    }

    /// Fails if a part says of itself that it belongs to another labelling.
    fn has_part(&self, path: &Path, kept: &Kept) -> Result<()> {
        let own = self.digest()?.to_string();
        if kept.parts.as_ref().is_some_and(|parts| *parts != own) {
            let what = "a part of another labelling, which differs in the network, the samples, or \
                        the options";
            bail!(other(path, what));
        }
        Ok(())
    }

    /// Fails unless the folder is for the same labels. The first process writes what they are.
    fn agree(&self, folder: &Path) -> Result<()> {
        let path = note_of(folder).unwrap_or_else(|| folder.join(NOTE));
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
        let note = dir.path().join(NOTE);
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
    fn folders_of_earlier_versions_are_gone_on_with() {
        let dir = tempfile::tempdir().expect("a folder");
        let whole = |network: &str| {
            let (shard, names) = (Shard { number: 1, of: 2 }, ["a", "b"].map(str::to_owned));
            let identity = (network.to_owned(), None, false, "image");
            Whole::new(identity, shard, names.into_iter(), std::iter::empty())
        };
        whole("net").agree(dir.path()).expect("the first");
        let [now, before] = [NOTE, OLD_NOTE].map(|name| dir.path().join(name));
        std::fs::rename(&now, &before).expect("as it was called");
        whole("net").agree(dir.path()).expect("the same");
        assert!(!now.exists(), "there are not two");
        let error = whole("other").agree(dir.path()).expect_err("others").to_string();
        assert!(error.contains("labels by another network"), "{error}");
        // Their parts say nothing of each other.
        let kept = |parts: Option<&str>| Kept { stamps: None, parts: parts.map(str::to_owned) };
        let part = Path::new("part");
        whole("net").has_part(part, &kept(None)).expect("one of before");
        let own = whole("net").digest().expect("JSON").to_string();
        whole("net").has_part(part, &kept(Some(&own))).expect("its own");
        let error = whole("other").has_part(part, &kept(Some(&own))).expect_err("another's");
        assert!(error.to_string().contains("a part of another labelling"), "{error}");
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
