//! `cargo xtask bench`: criterion's benchmarks, or other libraries in turn with ours.

use crate::{libtorch, peers, workspace};
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::Path;

/// What `cargo xtask bench --help` prints.
const HELP: &str = "\
Run the benchmarks, or time other libraries in turn with ours

Usage: cargo xtask bench [ARGUMENTS OF cargo bench] [-- FILTER] [CRITERION'S ARGUMENTS]
       cargo xtask bench WHAT --peers [--rounds N]

The first form ends with the path of criterion's pages:
  cargo xtask bench                         all benchmarks
  cargo xtask bench --bench loader          those of one file: augment, checkpoint, features,
                                            labels, loader, step, text
  cargo xtask bench --bench augment -- crop those with `crop` in their name
  cargo xtask bench --no-run                only compile them

The second form prints a Markdown table; `cargo xtask results augment training-step` writes both
tables into docs/results. `cargo xtask bench augment --peers --help` lists what can be timed.";

/// Runs what the arguments, as they were typed, ask for.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    if peers::wanted(args) {
        println!("{}", peers::measure(args)?);
        return Ok(());
    }
    if args.first().is_some_and(|arg| arg == "--help" || arg == "-h") {
        println!("{HELP}");
        return Ok(());
    }
    libtorch::ensure(false)?;
    criterion(args)?;
    let index = workspace::target()?.join("criterion/report/index.html");
    let here = std::env::current_dir().unwrap_or_default();
    if !args.iter().any(|arg| arg == "--no-run") && index.exists() {
        println!("report: {}", from(&here, &index).display());
    }
    Ok(())
}

/// `cargo bench` of the package `benches`.
pub(crate) fn criterion(args: &[OsString]) -> Result<()> {
    if !workspace::has_package("benches")? {
        bail!("there is no package `benches` in this workspace");
    }
    workspace::run(workspace::cargo().args(["bench", "--package", "benches"]).args(args))
}

/// A path as it is named from a folder: short where it lies below.
fn from<'a>(folder: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(folder).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{HELP, from};
    use std::path::Path;

    #[test]
    fn the_help_names_all_benchmarks() {
        let manifest = include_str!("../../benches/Cargo.toml");
        let benches = manifest.split("[[bench]]\nname = \"").skip(1);
        let names: Vec<&str> = benches.filter_map(|rest| rest.split('"').next()).collect();
        assert!(names.contains(&"loader"), "{names:?}");
        let words: Vec<&str> = HELP.split([' ', ',', '\n']).collect();
        for name in names {
            assert!(words.contains(&name), "{name}: {HELP}");
        }
    }

    #[test]
    fn a_path_below_is_named_relatively() {
        let index = Path::new("/work/tutor/target/criterion/report/index.html");
        let short = from(Path::new("/work/tutor"), index);
        assert_eq!(short, Path::new("target/criterion/report/index.html"));
        assert_eq!(from(Path::new("/work/other"), index), index);
    }
}
