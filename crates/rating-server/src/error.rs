//! What can go wrong, in words for the person who can mend it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that names the thing and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is a file where a project should be made.
    #[error("{} exists already (choose another name, or open it)", .0.display())]
    Exists(PathBuf),
    /// There is no file where a project should be opened.
    #[error("{}", missing(.0))]
    Missing(PathBuf),
    /// The file is not one of our databases.
    #[error("{} is not a rating study: {why}", path.display())]
    NotAProject {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// A newer program made the file.
    #[error("{} was written by a newer program (version {version} of its tables; this program knows {known}): use that one", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        version: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Another process holds the database for longer than we wait.
    #[error("the database is in use by another program (nothing was changed; try again)")]
    Busy,
    /// The file, or its folder, cannot be written to.
    #[error("{} cannot be opened for writing: give yourself the right to write to the file and to its folder, where SQLite keeps two files beside it even for reading, or copy the study to where you have it", .0.display())]
    Unwritable(PathBuf),
    /// No space is left.
    #[error("the disk is full: nothing was saved (make room and try again)")]
    Full,
    /// The database refuses otherwise.
    #[error("the database cannot be used: {0}")]
    Database(rusqlite::Error),
    /// The thread that writes has ended.
    #[error("the study is being closed; nothing was saved")]
    Closed,
    /// Somebody asks for what does not exist, or is not theirs.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// The answer was changed in another window.
    #[error("this was answered in another window")]
    Conflict,
    /// A request that makes no sense, with what is wrong.
    #[error("{0}")]
    Invalid(String),
    /// A file of the researcher's that cannot be read.
    #[error("{}: {problem}", file.display())]
    Input {
        /// The file.
        file: PathBuf,
        /// The line, if there is one, and what is wrong with it.
        problem: String,
    },
    /// A file that could not be written.
    #[error(transparent)]
    Write(#[from] atomic_file::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source} ({})", web_server::listen::way_out(source))]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A chatbot that does not answer, or not as it should.
    #[error("the chatbot does not answer: {0}")]
    Chat(String),
    /// A chatbot that asks to be asked again later.
    #[error("the chatbot does not answer: {why}")]
    ChatBusy {
        /// What it says.
        why: String,
        /// How long to wait, if it says so.
        wait: Option<Duration>,
    },
    /// A chatbot from which no whole answer came over the network.
    #[error("the chatbot does not answer: {0}")]
    ChatLost(String),
    /// A chatbot that answers with nothing.
    #[error("the chatbot does not answer: its answer is empty")]
    ChatEmpty,
}

/// What [`Error::Missing`] says of a path.
fn missing(path: &Path) -> String {
    match path.is_dir() {
        true => format!("{} is a folder: name a study's database file in it", path.display()),
        false => format!(
            "there is no study {} (`tutor rate init` makes one; check the path)",
            path.display()
        ),
    }
}

impl Error {
    /// An [`Error::Invalid`] with this text.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{ErrorCode, ffi};
        // What SQLite says when there is no room for the file of shared memory beside its own.
        let no_room = ffi::SQLITE_IOERR_SHMSIZE;
        if error.sqlite_error().is_some_and(|fault| fault.extended_code == no_room) {
            return Self::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Database(error),
        }
    }
}
