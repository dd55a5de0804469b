//! `tutor report`: the table of a finished run, once more.

use std::path::PathBuf;

use anyhow::Result;

use crate::report;
use crate::report::result::RunResult;

/// Which run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of a run, as `runs/noisy-student/latest`.
    run: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    println!("{}", report::terminal::table(&RunResult::load(&args.run)?));
    println!("report: {}", args.run.join("report.html").display());
    Ok(())
}
