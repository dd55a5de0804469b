//! The database: one SQLite file, one thread that writes, several connections that read.

mod migrate;
mod writer;

use crate::error::{Error, Result};
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use writer::Writer;

/// How long we wait for another process that writes, such as a backup or an import.
const BUSY: Duration = Duration::from_secs(5);

/// Idle connections for reading that are kept.
const READERS: usize = 4;

/// An open database.
pub(crate) struct Store {
    path: PathBuf,
    // Closed before the writer: the last connection takes the write-ahead log into the file and
    // away, which one that only reads cannot do.
    readers: Mutex<Vec<Connection>>,
    writer: Writer,
    /// Whether the file may only be read, which SQLite opens without a word.
    is_read_only: bool,
}

impl Store {
    /// Makes a new database.
    ///
    /// # Errors
    /// [`Error::Exists`], and when the folder cannot be written to.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        // Labels of raters and the hash of the password are nobody else's on this machine.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(_) => Self::connect(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Error::Exists(path.to_owned()))
            }
            Err(source) => Err(atomic_file::Error { path: path.to_owned(), source }.into()),
        }
    }

    /// Opens a database, and brings its tables up to date.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotAProject`], [`Error::TooNew`], [`Error::Busy`].
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if !path.is_file() {
            return Err(Error::Missing(path.to_owned()));
        }
        migrate::check_header(path)?;
        Self::connect(path)
    }

    fn connect(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).map_err(Error::from);
        let made = opened.and_then(|mut connection| {
            prepare(&connection)?;
            migrate::migrate(&mut connection, path)?;
            Ok(connection)
        });
        let connection = made.map_err(|error| match error {
            Error::Database(fault)
                if matches!(
                    fault.sqlite_error_code(),
                    Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
                ) =>
            {
                Error::Unwritable(path.to_owned())
            }
            Error::Database(fault)
                if fault.sqlite_error_code() == Some(ErrorCode::NotADatabase)
                    || fault.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) =>
            {
                Error::NotAProject {
                    path: path.to_owned(),
                    why: format!("it is damaged, or no SQLite database ({fault}); use a backup"),
                }
            }
            other => other,
        })?;
        let is_read_only = connection.is_readonly(MAIN_DB)?;
        let (readers, writer) = (Mutex::new(Vec::new()), Writer::new(connection));
        Ok(Self { path: path.to_owned(), readers, writer, is_read_only })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the file may only be read.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.is_read_only {
            true => Err(Error::Unwritable(self.path.clone())),
            false => Ok(()),
        }
    }

    /// Runs work that changes the database, and comes back when the change is on disk. Work that
    /// fails changes nothing. Not to be called from asynchronous code.
    ///
    /// # Errors
    /// Those of the work, [`Error::Unwritable`], [`Error::Busy`], [`Error::Full`],
    /// [`Error::Closed`].
    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check_writable()?;
        self.writer.hand_in(work).blocking_recv().unwrap_or(Err(Error::Closed))
    }

    /// [`Store::write`] for asynchronous code.
    pub(crate) async fn write_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check_writable()?;
        self.writer.hand_in(work).await.unwrap_or(Err(Error::Closed))
    }

    /// Runs work that only reads, all of it on one state of the database.
    ///
    /// # Errors
    /// Those of the work, and when the database cannot be opened.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.reader()?,
        };
        let transaction = connection.transaction()?;
        let result = work(&transaction);
        drop(transaction);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(connection);
        }
        result
    }

    /// Empties the write-ahead log, so that nothing deleted stays in it. While others read, part of
    /// it may have to wait for the next time.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub(crate) fn truncate_log(&self) -> Result<()> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        let _: i64 =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(())
    }

    fn reader(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    }

    /// Limits the file to `pages` more pages, as a full disk would.
    #[doc(hidden)]
    pub(crate) fn limit_growth(&self, pages: i64) -> Result<()> {
        // A pragma of the connection; in a transaction it holds as well.
        self.write(move |connection| {
            let now: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let wanted = now + pages;
            let _: i64 =
                connection.query_row(&format!("PRAGMA max_page_count = {wanted}"), [], |row| {
                    row.get(0)
                })?;
            Ok(())
        })
    }
}

/// Sets up a connection that writes.
fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(128);
    // FULL: an answer that was acknowledged survives a loss of power; NORMAL would lose some.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -16384;",
    )?;
    Ok(())
}
