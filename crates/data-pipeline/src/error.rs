//! What can go wrong with data from outside: every message names the file, the place in it and what
//! to do about it.

use crate::endings::ends_with;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A fault in data from outside, or in how it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused to open, read or rename a file.
    #[error("{}: {source} ({way_out})", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What to try.
        way_out: &'static str,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] atomic_file::Error),
    /// A file does not hold what its format promises.
    #[error("{} at byte {offset}: {fault} ({way_out})", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Bytes from the start of the file, or of its unpacked content where it is compressed.
        offset: u64,
        /// What was found and what was expected.
        fault: String,
        /// What to try.
        way_out: &'static str,
    },
    /// A text file has a faulty line.
    #[error("{} line {line}: {fault} ({way_out})", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What was found and what was expected.
        fault: String,
        /// What to try.
        way_out: &'static str,
    },
    /// An image file does not decode, or is larger than allowed.
    #[error("{}: {fault} (remove the file, or let bad files be skipped)", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        fault: String,
    },
    /// A data set lacks files or folders that it needs.
    #[error("{}: {fault} ({way_out})", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What is missing.
        fault: String,
        /// What to try.
        way_out: &'static str,
    },
    /// A table lacks a column that is asked for.
    #[error(
        "{}: no column {column} among {} ({})",
        path.display(), shown(found), way_out(path, found)
    )]
    Column {
        /// The table.
        path: PathBuf,
        /// The column, in words.
        column: String,
        /// The columns that it has.
        found: Vec<String>,
    },
    /// A request does not fit the data: too few samples of a class, an index out of range, an empty
    /// stream.
    #[error("{0}")]
    Request(String),
    /// A loader's worker failed; the run cannot go on.
    #[error("a loader worker stopped at step {step}: {fault}")]
    Worker {
        /// The step that it was preparing.
        step: u64,
        /// The message of its panic.
        fault: String,
    },
    /// A download failed.
    #[error("{url} -> {}: {fault} ({way_out})", path.display())]
    Fetch {
        /// The address.
        url: String,
        /// The file it was to become.
        path: PathBuf,
        /// What happened, with expected and found values.
        fault: String,
        /// What to try.
        way_out: &'static str,
    },
}

/// A label that is none of so many classes, in words.
pub(crate) fn label_beyond(label: u32, classes: usize) -> String {
    format!("label {label} of {classes} {}", if classes == 1 { "class" } else { "classes" })
}

/// Characters of a column's name in a message.
const LONGEST: usize = 40;

/// The names of columns in a message, long ones cut.
pub(crate) fn shown(names: &[String]) -> String {
    let cut = |name: &String| match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.clone(),
    };
    names.iter().map(cut).collect::<Vec<_>>().join(", ")
}

/// Whether the first line of a table may hold a row instead of names: one of them is as long as a
/// text, or there is only one.
pub(crate) fn may_lack_names(path: &Path, names: &[String]) -> bool {
    let is_text = |name: &String| name.chars().count() > LONGEST;
    let has_first_line = !ends_with(path, &["jsonl", "ndjson", "parquet"]);
    has_first_line && (names.len() == 1 || names.iter().any(is_text))
}

fn way_out(path: &Path, names: &[String]) -> &'static str {
    match may_lack_names(path, names) {
        true => "name one that is there, or write names above the first line if it holds none",
        false => "name one that is there",
    }
}

/// How a way out ends that is to leave out what cannot be read.
const SKIPPED: &str = "be skipped";

impl DataError {
    /// Wraps a system error, for use with `map_err`.
    pub(crate) fn io(path: &Path, way_out: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source, way_out }
    }

    /// Makes the folder in which something is built, and keeps others out of it. Gives `None` for a
    /// folder that is there and takes no file: nothing can be built in it, but what is finished is
    /// read.
    pub(crate) fn lock(folder: &Path) -> Result<Option<atomic_file::FolderLock>, Self> {
        std::fs::create_dir_all(folder)
            .map_err(Self::io(folder, "name a folder that may be written to"))?;
        match atomic_file::lock_folder(folder) {
            Ok(Some(lock)) => Ok(Some(lock)),
            Ok(None) => Err(Self::Missing {
                path: folder.to_path_buf(),
                fault: "another process is building in this folder".into(),
                way_out: "wait for it to end, or name another folder",
            }),
            Err(error) => match error.source.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Ok(None),
                _ => Err(error.into()),
            },
        }
    }

    /// Whether it is about input that is left out where the caller asks for that.
    pub fn can_be_skipped(&self) -> bool {
        match self {
            Self::Image { .. } => true,
            Self::Io { way_out, .. }
            | Self::Format { way_out, .. }
            | Self::Line { way_out, .. }
            | Self::Missing { way_out, .. }
            | Self::Fetch { way_out, .. } => way_out.ends_with(SKIPPED),
            Self::Column { .. } | Self::Write(_) | Self::Request(_) | Self::Worker { .. } => false,
        }
    }

    /// A fault at a byte of a binary file whose remedy is a fresh copy.
    pub(crate) fn format(path: &Path, offset: u64, fault: impl Into<String>) -> Self {
        let way_out =
            "the file is damaged or of another kind: fetch it again or name another folder";
        Self::Format { path: path.to_path_buf(), offset, fault: fault.into(), way_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_takes_no_file_needs_no_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = DataError::lock(folder.path()).expect("a folder of our own");
        assert!(held.is_some());
        assert!(DataError::lock(folder.path()).is_err_and(|e| e.to_string().contains("building")));
        // Nobody makes files there, whatever their rights.
        assert!(DataError::lock(Path::new("/sys")).expect("what is there is read").is_none());
    }
}
