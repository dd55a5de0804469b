//! Where this workspace is, and commands that run in it.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root folder: the one cargo runs us in, which may be another clone than the one
/// we were built in when the two share a target folder.
pub(crate) fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let xtask = xtask
        .filter(|path| path.ends_with("xtask"))
        .unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    xtask.parent().expect("xtask lies in the workspace").to_path_buf()
}

/// The link that builds find libtorch by; `.cargo/config.toml` names it.
pub(crate) fn libtorch_link(root: &Path) -> PathBuf {
    root.join(".libtorch")
}

/// `$LIBTORCH` if the user set it. Cargo sets it too, to the workspace's own link, for all that it
/// starts.
pub(crate) fn users_libtorch(root: &Path) -> Option<PathBuf> {
    let value = std::env::var_os("LIBTORCH").filter(|v| !v.is_empty())?;
    let path = std::path::absolute(value).ok()?;
    (path != libtorch_link(root)).then_some(path)
}

/// The folder for what is fetched once per machine: `$TUTOR_CACHE`, else the user's cache folder.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // A relative path is to be ignored, by the XDG Base Directory Specification.
    let xdg = set("XDG_CACHE_HOME").filter(|xdg| xdg.is_absolute());
    let folder = match (set("TUTOR_CACHE"), xdg, set("HOME")) {
        (Some(own), _, _) => own,
        (None, Some(xdg), _) => xdg.join("tutor"),
        (None, None, Some(home)) => home.join(".cache/tutor"),
        (None, None, None) => {
            bail!("no folder for the cache: set HOME, XDG_CACHE_HOME or TUTOR_CACHE to one")
        }
    };
    Ok(std::path::absolute(folder)?)
}

/// A cargo command for this workspace, as if typed in its root.
///
/// What `cargo run` tells us about this package is taken out again, so that the inner cargo sees
/// what an outer one would and nothing is rebuilt for it.
pub(crate) fn cargo() -> Command {
    let root = root();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || name == "CARGO_PRIMARY_PACKAGE"
        {
            command.env_remove(name);
        }
    }
    command.env("LIBTORCH", users_libtorch(&root).unwrap_or_else(|| libtorch_link(&root)));
    command.current_dir(root);
    command
}

/// Runs a command to its end; an error names it when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a command to its end and gives what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {}", shown(command)))?;
    if !out.status.success() {
        bail!("{} failed ({})", shown(command), out.status);
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// What git answers in this workspace.
pub(crate) fn git(args: &[&str]) -> Result<String> {
    output(Command::new("git").args(args).current_dir(root()))
}

/// The committed files that differ from what was committed, a line each; the arguments select
/// files.
pub(crate) fn changes(select: &[&str]) -> Result<String> {
    let status = ["status", "--porcelain", "--untracked-files=no"];
    git(&[&status, select].concat())
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let args = command.get_args().map(|a| a.to_string_lossy().into_owned());
    std::iter::once(name).chain(args).collect::<Vec<_>>().join(" ")
}

/// `cargo metadata` of the whole workspace, dependencies included, as far as they matter on this
/// machine: those of other systems may never have been downloaded.
pub(crate) fn metadata() -> Result<serde_json::Value> {
    let rustc = output(Command::new("rustc").arg("-vV"))?;
    let host =
        rustc.lines().find_map(|l| l.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let text =
        output(cargo().args(["metadata", "--format-version", "1", "--filter-platform", host]))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

/// `cargo metadata` of the workspace's own packages, which needs nothing downloaded.
fn own_metadata() -> Result<serde_json::Value> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

/// The folder that cargo builds into.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = own_metadata()?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target_directory")?;
    Ok(target.into())
}

/// Whether the workspace has a package of this name.
pub(crate) fn has_package(name: &str) -> Result<bool> {
    let metadata = own_metadata()?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    Ok(packages.iter().any(|p| p["name"] == name))
}
