//! A whole copy of a project while it is in use.

use crate::error::{Error, Result};
use rusqlite::{Connection, OpenFlags, backup::Backup};
use std::path::Path;
use std::time::Duration;

/// Pages copied at a time.
const PAGES: i32 = 1000;

/// How the names of unfinished copies begin and end.
const PREFIX: &str = ".tutor-backup-";
const SUFFIX: &str = ".part";

/// For how long nobody has written to a copy that was left.
const OLD: Duration = Duration::from_secs(600);

/// Copies the database `from` to the new file `to` by SQLite's backup, under another name until it
/// is whole and on disk.
pub(crate) fn backup(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Err(Error::Exists(to.to_owned()));
    }
    let failed = |source| Error::Write(atomic_file::Error { path: to.to_owned(), source });
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    remove_left_overs(folder);
    let part = tempfile::Builder::new()
        .prefix(PREFIX)
        .suffix(SUFFIX)
        .tempfile_in(folder)
        // Its error names the temporary file, which nobody asked for.
        .map_err(|error| failed(error.kind().into()))?;
    // Others leave it alone as long as this process lives. File systems without locks are rare.
    let _ = part.as_file().try_lock();
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(Duration::from_secs(5))?;
    let mut copy = Connection::open(part.path())?;
    // What others write from now on is not seen: SQLite would begin anew after each such write.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Backup::new(&snapshot, &mut copy)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    drop(snapshot);
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
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Removes what backups left in `folder` that were killed: their files are locked by nobody.
fn remove_left_overs(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let age = path.metadata().and_then(|meta| meta.modified()).ok();
        // One that has just begun may not have its lock yet.
        let is_old = age.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > OLD);
        let is_part = name.starts_with(PREFIX) && name.ends_with(SUFFIX);
        if !is_part
            || !is_old
            || std::fs::File::open(&path).is_ok_and(|file| file.try_lock().is_err())
        {
            continue;
        }
        for end in ["", "-journal", "-wal", "-shm"] {
            // Best effort: a file that stays does no harm.
            let _ = std::fs::remove_file(path.with_file_name(format!("{name}{end}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_backups_left_goes_and_what_is_written_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in [
            ".tutor-backup-a.part",
            ".tutor-backup-a.part-journal",
            ".tutor-backup-b.part",
            "mine.part",
        ] {
            std::fs::write(at(name), b"x").expect("written");
            let file = std::fs::File::options().write(true).open(at(name)).expect("it");
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("old");
        }
        let held = std::fs::File::open(at(".tutor-backup-b.part")).expect("it");
        held.try_lock().expect("free");
        remove_left_overs(folder.path());
        let left = [
            ".tutor-backup-a.part",
            ".tutor-backup-a.part-journal",
            ".tutor-backup-b.part",
            "mine.part",
        ];
        assert_eq!(left.map(|name| at(name).exists()), [false, false, true, true]);
    }
}
