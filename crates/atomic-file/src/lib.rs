//! Files that are either whole or not there, whatever stops the process.
//!
//! Contents go to a temporary neighbour, are flushed to disk and renamed: a reader finds the old
//! file or the new one, never half of one, and what was written survives a loss of power. A process
//! that is killed in between leaves a neighbour, which [`remove_left_overs`] takes away. Of a
//! symbolic link, [`write()`] and [`write_with`] write the file that it names; devices and pipes
//! they refuse.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("result.json");
//! atomic_file::write(&path, b"{}")?;
//! assert_eq!(std::fs::read(&path)?, b"{}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}{}", path.display(), way_out(source))]
pub struct Error {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// What helps against a fault, in brackets; nothing where the fault says it.
fn way_out(fault: &io::Error) -> &'static str {
    match fault.kind() {
        io::ErrorKind::InvalidFilename => " (choose another name)",
        io::ErrorKind::FileTooLarge => {
            " (a limit of the shell, see `ulimit -f`, or of the file system)"
        }
        _ if fault.to_string() == NOT_REGULAR => "",
        _ => " (check that the folder exists, may be written to and has space left)",
    }
}

/// What is said of a device, a pipe or a folder.
const NOT_REGULAR: &str = "it is no regular file; name one";

/// How the names of unfinished files end; they begin with a dot.
const SUFFIX: &str = ".part";

/// So many bytes of a file's name are in that of its unfinished neighbour: names may have 255.
const STEM: usize = 200;

/// Writes `bytes` to `path`, replacing the file that is there, or that a link there names.
///
/// # Errors
/// When the folder cannot be written to, or something else than a file is there; then `path` is as
/// it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_with(path, |out| out.write_all(bytes))
}

/// Writes to `path` what `fill` writes, replacing the file that is there, or that a link there
/// names.
///
/// # Errors
/// Those of `fill`, and when the folder cannot be written to, or something else than a file is
/// there; then `path` is as it was.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<(), Error> {
    let at = |source| Error { path: path.to_owned(), source };
    let target = target(path).map_err(at)?;
    let part = unfinished(&target).map_err(at)?;
    let all = || {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&part)?);
        fill(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&part, &target)?;
        sync_folder(&target)
    };
    all().map_err(|source| {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&part);
        at(source)
    })
}

/// Gives the contents of the file `from` a second name `to` in the same folder, replacing what is
/// there: a hard link, or a copy on file systems without them.
///
/// # Errors
/// When `from` cannot be read or the folder cannot be written to.
pub fn link(from: &Path, to: &Path) -> Result<(), Error> {
    let at = |source| Error { path: to.to_owned(), source };
    let part = unfinished(to).map_err(at)?;
    let all = || {
        if fs::hard_link(from, &part).is_err() {
            fs::copy(from, &part)?;
            File::open(&part)?.sync_all()?;
        }
        fs::rename(&part, to)?;
        // Renaming one name of a file to another name of the same file does nothing and leaves
        // both.
        let _ = fs::remove_file(&part);
        sync_folder(to)
    };
    all().map_err(|source| {
        let _ = fs::remove_file(&part);
        at(source)
    })
}

/// Removes unfinished files that a killed process left in `folder`.
///
/// # Errors
/// When the folder cannot be read, or a file in it cannot be removed.
pub fn remove_left_overs(folder: &Path) -> Result<(), Error> {
    let all = || {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(SUFFIX) && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    all().map_err(|source| Error { path: folder.to_owned(), source })
}

/// A folder that one process works in, or one call of it: [`lock_folder`] gives it to no other
/// while this lives. However the process ends, its lock ends too.
#[derive(Debug)]
#[must_use = "the folder is locked as long as this lives"]
pub struct FolderLock {
    _file: File,
}

/// The file in a folder by which [`lock_folder`] keeps others out.
pub const LOCK: &str = ".lock";

/// Keeps others out of a folder that is there, by a lock on the file `.lock` in it; `None` where
/// another one has it. File systems without locks, as some of networks are, keep nobody out.
///
/// # Errors
/// When that file neither is there nor can be made.
pub fn lock_folder(folder: &Path) -> Result<Option<FolderLock>, Error> {
    let path = folder.join(LOCK);
    let at = |source| Error { path: path.clone(), source };
    let options = File::options().write(true).create(true).truncate(false).open(&path);
    // The lock of another user's file may be taken by those who read it.
    let file = options.or_else(|error| File::open(&path).map_err(|_| error)).map_err(at)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
            Err(at(error))
        }
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(FolderLock { _file: file })),
    }
}

/// The file that is replaced or made when `path` is written to: `path` itself, or what the symbolic
/// link names that is there.
fn target(path: &Path) -> io::Result<PathBuf> {
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
        about => about?,
    };
    if about.is_file() {
        return Ok(path.to_owned());
    }
    if !about.is_symlink() {
        return Err(io::Error::other(NOT_REGULAR));
    }
    match fs::metadata(path) {
        Ok(named) if named.is_file() => fs::canonicalize(path),
        Ok(_) => Err(io::Error::other(NOT_REGULAR)),
        // What it names is made. Links in a circle have another error.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            target(&path.with_file_name("").join(fs::read_link(path)?))
        }
        Err(error) => Err(error),
    }
}

