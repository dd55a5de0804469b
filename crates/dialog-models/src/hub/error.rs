//! What can be wrong with a folder of a network.

use std::path::PathBuf;

use torch::store::LoadError;
use weights::WeightsError;

/// Why a network was not read or loaded. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The weights cannot be found or read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// `config.json` cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// `config.json` does not describe a network that is known here.
    #[error("{}: {fault}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// Tensors that are missing, surplus or of another shape: all of them.
    #[error("{}: {error}", path.display())]
    Mismatch {
        /// The file of weights.
        path: PathBuf,
        /// Every difference.
        error: LoadError,
    },
    /// A tensor whose numbers no network can have.
    #[error("{}: tensor {name} {fault}", path.display())]
    Values {
        /// The file of weights.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}
