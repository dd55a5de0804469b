//! What can go wrong before there is a server, in words for the person who can mend it.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that names the thing and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source} ({})", web_server::listen::way_out(source))]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others than this machine would be served without a key.
    #[error("{0} is reached from other machines: a key is needed there")]
    NoKey(String),
    /// The public address is none.
    #[error(
        "{0} is not how a server is reached: name a scheme and a host without a path, as \
             https://chat.example.org"
    )]
    PublicUrl(String),
    /// What is said to be the origin of a page is none.
    #[error(
        "{0} is no origin of a page: name a scheme and a host without a path, as \
             https://app.example.org"
    )]
    Origin(String),
    /// A model could not be made.
    #[error("{0}")]
    Model(String),
    /// The file for what is said cannot be written to.
    #[error("cannot keep what is said in {}: {source} (name another file)", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others than its owner may read the file for what is said, or write to it.
    #[error("others can read or change {}: chmod 600 it, or name another file", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
    },
}