/// A temporary name beside `path` that no other writer uses.
fn unfinished(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    let end = (0..=name.len().min(STEM)).rfind(|&end| name.is_char_boundary(end)).unwrap_or(0);
    let (name, count) = (&name[..end], COUNT.fetch_add(1, Ordering::Relaxed));
    Ok(path.with_file_name(format!(".{name}.{}.{count}{SUFFIX}", std::process::id())))
}

/// Makes the renaming of `path` survive a loss of power. Some file systems cannot sync a folder:
/// the file is whole either way, so that alone is no error.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder");
        let name = |e: io::Result<fs::DirEntry>| e.expect("an entry").file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        write(&path, b"old").expect("written");
        let error = write_with(&path, |out| {
            out.write_all(b"ne")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let error = error.expect_err("no space").to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("space"), "{error}");
        assert_eq!(fs::read(&path).expect("the old file"), b"old");
        assert_eq!(names(folder.path()), ["a"]);
        assert!(write(&folder.path().join("none/a"), b"x").is_err());
        assert!(write(Path::new("/"), b"x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_the_file_that_it_names_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("in")).expect("made");
        fs::write(at("in/there"), "old").expect("written");
        for (link, named) in [("a", "in/there"), ("b", "in/new"), ("c", "b2"), ("b2", "in/last")] {
            std::os::unix::fs::symlink(named, at(link)).expect("a link");
        }
        for (link, file) in [("a", "in/there"), ("b", "in/new"), ("c", "in/last")] {
            write(&at(link), link.as_bytes()).expect("written");
            assert!(at(link).is_symlink() && !at(file).is_symlink(), "{link}");
            assert_eq!(fs::read_to_string(at(file)).expect("it"), link);
        }
        assert_eq!(names(folder.path()), ["a", "b", "b2", "c", "in"]);
        assert_eq!(names(&at("in")), ["last", "new", "there"]);
        std::os::unix::fs::symlink("circle", at("circle")).expect("a link");
        assert!(write(&at("circle"), b"x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_and_stays() {
        use std::os::unix::fs::FileTypeExt;

        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status();
        assert!(made.expect("mkfifo").success());
        fs::create_dir(at("in")).expect("made");
        for (link, named) in [("to-pipe", "pipe"), ("to-folder", "in")] {
            std::os::unix::fs::symlink(named, at(link)).expect("a link");
        }
        for name in ["pipe", "to-pipe", "in", "to-folder"] {
            let error = write(&at(name), b"x").expect_err(name).to_string();
            assert!(error.ends_with(": it is no regular file; name one"), "{error}");
        }
        assert!(fs::metadata(at("pipe")).expect("it").file_type().is_fifo());
        assert_eq!(names(folder.path()), ["in", "pipe", "to-folder", "to-pipe"]);
    }

    #[test]
    fn a_name_may_be_as_long_as_the_system_takes_it() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a".repeat(255), "ä".repeat(127)] {
            write(&folder.path().join(&name), b"x").expect("written");
            assert!(folder.path().join(name).is_file());
        }
        let error = write(&folder.path().join("a".repeat(256)), b"x").expect_err("too long");
        assert!(error.to_string().ends_with("(choose another name)"), "{error}");
    }

    #[test]
    fn a_folder_is_one_call_s_until_that_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = lock_folder(folder.path()).expect("a file").expect("free");
        assert!(lock_folder(folder.path()).expect("a file").is_none());
        drop(held);
        assert!(lock_folder(folder.path()).expect("a file").is_some());
        assert!(lock_folder(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_second_name_follows_the_newest_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        write(&at("a"), b"first").expect("written");
        write(&at("b"), b"second").expect("written");
        for (from, expected) in [("a", "first"), ("a", "first"), ("b", "second")] {
            link(&at(from), &at("best")).expect("linked");
            assert_eq!(fs::read_to_string(at("best")).expect("it"), expected);
            assert_eq!(names(folder.path()), ["a", "b", "best"]);
        }
    }

    #[test]
    fn unfinished_files_go_and_others_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.safetensors");
        write_with(&path, |_| {
            // As if the process were killed here: the file under its temporary name stays.
            let part = fs::read_dir(folder.path())?.next().expect("the unfinished file")?.path();
            fs::copy(&part, part.with_file_name(".a.safetensors.1.0.part")).map(|_| ())
        })
        .expect("written");
        for name in [".gitignore", "notes.part"] {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        assert_eq!(names(folder.path()).len(), 4);
        remove_left_overs(folder.path()).expect("removed");
        assert_eq!(names(folder.path()), [".gitignore", "a.safetensors", "notes.part"]);
    }
}
