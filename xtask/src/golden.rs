//! `cargo xtask golden`: the golden files, made by reference implementations, that tests compare
//! with.
//!
//! Their checksums are committed in `xtask/golden.sha256`, so that a file that differs from the one
//! that was reviewed is noticed; `cargo test` shows that our code agrees with them. The scripts
//! `xtask/peers/*.py` make the files, in a virtual environment in the cache folder, each run from
//! the root as its docstring says.

mod readers;

use crate::files::{files_below, sha256};
use crate::{libtorch, venv, workspace};
use anyhow::{Context, Result, bail, ensure};
use readers::Reader;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check that the files are the reviewed ones, and list the tests that compare our code with
    /// them (the default)
    #[arg(long)]
    check: bool,
    /// Run the tests that compare our code with the files
    #[arg(long)]
    prove: bool,
    /// Regenerate the files from the reference implementations, and list those that changed
    #[arg(long)]
    make: bool,
    /// Write the checksums of the current files, once they have been reviewed
    #[arg(long)]
    update: bool,
}

/// Makes, writes, checks and proves, as asked.
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
    if args.check || !(args.update || args.prove) {
        for (reader, files) in checked(&root)? {
            println!("{}\n    {}", reader.command(), files.join(" "));
        }
    }
    if args.prove {
        prove(&root)?;
    }
    Ok(())
}

/// The tests that read golden files, each with the names of its files.
type Readers = BTreeMap<Reader, Vec<String>>;

/// Checks that the golden files have the committed checksums and that a test reads each.
pub(crate) fn check(root: &Path) -> Result<()> {
    checked(root).map(drop)
}

/// The tests that read the golden files.
///
/// # Errors
/// When a file differs from its checksum, or no test of its crate names it.
fn checked(root: &Path) -> Result<Readers> {
    let text = fs::read_to_string(list(root)).context("cannot read xtask/golden.sha256")?;
    let expected: BTreeMap<String, String> = text
        .lines()
        .filter_map(|l| l.split_once("  "))
        .map(|(sum, path)| (path.into(), sum.into()))
        .collect();
    let sums = sums(root)?;
    let differences = differences(&expected, &sums);
    if !differences.is_empty() {
        bail!(
            "golden files differ from xtask/golden.sha256:\n  {}\n\
             If that is meant: `cargo xtask golden --update`",
            differences.join("\n  ")
        );
    }
    let readers = readers_of(root, sums.keys())?;
    println!("{} golden files are as committed, and tests read them all", expected.len());
    Ok(readers)
}

