//! Second names for files, and what is left of files that were never finished. Files themselves are made whole or not at
//! all by [`torch::store::write_atomic`].

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Gives the contents of the file `from` a second name `to` in the same folder, replacing what is there, for good.
pub(crate) fn duplicate(from: &Path, to: &Path) -> io::Result<()> {
    let name = to.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    let part = to.with_file_name(format!(".{name}{SUFFIX}"));
    match fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // Not every file system has hard links.
    if fs::hard_link(from, &part).is_err() {
        fs::copy(from, &part)?;
        File::open(&part)?.sync_all()?;
    }
    fs::rename(&part, to)?;
    // Renaming one name of a file to another name of the same file does nothing and leaves both.
    let _ = fs::remove_file(&part);
    match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Removes unfinished files that a killed process left in `folder`.
pub(crate) fn remove_left_overs(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(SUFFIX) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// How the names of unfinished files end, in `torch::store` too.
const SUFFIX: &str = ".part";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_name_follows_the_newest_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "first").unwrap();
        fs::write(at("b"), "second").unwrap();
        for (from, expected) in [("a", "first"), ("a", "first"), ("b", "second")] {
            duplicate(&at(from), &at("best")).unwrap();
            assert_eq!(fs::read_to_string(at("best")).unwrap(), expected);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        }
    }

    #[test]
    fn unfinished_files_go_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = folder.path().join("a.safetensors");
        torch::store::write_atomic(&unfinished, |_| {
            // The process dies here: the file under its temporary name stays.
            let part = fs::read_dir(folder.path())?.next().expect("the unfinished file")?.path();
            fs::copy(&part, part.with_file_name(".a.safetensors.1.0.part")).map(|_| ())
        })
        .unwrap();
        for name in [".gitignore", "notes.part"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
        remove_left_overs(folder.path()).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".gitignore", "a.safetensors", "notes.part"]);
    }
}
