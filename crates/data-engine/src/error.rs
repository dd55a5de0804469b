//! What can go wrong, each told once with the way out.

use datafusion::error::DataFusionError;
use std::path::PathBuf;

/// A fault in a table, in what was asked of it, or in the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A table is not what is needed.
    #[error("{}: {fault} ({way_out})", path.display())]
    Table {
        /// The file, or the first of the table's.
        path: PathBuf,
        /// What is wrong.
        fault: String,
        /// What to try.
        way_out: String,
    },
    /// What was asked for makes no sense.
    #[error("{0}")]
    Asked(String),
    /// The engine could not do it within its memory.
    #[error("{0} (give more by --memory, or fewer --partitions)")]
    Memory(String),
    /// A cluster cannot be reached, or a part of one cannot work.
    #[error("{0}")]
    Cluster(String),
    /// The engine failed otherwise: a damaged file, a full disk.
    #[error("{}", plain(.0))]
    Engine(DataFusionError),
    /// The operating system refused to make, rename or remove a file.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl From<DataFusionError> for EngineError {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(what) => Self::Memory(first_line(what)),
            _ => Self::Engine(error),
        }
    }
}

impl From<datafusion::parquet::errors::ParquetError> for EngineError {
    fn from(error: datafusion::parquet::errors::ParquetError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<datafusion::arrow::error::ArrowError> for EngineError {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        Self::Engine(error.into())
    }
}

impl EngineError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |error| Self::Io { path, error }
    }
}

/// What the engine said, without its stack of contexts.
pub(crate) fn plain(error: &DataFusionError) -> String {
    let twice = "Parquet error: Parquet error: ";
    first_line(&error.strip_backtrace()).replacen(twice, "Parquet error: ", 1)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