/// The tests that read these files. An error names those that no test reads.
fn readers_of<'a>(root: &Path, files: impl Iterator<Item = &'a String>) -> Result<Readers> {
    let read = |file: &String| Ok((file.clone(), fs::read(root.join(file))?));
    let golden: BTreeMap<String, Vec<u8>> = files.map(read).collect::<Result<_>>()?;
    let mut sources = BTreeMap::new();
    for package in fs::read_dir(root.join("crates"))? {
        for folder in ["src", "tests"].map(|name| package.as_ref().map(|p| p.path().join(name))) {
            let Some(folder) = folder.ok().filter(|folder| folder.exists()) else { continue };
            for file in files_below(&folder, root)? {
                if file.extension().is_some_and(|ending| ending == "rs") {
                    let text = fs::read_to_string(root.join(&file))?;
                    sources.insert(file.to_string_lossy().into_owned(), text);
                }
            }
        }
    }
    let (mut found, mut unread) = (Readers::new(), Vec::new());
    for (file, readers) in readers::readers(&sources, &golden)? {
        if readers.is_empty() {
            unread.push(file);
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        for reader in readers {
            found.entry(reader).or_default().push(name.to_owned());
        }
    }
    ensure!(
        unread.is_empty(),
        "no test of its crate names this golden file:\n  {}",
        unread.join("\n  ")
    );
    Ok(found)
}

/// Runs the tests that read golden files, the target of each once.
fn prove(root: &Path) -> Result<()> {
    let mut filters: BTreeMap<(String, Vec<String>), BTreeSet<Option<String>>> = BTreeMap::new();
    for reader in checked(root)?.into_keys() {
        filters.entry((reader.package, reader.target)).or_default().insert(reader.filter);
    }
    libtorch::ensure(false)?;
    let mut passed = 0;
    for ((package, target), filters) in filters {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--package", &package]).args(&target).arg("--");
        if !filters.contains(&None) {
            cargo.args(filters.iter().flatten());
        }
        eprintln!("== {}", workspace::shown(&cargo));
        let said = workspace::output(&mut cargo)?;
        let count = tests_passed(&said);
        ensure!(count > 0, "{} ran no test", workspace::shown(&cargo));
        passed += count;
    }
    println!("{passed} tests read golden files, and all pass");
    Ok(())
}

/// How many tests passed by what `cargo test` says.
fn tests_passed(said: &str) -> usize {
    let count = |line: &str| {
        line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<usize>().ok()
    };
    said.lines().filter_map(count).sum()
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
    for (script, arguments) in makers(root)? {
        println!("{} {}", script.display(), arguments.join(" "));
        workspace::run(Command::new(&python).arg(&script).args(arguments).current_dir(root))?;
    }
    let differences = differences(&before, &sums(root)?);
    match differences.as_slice() {
        [] => println!("all files came out as they were"),
        _ => println!("came out different:\n  {}", differences.join("\n  ")),
    }
    Ok(())
}

/// The scripts that make golden files, with their arguments. The others time libraries, stand
/// beside `tutor`, want data (their arguments are not all in the crates) or are modules of others.
fn makers(root: &Path) -> Result<Vec<(PathBuf, Vec<String>)>> {
    let mut found = Vec::new();
    for script in files_below(&root.join("xtask/peers"), root)? {
        let name = script.to_string_lossy().into_owned();
        if !name.ends_with(".py") || name.contains("/bench_") {
            continue;
        }
        let text = fs::read_to_string(root.join(&script))?;
        let in_crates = |argument: &&str| argument.split('/').next() == Some("crates");
        match arguments(&name, &text).filter(|arguments| arguments.iter().all(in_crates)) {
            Some(arguments) => {
                found.push((script, arguments.into_iter().map(str::to_owned).collect()));
            }
            None if name.contains("/golden_") => bail!(
                "{name} says nowhere how it is run: its docstring needs `python {name} ARGUMENTS`, \
                 with folders below crates"
            ),
            None => {}
        }
    }
    Ok(found)
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
    fn passed_tests_are_counted() {
        let line = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out";
        assert_eq!(super::tests_passed(&format!("running 3 tests\n{line}\n\n{line}")), 6);
        assert_eq!(super::tests_passed("running 0 tests"), 0);
    }

    /// Every golden file of this workspace is read by a test.
    #[test]
    fn golden_files_have_readers() {
        let root = crate::workspace::root();
        let sums = super::sums(&root).expect("the golden files");
        let readers = super::readers_of(&root, sums.keys()).expect("all are read");
        let commands: Vec<_> = readers.keys().map(|reader| reader.command()).collect();
        assert!(commands.contains(&"cargo test -p augment --test it golden::".to_owned()));
    }

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
    fn scripts_that_want_more_than_the_crates_make_no_golden_files() {
        let root = crate::workspace::root();
        let makers = super::makers(&root).expect("the scripts");
        let makes = |name: &str| makers.iter().any(|(script, _)| script.ends_with(name));
        for name in ["golden_augment.py", "golden_ssa.py", "hf_images.py", "numpy_splits.py"] {
            assert!(makes(name), "{name}");
        }
        for name in ["addresses.py", "dialog_acts.py", "onnx_export.py", "picture_files.py"] {
            assert!(!makes(name), "{name}");
        }
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
