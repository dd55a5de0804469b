//! `cargo xtask tidy`, also a test: the invariants of docs/architecture.md that can be read off the sources.

mod graph;
mod text;

use crate::workspace;
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Prints what is worth knowing; an error lists every fault.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let files = sources(&root)?;
    let long: Vec<_> = files.iter().filter_map(text::long).collect();
    if !long.is_empty() {
        println!("over {} lines, worth splitting:\n  {}", text::SOFT_LIMIT, long.join("\n  "));
    }
    let faults = faults(&files, &workspace::metadata()?);
    if !faults.is_empty() {
        bail!("{} fault(s):\n  {}", faults.len(), faults.join("\n  "));
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// One committed file.
struct Source {
    /// Relative to the root, with slashes.
    path: String,
    /// What it holds, if that is text.
    text: Option<String>,
}

fn faults(files: &[Source], metadata: &serde_json::Value) -> Vec<String> {
    let mut faults = graph::faults(metadata);
    faults.extend(text::faults(files));
    faults
}

/// All files that git knows, or, outside a git checkout, all files that are not made by builds and runs.
fn sources(root: &Path) -> Result<Vec<Source>> {
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
                    paths.extend(crate::files::files_below(&entry.path(), root)?);
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

#[cfg(test)]
mod tests {
    /// The whole workspace keeps its own rules.
    #[test]
    fn this_workspace_is_tidy() {
        let files = super::sources(&crate::workspace::root()).expect("the sources");
        assert!(
            files.iter().any(|f| f.path == "xtask/src/tidy.rs") || files.len() > 20,
            "the sources are found"
        );
        let metadata = crate::workspace::metadata().expect("the dependencies");
        assert_eq!(super::faults(&files, &metadata), Vec::<String>::new());
    }
}
