//! A whole copy of a project while it is in use.

use crate::error::{Error, Result};
use rusqlite::{Connection, OpenFlags, backup::Backup};
use std::path::Path;
use std::time::Duration;

/// Pages copied at a time; others write in between.
const PAGES: i32 = 1000;

/// Copies the database `from` to the new file `to` by SQLite's backup, under another name until it
/// is whole and on disk.
pub(crate) fn backup(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Err(Error::Exists(to.to_owned()));
    }
    let failed = |source| Error::Write(atomic_file::Error { path: to.to_owned(), source });
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let part = tempfile::Builder::new()
        .prefix(".backup-")
        .suffix(".part")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(Duration::from_secs(5))?;
    let mut copy = Connection::open(part.path())?;
    Backup::new(&source, &mut copy)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    let sound: String = copy.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Error::Invalid(format!("the copy is damaged: {sound}")));
    }
    // The copy is one file: no write-ahead log lies beside it.
    let _: String = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    copy.close().map_err(|(_, error)| error)?;
    part.as_file().sync_all().map_err(failed)?;
    part.persist_noclobber(to).map_err(|error| {
        if error.error.kind() == std::io::ErrorKind::AlreadyExists {
            Error::Exists(to.to_owned())
        } else {
            failed(error.error)
        }
    })?;
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
