//! `tutor report`: the table of a finished run, once more.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use report::RunResult;

use crate::run::folder;

/// The run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of a run, as `runs/noisy-student/latest`.
    run: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !args.run.join(report::FILE).exists() {
        folder::read(&args.run)?;
    }
    ensure!(
        args.run.join(report::FILE).exists(),
        "{}: this run is not finished; start the same command again, and it goes on from there",
        args.run.display()
    );
    let table = report::terminal(&RunResult::load(&args.run)?);
    super::say(&format!("{table}\nreport: {}", args.run.join("report.html").display()))
}
