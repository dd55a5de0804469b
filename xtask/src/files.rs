//! What several commands ask about files: checksums, listings, room on the disk.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The SHA-256 of a file, lower-case hex.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n =
            file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        if n == 0 {
            return Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect());
        }
        hash.update(&buffer[..n]);
    }
}

/// Every file below a folder, as paths relative to `base`, sorted.
pub(crate) fn files_below(folder: &Path, base: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path(), base)?);
        } else {
            files.push(entry.path().strip_prefix(base).expect("base is above").to_path_buf());
        }
    }
    files.sort();
    Ok(files)
}

/// Room left for this user on the disk that holds a folder, in megabytes.
pub(crate) fn free_megabytes(folder: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(folder)
        .with_context(|| format!("cannot ask for the room in {}", folder.display()))?;
    Ok(disk.f_bavail * disk.f_frsize / 1_000_000)
}
