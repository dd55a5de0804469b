//! `cargo xtask golden`: the arrays that tests compare with are the ones that were reviewed, and
//! can be made anew.
//!
//! Their checksums are committed in `xtask/golden.sha256`. The scripts `xtask/peers/*.py` make the
//! files from the reference implementations, in a virtual environment in the cache folder, each run
//! from the root as its docstring says.

use crate::files::{files_below, sha256};
use crate::{venv, workspace};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Compare the files with the committed checksums (what is done without a flag)
    #[arg(long)]
    check: bool,
    /// Make the files anew from the reference implementations, and say which came out different
    #[arg(long)]
    make: bool,
    /// Write the checksums of the files as they are now
    #[arg(long)]
    update: bool,
}

/// Makes, writes and checks, as asked.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    if args.make {
        make(&root)?;
    }
    if args.update {
        let sums = sums(&root)?;
        let text: String = sums.iter().map(|(path, sum)| format!("{sum}  {path}\n")).collect();
        fs::write(list(&root), text)?;
        println!("{} checksums written to xtask/golden.sha256", sums.len());
    }
    if args.check || !args.update {
        check(&root)?;
    }
    Ok(())
}

/// Compares the golden files with the committed checksums.
pub(crate) fn check(root: &Path) -> Result<()> {
    let text = fs::read_to_string(list(root)).context("cannot read xtask/golden.sha256")?;
    let expected: BTreeMap<String, String> = text
        .lines()
        .filter_map(|l| l.split_once("  "))
        .map(|(sum, path)| (path.into(), sum.into()))
        .collect();
    let differences = differences(&expected, &sums(root)?);
    if !differences.is_empty() {
        bail!(
            "golden files differ from xtask/golden.sha256:\n  {}\nIf that is meant: `cargo xtask golden --update`",
            differences.join("\n  ")
        );
    }
    println!("{} golden files are as committed", expected.len());
    Ok(())
}

fn list(root: &Path) -> PathBuf {
    root.join("xtask/golden.sha256")
}

/// Checksums of all files in the crates' `tests/golden` folders, their READMEs left out.
fn sums(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let folder = entry?.path().join("tests/golden");
        if !folder.exists() {
            continue;
        }
        for file in files_below(&folder, root)?.into_iter().filter(|f| !f.ends_with("README.md")) {
            sums.insert(file.to_string_lossy().into_owned(), sha256(&root.join(&file))?);
        }
    }
    Ok(sums)
}

fn differences(
    expected: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> Vec<String> {
    let gone = expected.keys().filter(|p| !found.contains_key(*p)).map(|p| format!("missing: {p}"));
    let other =
        found.iter().filter(|(p, sum)| expected.get(*p) != Some(sum)).map(|(p, _)| match expected
            .get(p)
        {
            Some(_) => format!("changed: {p}"),
            None => format!("not listed: {p}"),
        });
    gone.chain(other).collect()
}

/// Runs every script in an environment with the pinned packages.
fn make(root: &Path) -> Result<()> {
    let before = sums(root)?;
    let python = venv::python(root, "requirements.txt")?;
    for script in files_below(&root.join("xtask/peers"), root)? {
        let name = script.to_string_lossy().into_owned();
        // Those that time libraries make no files.
        if !name.ends_with(".py") || name.contains("/bench_") {
            continue;
        }
        let text = fs::read_to_string(root.join(&script))?;
        let Some(arguments) = arguments(&name, &text) else {
            bail!(
                "{name} says nowhere how it is run: its docstring needs `python {name} ARGUMENTS`"
            );
        };
        println!("{name} {}", arguments.join(" "));
        workspace::run(Command::new(&python).arg(&script).args(arguments).current_dir(root))?;
    }
    let differences = differences(&before, &sums(root)?);
    match differences.as_slice() {
        [] => println!("all files came out as they were"),
        _ => println!("came out different:\n  {}", differences.join("\n  ")),
    }
    Ok(())
}

/// The arguments in the command that a script's text gives for itself, up to a comment or the end
/// of the line.
fn arguments<'a>(name: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let command = format!("python {name}");
    let rest = text.lines().find_map(|line| line.split_once(&command))?.1;
    Some(rest.split_whitespace().take_while(|word| !word.starts_with('#')).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_script_says_how_it_is_run() {
        let text =
            "\"\"\"Makes it:\n    python xtask/peers/a.py crates/a/tests/golden   # numpy\n\"\"\"";
        assert_eq!(
            super::arguments("xtask/peers/a.py", text).expect("a command"),
            ["crates/a/tests/golden"]
        );
        assert_eq!(super::arguments("xtask/peers/a.py", "python xtask/peers/a.py\n"), Some(vec![]));
        assert_eq!(super::arguments("xtask/peers/b.py", text), None);
    }

    #[test]
    fn differences_are_named() {
        let table = |rows: &[(&str, &str)]| {
            rows.iter().map(|(p, s)| ((*p).to_owned(), (*s).to_owned())).collect()
        };
        let expected = table(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let found = table(&[("b", "2"), ("c", "4"), ("d", "5")]);
        assert_eq!(
            super::differences(&expected, &found),
            ["missing: a", "changed: c", "not listed: d"]
        );
        assert!(super::differences(&found, &found).is_empty());
    }
}
