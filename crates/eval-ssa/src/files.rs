//! A study as a folder of lines of JSON, which any language reads.
//!
//! | file | a line is |
//! | --- | --- |
//! | `systems.jsonl` | a [`System`](crate::System) |
//! | `items.jsonl` | an [`Item`](crate::Item) |
//! | `ratings.jsonl` | a [`Rating`](crate::Rating) |
//! | `judgments.jsonl` | a [`Judgment`](crate::Judgment) |
//! | `adjudications.jsonl` | an [`Adjudication`](crate::Adjudication) |
//! | `pairs.jsonl` | a [`Pair`](crate::Pair) |
//! | `preferences.jsonl` | a [`Preference`](crate::Preference) |
//!
//! `study.json` holds [`Settings`], as `{"required": 5}`, without which no label follows from
//! ratings. Of the others, a file that is not there is an empty list.

use crate::protocol::Required;
use crate::study::{Mismatch, Study};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A study that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder holds no study.
    #[error("there is no study in {}: it has no items.jsonl", .0.display())]
    NoStudy(
        /// The folder.
        PathBuf,
    ),
    /// Ratings of which nobody says how many make a label.
    #[error(
        "{} has ratings and no study.json, which says how many votes each response gets: export \
         the study anew (earlier versions wrote none), or write {{\"required\": 5}} into that \
         file, with the number of votes in place of 5",
        .0.display()
    )]
    NoSettings(
        /// The folder.
        PathBuf,
    ),
    /// A line is not what the file should hold.
    #[error("{}, line {line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: String,
    },
    /// The records do not fit together.
    #[error("{}: {mismatch}", folder.display())]
    Mismatch {
        /// The folder.
        folder: PathBuf,
        /// The faults.
        mismatch: Mismatch,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] atomic_file::Error),
}

/// What `study.json` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How many raters each response gets.
    pub required: Required,
}

impl Study {
    /// Reads a study from its folder and checks it.
    ///
    /// # Errors
    /// A file that cannot be read, the first line that is not what it should be, ratings without a
    /// `study.json`, and all records that do not fit together.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let items = folder.join("items.jsonl");
        if !items.exists() && !folder.join("pairs.jsonl").exists() {
            return Err(FileError::NoStudy(folder.to_owned()));
        }
        let path = folder.join("study.json");
        let settings: Option<Settings> = match text(&path)? {
            None => None,
            Some(text) => Some(serde_json::from_str(&text).map_err(|fault| {
                let (line, fault) = (fault.line(), fault.to_string());
                FileError::Line { path, line, fault }
            })?),
        };
        let study = Self {
            required: settings.map(|settings| settings.required).unwrap_or_default(),
            systems: lines(&folder.join("systems.jsonl"))?,
            items: lines(&items)?,
            ratings: lines(&folder.join("ratings.jsonl"))?,
            judgments: lines(&folder.join("judgments.jsonl"))?,
            adjudications: lines(&folder.join("adjudications.jsonl"))?,
            pairs: lines(&folder.join("pairs.jsonl"))?,
            preferences: lines(&folder.join("preferences.jsonl"))?,
        };
        if settings.is_none() && !study.ratings.is_empty() {
            return Err(FileError::NoSettings(folder.to_owned()));
        }
        let folder = || folder.to_owned();
        study.check().map_err(|mismatch| FileError::Mismatch { folder: folder(), mismatch })?;
        Ok(study)
    }

    /// What its `study.json` says.
    pub fn settings(&self) -> Settings {
        Settings { required: self.required }
    }

    /// Writes the study into a folder that exists, each file whole or not at all.
    ///
    /// ```
    /// use eval_ssa::{Study, simulate::Simulation};
    /// let (study, _) = Simulation::default().run();
    /// let folder = tempfile::tempdir()?;
    /// study.write(folder.path())?;
    /// assert_eq!(Study::read(folder.path())?, study);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        write(&folder.join("study.json"), &[self.settings()])?;
        write(&folder.join("systems.jsonl"), &self.systems)?;
        write(&folder.join("ratings.jsonl"), &self.ratings)?;
        write(&folder.join("judgments.jsonl"), &self.judgments)?;
        write(&folder.join("adjudications.jsonl"), &self.adjudications)?;
        write(&folder.join("pairs.jsonl"), &self.pairs)?;
        write(&folder.join("preferences.jsonl"), &self.preferences)?;
        // The file that makes the folder a study comes last.
        write(&folder.join("items.jsonl"), &self.items)
    }
}

fn text(path: &Path) -> Result<Option<String>, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

/// The records of a file of lines of JSON; none if it is not there. Only a line feed ends a line.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, FileError> {
    let text = text(path)?.unwrap_or_default();
    let numbered = (1..).zip(text.trim_start_matches('\u{feff}').split('\n'));
    let full = numbered.filter(|(_, line)| !line.trim().is_empty());
    full.map(|(line, text)| {
        serde_json::from_str(text).map_err(|fault| FileError::Line {
            path: path.to_owned(),
            line,
            fault: fault.to_string(),
        })
    })
    .collect()
}

fn write<T: Serialize>(path: &Path, records: &[T]) -> Result<(), FileError> {
    let fill = |out: &mut (dyn Write + Send)| {
        for record in records {
            serde_json::to_writer(&mut *out, record)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    };
    Ok(atomic_file::write_with(path, fill)?)
}
