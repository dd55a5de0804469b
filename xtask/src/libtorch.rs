//! Finds libtorch, or has it fetched, and points the workspace's `.libtorch` link at it.

use crate::fetch::Cache;
use crate::wheels;
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// What `setup` looks at and where it writes.
pub(crate) struct Setup {
    pub(crate) root: PathBuf,
    /// `$LIBTORCH` as the user set it.
    pub(crate) users: Option<PathBuf>,
    pub(crate) cache: Cache,
    /// What cargo has built.
    pub(crate) target: PathBuf,
}

impl Setup {
    /// The setup of this workspace, from the environment.
    pub(crate) fn here() -> Result<Setup> {
        let root = workspace::root();
        let users = workspace::users_libtorch(&root);
        let cache = Cache {
            folder: workspace::cache()?,
            python: "python3".into(),
            wheels: wheels::pinned(),
        };
        Ok(Setup { root, users, cache, target: workspace::target()? })
    }

    /// Where libtorch is, without fetching: `$LIBTORCH`, the link from an earlier setup, the cache.
    pub(crate) fn find(&self, cuda: bool) -> Result<Option<PathBuf>> {
        if let Some(users) = &self.users {
            check(users, cuda).context("LIBTORCH is set, but cannot be used")?;
            return Ok(Some(users.clone()));
        }
        if let Ok(linked) = workspace::libtorch_link(&self.root).canonicalize()
            && check(&linked, cuda).is_ok()
        {
            return Ok(Some(linked));
        }
        Ok(self.cache.find(cuda))
    }

    /// Finds or fetches libtorch and sets the link; gives the folder with `lib` and `include`.
    pub(crate) fn run(&self, cuda: bool) -> Result<PathBuf> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) && self.users.is_none() {
            bail!(
                "libtorch is fetched for Linux on x86-64 only: set LIBTORCH to an unpacked libtorch 2.11 for this machine"
            );
        }
        let found = match self.find(cuda)? {
            Some(found) => found,
            None => self.cache.find_or_fetch(cuda)?,
        };
        check(&found, cuda)?;
        if link(&workspace::libtorch_link(&self.root), &found)? {
            forget_bindings(&self.target);
        }
        Ok(found)
    }
}

/// Finds or fetches libtorch for this workspace. Silent when there is nothing to do.
pub(crate) fn ensure(cuda: bool) -> Result<PathBuf> {
    Setup::here()?.run(cuda)
}

/// Whether a libtorch has its GPU part.
pub(crate) fn has_cuda(libtorch: &Path) -> bool {
    libtorch.join("lib/libtorch_cuda.so").exists()
}

/// That a folder is a libtorch of the right version, with its GPU part if `cuda`.
pub(crate) fn check(libtorch: &Path, cuda: bool) -> Result<()> {
    let shown = libtorch.display();
    let way_out = format!(
        "Set LIBTORCH to a libtorch {} folder (with lib and include in it), or unset it to have one fetched",
        wheels::VERSION
    );
    let Some(version) = version(libtorch) else {
        bail!("{shown} is not a libtorch: it has no include/torch/headeronly/version.h. {way_out}");
    };
    let short = |v: &str| v.split('.').take(2).collect::<Vec<_>>().join(".");
    if short(&version) != short(wheels::VERSION) {
        bail!("{shown} is libtorch {version}; {}.x is needed. {way_out}", short(wheels::VERSION));
    }
    if !libtorch.join("lib/libtorch_cpu.so").exists() {
        bail!("{shown} has no lib/libtorch_cpu.so. {way_out}");
    }
    if cuda && !has_cuda(libtorch) {
        bail!("{shown} has no lib/libtorch_cuda.so: it is a libtorch for CPU only. {way_out}");
    }
    Ok(())
}

/// The version that a libtorch's headers (or, in older ones, its version files) state.
pub(crate) fn version(libtorch: &Path) -> Option<String> {
    let read = |path: &str| fs::read_to_string(libtorch.join(path)).ok();
    for header in
        ["include/torch/headeronly/version.h", "include/torch/csrc/api/include/torch/version.h"]
    {
        let Some(text) = read(header) else { continue };
        let number = |name: &str| {
            let line = text
                .lines()
                .find_map(|l| l.trim().strip_prefix("#define ")?.trim().strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u32>().ok()
        };
        let parts =
            ["TORCH_VERSION_MAJOR ", "TORCH_VERSION_MINOR ", "TORCH_VERSION_PATCH "].map(number);
        if let [Some(major), Some(minor), Some(patch)] = parts {
            return Some(format!("{major}.{minor}.{patch}"));
        }
    }
    read("build-version").map(|v| v.trim().to_owned())
}

/// Points a link at a folder in one step: whoever looks sees the old or the new one. Tells whether
/// it pointed elsewhere.
fn link(link: &Path, to: &Path) -> Result<bool> {
    let to = to.canonicalize().with_context(|| format!("cannot find {}", to.display()))?;
    if link.canonicalize().is_ok_and(|now| now == to) {
        return Ok(false);
    }
    let moved = link.is_symlink();
    if link.is_dir() && !link.is_symlink() {
        bail!(
            "{} is a folder where a link belongs: move it away and set LIBTORCH to where it is then",
            link.display()
        );
    }
    let temporary = link.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&temporary);
    std::os::unix::fs::symlink(&to, &temporary)
        .and_then(|()| fs::rename(&temporary, link))
        .with_context(|| format!("cannot set the link {} to {}", link.display(), to.display()))?;
    Ok(moved)
}

/// Has the bindings built anew: cargo does not see that the link leads elsewhere, but which
/// libraries there are and where programs look for them is decided when they are built.
fn forget_bindings(target: &Path) {
    for profile in ["debug", "release"] {
        for folder in ["build", ".fingerprint"] {
            let Ok(entries) = fs::read_dir(target.join(profile).join(folder)) else { continue };
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().starts_with("torch-sys-") {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
