//! Files that are either whole or not there.

use crate::error::DataError;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

const WAY_OUT: &str = "check that the folder exists, may be written to and has space left";

/// Writes `bytes` under a temporary name beside `path`, flushes them to disk and renames.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let result = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result.map_err(DataError::io(path, WAY_OUT))?;
    // The rename itself must survive a crash of the machine. Some file systems refuse this; the file is whole either way.
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
    Ok(())
}
