//! The files that `tidy` looks at.

use crate::files::files_below;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// One committed file.
pub(super) struct Source {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    /// What it holds, if that is text.
    pub(super) text: Option<String>,
}

/// All files that git knows, or, outside a git checkout, all files that are not made by builds and
/// runs.
pub(super) fn sources(root: &Path) -> Result<Vec<Source>> {
    let mut git = std::process::Command::new("git");
    let listed = git.args(["ls-files", "-z"]).current_dir(root).output();
    let paths: Vec<PathBuf> = match listed {
        Ok(out) if out.status.success() => {
            String::from_utf8_lossy(&out.stdout).split_terminator('\0').map(PathBuf::from).collect()
        }
        _ => {
            let made = ["target", "runs", ".libtorch", ".git"];
            let mut paths = Vec::new();
            for entry in fs::read_dir(root)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    paths.push(entry.file_name().into());
                } else if entry.file_type()?.is_dir()
                    && !made.iter().any(|m| entry.file_name() == *m)
                {
                    paths.extend(files_below(&entry.path(), root)?);
                }
            }
            paths
        }
    };
    let read = |path: PathBuf| {
        let bytes = fs::read(root.join(&path)).ok()?; // Deleted here, not yet in git.
        Some(Source {
            path: path.to_string_lossy().into_owned(),
            text: String::from_utf8(bytes).ok(),
        })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}
