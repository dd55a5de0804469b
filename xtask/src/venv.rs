//! Virtual environments in the cache folder, one for each list of pinned packages.

use crate::files::sha256;
use crate::workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python of an environment with the packages of a file in `xtask/peers`, made when it is
/// missing.
pub(crate) fn python(root: &Path, requirements: &str) -> Result<PathBuf> {
    let requirements = root.join("xtask/peers").join(requirements);
    let sum = sha256(&requirements)?;
    let folder = workspace::cache()?.join(format!("python-{}", &sum[..12]));
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(python);
    }
    fs::create_dir_all(&folder)?;
    workspace::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .context("a virtual environment is needed: `apt install python3-venv`")?;
    workspace::run(
        Command::new(&python).args(["-m", "pip", "install", "--requirement"]).arg(requirements),
    )?;
    fs::write(complete, sum)?;
    Ok(python)
}
