//! Unpacks a .tar.gz with one folder inside to that folder, completely or not at all, and stores
//! the checksums of its files in it.

use crate::digest;
use crate::error::DataError;
use flate2::read::MultiGzDecoder;
use sha2::Sha256;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Component, Path};

/// The file of checksums inside an unpacked folder, as `sha256sum -c` reads it.
const SUMS: &str = "SHA256SUMS";

/// Unpacks `archive`, in which all is below `folder`, to `to`, and removes the archive.
pub(super) fn unpack(archive: &Path, to: &Path, folder: &str) -> Result<(), DataError> {
    let temporary = to.with_file_name(format!("{folder}.unpacking"));
    let disk = || {
        DataError::io(&temporary, "check that the data folder may be written to and has space left")
    };
    if temporary.exists() {
        // Left by an interrupted attempt.
        fs::remove_dir_all(&temporary).map_err(disk())?;
    }
    fs::create_dir_all(&temporary).map_err(disk())?;
    let file = File::open(archive).map_err(DataError::io(archive, "fetch it again"))?;
    let mut tar = tar::Archive::new(MultiGzDecoder::new(BufReader::new(file)));
    let damaged = || DataError::io(archive, "the archive is damaged: remove it and fetch it again");
    let mut sums = Vec::new();
    for entry in tar.entries().map_err(damaged())? {
        let mut entry = entry.map_err(damaged())?;
        let kind = entry.header().entry_type();
        let path = entry.path().map_err(damaged())?.into_owned();
        let inside = path.starts_with(folder)
            && path.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || !(kind.is_file() || kind.is_dir()) {
            let fault = format!(
                "it holds `{}`, which is no plain file or folder below {folder}",
                path.display()
            );
            return Err(DataError::format(archive, entry.raw_header_position(), fault));
        }
        let target = temporary.join(&path);
        if kind.is_dir() {
            fs::create_dir_all(&target).map_err(disk())?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(disk())?;
        }
        let mut out = File::create(&target).map_err(disk())?;
        std::io::copy(&mut entry, &mut out).map_err(damaged())?;
        out.sync_all().map_err(disk())?;
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        sums.push((name, digest::of_file::<Sha256>(&target)?));
    }
    if sums.is_empty() {
        return Err(DataError::format(
            archive,
            0,
            format!("the archive has no files below {folder}"),
        ));
    }
    sums.sort();
    let text: String = sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    let whole = temporary.join(folder);
    atomic_file::write(&whole.join(SUMS), text.as_bytes())?;
    fs::rename(&whole, to).map_err(DataError::io(to, "move what is there away"))?;
    fs::remove_dir_all(&temporary).map_err(disk())?;
    fs::remove_file(archive).map_err(DataError::io(archive, "remove it by hand"))
}

/// Checks an unpacked folder against its checksums.
pub(super) fn verify(folder: &Path) -> Result<(), DataError> {
    let list = folder.join(SUMS);
    let foreign = "this folder was not made by a fetch: use it where it is, or move it away to fetch it again";
    let text = fs::read_to_string(&list).map_err(DataError::io(&list, foreign))?;
    for (number, line) in text.lines().enumerate() {
        let fault = |fault: String| DataError::Line {
            path: list.clone(),
            line: number as u64 + 1,
            fault,
            way_out: "remove the folder and fetch it again",
        };
        let (expected, name) =
            line.split_once("  ").ok_or_else(|| fault("not a checksum and a name".into()))?;
        let found = digest::of_file::<Sha256>(&folder.join(name))?;
        if found != expected {
            return Err(fault(format!("{name}: sha256 {expected} expected, {found} found")));
        }
    }
    Ok(())
}
