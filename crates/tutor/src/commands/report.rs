//! `tutor report`: the table of a finished run, once more.

use std::path::PathBuf;

use anyhow::Result;
use report::RunResult;

/// Which run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of a run, as `runs/noisy-student/latest`.
    run: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let table = report::terminal(&RunResult::load(&args.run)?);
    super::say(&format!("{table}\nreport: {}", args.run.join("report.html").display()))
}
