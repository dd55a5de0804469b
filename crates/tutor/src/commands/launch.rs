//! `tutor launch`: several processes of this program on this machine that run a recipe together.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};
use torch::group::{Ended, Launch};

use crate::run::interrupt::Interrupted;

/// How many processes, and what they run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many processes. Each takes an equal share of every batch.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    nproc: u16,
    /// What each of them runs, after `--`: `run RECIPE`, with its options.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The exit code of a run that was asked to stop and has written its checkpoint.
const STOPPED: i32 = 130;

pub(crate) fn run(args: &Args) -> Result<()> {
    let first = args.command.first().and_then(|word| word.to_str());
    if first != Some("run") {
        bail!(
            "launch: several processes can `run` a recipe together, as in `tutor launch --nproc 4 \
             -- run uda/digits`; they cannot {}",
            first.unwrap_or("do this")
        );
    }
    let program = std::env::current_exe().context("the path of this program")?;
    train::signals::install().context("watching for SIGINT and SIGTERM")?;
    let make = |_rank| {
        let mut command = Command::new(&program);
        command.args(&args.command);
        command
    };
    let ended = Launch::new(usize::from(args.nproc))
        .run(make, train::signals::interrupted)
        .context("starting the processes")?;
    let Ended { statuses, first, killed } = ended;
    let Some(first) = first else { return Ok(()) };
    if statuses.iter().all(|status| status.code() == Some(STOPPED)) {
        bail!(Interrupted);
    }
    let mut what = format!("rank {first} was the first to end: {}", told(statuses[first]));
    if !killed.is_empty() {
        let names: Vec<String> = killed.iter().map(usize::to_string).collect();
        what += &format!("; of the others, {} did not end by themselves", names.join(", "));
    }
    bail!("{what}. The same command goes on from the last checkpoint");
}

/// How a process ended, in words.
fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it failed with exit code {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
