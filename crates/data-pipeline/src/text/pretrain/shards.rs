//! All files of sequences of a folder as one set of samples.

use super::shard::{Shard, name};
use crate::dataset::Samples;
use crate::digest::Digest;
use crate::error::DataError;
use crate::text::sequence::Sequence;
use crate::text::tokenizer::Tokenizer;
use std::path::{Path, PathBuf};

/// The sequences in a folder that [`build`](super::build) filled. Memory holds none of them; the
/// loader's order is a keyed permutation of all of them each epoch, so a run resumes at any step.
#[derive(Debug)]
pub struct TokenShards {
    folder: PathBuf,
    shards: Vec<Shard>,
    /// Where the sequences of each file begin, and the number of all.
    starts: Vec<u64>,
}

impl TokenShards {
    /// Opens a folder. Headers and lengths of all files are checked;
    /// [`TokenShards::verify`] checks the content too.
    ///
    /// # Errors
    /// When there is no such file, when one is missing, damaged or of another build, or when
    /// building has not come to its end.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let shards = Self::found(folder)?;
        let missing = |fault: &str, way_out| {
            let (path, fault) = (folder.to_path_buf(), fault.to_owned());
            Err(DataError::Missing { path, fault, way_out })
        };
        let Some(last) = shards.last() else {
            return missing("no files of tokens", "build them first, or name their folder");
        };
        if !last.header().last {
            return missing("the last file of tokens is missing", "build on: it resumes there");
        }
        let mut starts = vec![0];
        for shard in &shards {
            starts.push(starts[starts.len() - 1] + shard.sequences());
        }
        if starts[shards.len()] == 0 {
            return missing("no sequence in the files of tokens", "build them of texts");
        }
        Ok(Self { folder: folder.to_path_buf(), shards, starts })
    }

    /// The files from number 0 on that belong together.
    pub(super) fn found(folder: &Path) -> Result<Vec<Shard>, DataError> {
        let mut shards: Vec<Shard> = Vec::new();
        loop {
            let path = folder.join(name(shards.len() as u32));
            if !path.is_file() {
                return Ok(shards);
            }
            let shard = Shard::open(&path)?;
            let header = shard.header();
            let end = shards.last().map_or(0, |before| before.header().documents.1);
            let same = shards.first().is_none_or(|first| {
                let first = first.header();
                (first.vocabulary, first.settings) == (header.vocabulary, header.settings)
            });
            if header.number != shards.len() as u32 || header.documents.0 != end || !same {
                return Err(DataError::Missing {
                    path,
                    fault: "the file does not belong to those before it".into(),
                    way_out: "remove the folder's files of tokens and build them again",
                });
            }
            let is_last = header.last;
            shards.push(shard);
            if is_last {
                return Ok(shards);
            }
        }
    }

    /// The number of tokens.
    pub fn tokens(&self) -> u64 {
        self.shards.iter().map(|shard| shard.header().tokens).sum()
    }

    /// The number of documents.
    pub fn documents(&self) -> u64 {
        self.shards.last().map_or(0, |shard| shard.header().documents.1)
    }

    /// The files.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The number of tokens of segment 1 of all sequences.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub fn second_tokens(&self) -> Result<u64, DataError> {
        self.shards.iter().map(Shard::second_tokens).sum()
    }

    /// The digest of the vocabulary that the sequences were made with.
    pub fn vocabulary(&self) -> Digest {
        self.shards[0].header().vocabulary
    }

    /// What tells all sequences from others, by the digests in the headers of the files.
    pub fn digest(&self) -> Digest {
        let headers = self.shards.iter().flat_map(|shard| shard.header().digest().to_bytes());
        Digest::of(&headers.collect::<Vec<u8>>())
    }

    /// Checks that the sequences were made with this tokenizer.
    ///
    /// # Errors
    /// When they were made with another.
    pub fn check_tokenizer(&self, tokenizer: &Tokenizer) -> Result<(), DataError> {
        let own = self.vocabulary();
        if own == tokenizer.digest() {
            return Ok(());
        }
        Err(DataError::Missing {
            path: self.folder.clone(),
            fault: format!("made with the vocabulary {own}, this one is {}", tokenizer.digest()),
            way_out: "name the tokenizer that the tokens were built with, or build them again",
        })
    }

    /// Reads everything and compares digests, on all processors.
    ///
    /// # Errors
    /// When a byte has changed.
    pub fn verify(&self) -> Result<(), DataError> {
        let checked = crate::parallel::map(self.shards.len(), |i| self.shards[i].verify());
        checked.into_iter().collect()
    }

    fn place(&self, index: usize) -> (&Shard, u64) {
        let index = index as u64;
        let shard = self.starts.partition_point(|&start| start <= index) - 1;
        (&self.shards[shard], index - self.starts[shard])
    }
}

impl Samples for TokenShards {
    type Item = Sequence;

    fn len(&self) -> usize {
        self.starts[self.starts.len() - 1] as usize
    }

    fn item(&self, index: usize) -> Result<Sequence, DataError> {
        let (shard, index) = self.place(index);
        shard.sequence(index)
    }

    fn label(&self, _index: usize) -> Option<u32> {
        None
    }

    fn id(&self, index: usize) -> String {
        let (shard, index) = self.place(index);
        format!("{}/{index}", shard.path().file_name().unwrap_or_default().to_string_lossy())
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn size(&self, index: usize) -> u32 {
        let (shard, index) = self.place(index);
        shard.length(index).unwrap_or(0) as u32
    }
}
