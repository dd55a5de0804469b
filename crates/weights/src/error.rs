//! What can go wrong with files of tensors: every message names the file and the way out.

use std::path::{Path, PathBuf};

/// Why weights could not be read, found or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The operating system refused to open or read a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] atomic_file::Error),
    /// A file is damaged, or is not what it should be.
    #[error("{}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        fault: String,
    },
    /// Something that was asked for is not there.
    #[error("{0}")]
    Unknown(String),
    /// A download failed.
    #[error("{0}")]
    Fetch(String),
}

impl WeightsError {
    /// A fault of the file at `path`.
    pub(crate) fn file(path: &Path, fault: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), fault: fault.into() }
    }

    /// Wraps a system error, for use with `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
