//! Sets the workspace up, checks it, and starts reproduction runs: `cargo xtask help` lists the commands.
//!
//! It links none of the workspace's crates and no libtorch, so that it builds in seconds on a bare machine.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod fetch;
mod libtorch;
mod wheels;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Sets the workspace up, checks it, and starts reproduction runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find or fetch libtorch (every other command does it first when it is missing)
    Setup {
        /// With the libraries for NVIDIA GPUs (about 3 GB more)
        #[arg(long)]
        cuda: bool,
    },
}

fn main() -> std::process::ExitCode {
    match run(Args::parse().command) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Setup { cuda } => {
            let found = libtorch::ensure(cuda)?;
            println!("libtorch: {}", found.display());
            Ok(())
        }
    }
}
