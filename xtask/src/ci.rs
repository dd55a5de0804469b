//! `cargo xtask ci`: every check but the build with optimisations, the cheapest first, with a table
//! of what each cost.

use crate::workspace::{cargo, run};
use crate::{golden, libtorch, tidy, workspace};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the tests, for when `cargo xtask test` has been run before
    #[arg(long)]
    skip_test: bool,
}

/// What was done and how long it took.
#[derive(Default)]
struct Steps(Vec<(String, f64)>);

impl Steps {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        eprintln!("== {name}");
        let start = Instant::now();
        let result = work();
        self.0.push((name.to_owned(), start.elapsed().as_secs_f64()));
        result.with_context(|| format!("step `{name}` failed"))
    }
}

/// Runs all steps; stops at the first that fails.
pub(crate) fn all(args: &Args) -> Result<()> {
    let mut steps = Steps::default();
    let result = every_step(args, &mut steps);
    println!("\n{:>9}  step", "seconds");
    for (name, seconds) in &steps.0 {
        println!("{seconds:>9.1}  {name}");
    }
    println!("{:>9.1}  all together", steps.0.iter().map(|s| s.1).sum::<f64>());
    result
}

fn every_step(args: &Args, steps: &mut Steps) -> Result<()> {
    steps.step("setup", || libtorch::ensure(false).map(drop))?;
    steps.step("fmt", || run(cargo().args(["fmt", "--all", "--check"])))?;
    steps.step("tidy", || tidy::run(&tidy::Args::default()))?;
    steps.step("golden", || golden::check(&workspace::root()))?;
    // Of the benches as well, which are not built.
    steps.step("clippy", || {
        run(cargo().args([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    if !args.skip_test {
        steps.step("test", || run(cargo().args(["test", "--quiet", "--workspace"])))?;
    }
    steps.step("doc", || {
        run(cargo().env("RUSTDOCFLAGS", "-D warnings").args([
            "doc",
            "--quiet",
            "--workspace",
            "--no-deps",
        ]))
    })?;
    // The program that the integration tests run: no second build of all crates.
    steps.step("program", || run(cargo().args(["test", "--quiet", "--workspace", "--no-run"])))?;
    let tutor = workspace::target()?.join("debug/tutor");
    let recipes = workspace::output(Command::new(&tutor).args(["list", "--names"]))?;
    if recipes.trim().is_empty() {
        bail!("`tutor list --names` names no recipe");
    }
    let out = tempfile::tempdir()?;
    for recipe in recipes.lines() {
        steps.step(&format!("{recipe} --quick"), || quick(&tutor, recipe, out.path()))?;
    }
    Ok(())
}

/// A recipe's smoke run; what it says is shown only when it fails.
fn quick(tutor: &Path, recipe: &str, out: &Path) -> Result<()> {
    let mut command = Command::new(tutor);
    command.args(["run", recipe, "--quick", "--device", "cpu", "--out"]).arg(out);
    let done = command.output().with_context(|| format!("could not start {}", tutor.display()))?;
    if !done.status.success() {
        eprint!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
        bail!("{} failed ({})", workspace::shown(&command), done.status);
    }
    Ok(())
}
