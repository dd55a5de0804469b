//! Which texts paraphrases were made of, as the store beside them says: so that training finds out
//! that texts were changed, or stand in another order, before it pairs them with others'
//! paraphrases.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use super::paraphrases::{Made, Record, STORE, hash};
use super::{TextError, io};

/// The texts that a store was made of, by their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    path: PathBuf,
    texts: usize,
    /// Of all texts.
    hash: String,
    /// Of each text; fewer than there are texts where the store, or a part of it, was made by a
    /// version that did not keep them.
    hashes: Vec<String>,
}

impl Sources {
    /// Those of the store in a folder ([`STORE`]); `None` where there is none that this version
    /// reads.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn of(folder: &Path) -> Result<Option<Self>, TextError> {
        let path = folder.join(STORE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(&path)(error)),
        };
        let mut lines = BufReader::new(file).split(b'\n');
        let first = lines.next().transpose().map_err(io(&path))?.unwrap_or_default();
        let Ok(made) = serde_json::from_slice::<Made>(&first) else { return Ok(None) };
        let mut hashes = Vec::new();
        for line in lines {
            // A batch that was not finished has no text.
            match serde_json::from_slice::<Record>(&line.map_err(io(&path))?) {
                Ok(record) => hashes.extend(record.hashes),
                Err(_) => break,
            }
        }
        Ok(Some(Self { path, texts: made.texts, hash: made.hash, hashes }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many texts they are.
    pub fn count(&self) -> usize {
        self.texts
    }

    /// Whether they are these texts, in this order.
    pub fn are(&self, texts: &[impl AsRef<str>]) -> bool {
        self.texts == texts.len() && self.hash == hash(texts)
    }

    /// The first place at which another text stands, or none, in each of these `readings` of the
    /// texts (as they are, cleaned, ...). `None` where there is no such place, or where the store
    /// does not tell its texts apart.
    pub fn first_other(&self, readings: &[&[&str]]) -> Option<usize> {
        if self.hashes.len() != self.texts {
            return None;
        }
        let is_other = |at: &usize| {
            let there = self.hashes.get(*at);
            readings.iter().all(|texts| texts.get(*at).map(|text| hash(&[text])).as_ref() != there)
        };
        (0..=self.texts).find(is_other)
    }
}
