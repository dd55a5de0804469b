//! `cargo xtask engine`: cargo for the crate `data-engine`, a workspace of its own that brings
//! DataFusion.

use crate::workspace::{self, cargo, run};
use anyhow::Result;
use std::ffi::OsString;
use std::path::PathBuf;

/// Builds the program with optimisations; gives it.
pub(crate) fn program() -> Result<PathBuf> {
    run_cargo(&["build".into(), "--release".into()])?;
    Ok(workspace::target()?.join("engine/release/data-engine"))
}

/// Runs cargo's command `args[0]` on the crate, `test` by default, with the others behind it. What
/// is built goes to a folder within that of the main workspace.
pub(crate) fn run_cargo(args: &[OsString]) -> Result<()> {
    let manifest = workspace::root().join("crates/data-engine/Cargo.toml");
    let (command, rest) = args.split_first().map_or(("test".into(), args), |(c, r)| (c.clone(), r));
    let mut asked = cargo();
    asked.arg(&command).arg("--manifest-path").arg(manifest);
    if command != "fmt" {
        asked.arg("--target-dir").arg(workspace::target()?.join("engine"));
    }
    run(asked.args(rest))
}
