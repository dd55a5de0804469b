//! Findings kept as JSON files, so that they are made once however often a run is started.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What an earlier process kept in a file, or what `find` finds now, which is then kept.
pub(crate) fn once<T: Serialize + DeserializeOwned>(
    file: &Path,
    find: impl FnOnce() -> Result<T>,
) -> Result<T> {
    match found_before(file) {
        Some(found) => Ok(found),
        None => {
            let found = find()?;
            keep(file, &found)?;
            Ok(found)
        }
    }
}

/// What an earlier process kept in a file; nothing if the file is missing or damaged.
pub(crate) fn found_before<T: DeserializeOwned>(file: &Path) -> Option<T> {
    let text = std::fs::read_to_string(file).ok()?;
    match serde_json::from_str(&text) {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::warn!("{}: {error}; it is made again", file.display());
            None
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
