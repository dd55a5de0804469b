//! Findings kept as JSON files, so that they are made once however often a run is started.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::processes;

/// What an earlier process kept in a file, or what `find` finds now, which is then kept. Of several
/// processes that run together, rank 0 looks.
pub(crate) fn once<T: Serialize + DeserializeOwned>(
    file: &Path,
    find: impl FnOnce() -> Result<T>,
) -> Result<T> {
    match processes::from_first(|| found_before(file))? {
        Some(found) => Ok(found),
        None => {
            let found = find()?;
            keep(file, &found)?;
            Ok(found)
        }
    }
}

/// What an earlier process kept in a file; nothing if the file is missing or, with a warning,
/// damaged.
pub(crate) fn found_before<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    let bytes = match std::fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", file.display()))?,
    };
    match serde_json::from_slice(&bytes) {
        Ok(found) => Ok(Some(found)),
        Err(error) => {
            tracing::warn!("{} is damaged ({error}) and counts as missing", file.display());
            Ok(None)
        }
    }
}

/// Keeps something in a file.
pub(crate) fn keep(file: &Path, found: &impl Serialize) -> Result<()> {
    Ok(atomic_file::write(file, &serde_json::to_vec_pretty(found)?)?)
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}
