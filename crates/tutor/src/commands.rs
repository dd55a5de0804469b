//! The commands, one file each.

pub(crate) mod augment;
pub(crate) mod chat;
pub(crate) mod check;
pub(crate) mod corrupt;
pub(crate) mod data;
mod device;
pub(crate) mod error_text;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod finetune;
pub(crate) mod fit;
mod inputs;
pub(crate) mod launch;
pub(crate) mod list;
pub(crate) mod measure;
pub(crate) mod parity;
mod place;
mod plain_text;
mod precision;
pub(crate) mod predict;
pub(crate) mod pretrain;
pub(crate) mod ranges;
pub(crate) mod rate;
mod refusal;
mod reply_network;
pub(crate) mod report;
pub(crate) mod run;
mod run_network;
pub(crate) mod serve;
pub(crate) mod show;
mod skip_bad;
mod skipped_summary;
mod stdout;
mod text_tables;
pub(crate) mod weights;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use stdout::say;

/// An error if the folder is not there in which a file, named by this option, is to be written.
fn check_folder(path: &Path, option: &str) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!(
            "{}: there is no folder {}; make it, or name another place by {option}",
            path.display(),
            folder.display()
        );
    }
    Ok(())
}

/// The file that a command writes: the one that is named, in a folder that is there, or `default`,
/// which replaces nothing.
fn out_file(named: Option<&Path>, default: &str) -> Result<PathBuf> {
    match named {
        Some(path) => {
            check_folder(path, "--out")?;
            Ok(path.to_owned())
        }
        None if Path::new(default).exists() => {
            bail!("{default} is there already: name a file by --out, or this one to replace it")
        }
        None => Ok(PathBuf::from(default)),
    }
}
