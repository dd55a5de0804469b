//! Sets the workspace up, checks it, and starts reproduction runs: `cargo xtask help` lists the
//! commands.
//!
//! It links none of the workspace's crates and no libtorch, so that it builds in seconds on a bare
//! machine.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod ci;
mod dist;
mod doctor;
mod engine;
mod fetch;
mod files;
mod golden;
mod libtorch;
mod peers;
mod pip;
mod reproduce;
mod results;
#[cfg(test)]
mod strangers;
mod tidy;
mod venv;
mod wheels;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Set up and check the workspace, and start reproduction runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run a recipe: fetch and build what is missing, train, write a report
    Reproduce(Box<reproduce::Args>),
    /// Run all tests but those of `data-engine`; arguments are passed to `cargo test`
    #[command(disable_help_flag = true)]
    Test {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Find or fetch libtorch (every other command does so first if it is missing)
    Setup {
        #[arg(long, help = cuda_help())]
        cuda: bool,
    },
    /// Show what this machine has and lacks
    Doctor,
    /// Run every check, the cheapest first
    Ci(ci::Args),
    /// Check the workspace's own rules
    Tidy(tidy::Args),
    /// Check, prove or regenerate the golden files that tests compare with
    Golden(golden::Args),
    /// Run the benchmarks; with --peers, time this workspace and other libraries in turn
    #[command(disable_help_flag = true)]
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run cargo for `data-engine`, which depends on DataFusion: `engine test`, `engine run
    /// --release -- select --help`
    #[command(disable_help_flag = true)]
    Engine {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Make a folder that runs on a machine with Python's torch and no toolchain, with a script
    /// that checks, measures and trains on the GPU there
    Dist(dist::Args),
    /// Measure what the pages in docs/results report, and rewrite the generated part of each
    Results(results::Args),
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Reproduce(args) => reproduce::run(&args),
        Task::Test { .. } => {
            libtorch::ensure(false)?;
            workspace::run(workspace::cargo().args(["test", "--workspace"]).args(handed_on()))
        }
        Task::Setup { cuda } => {
            let found = libtorch::ensure(cuda)?;
            println!("libtorch: {}", found.display());
            Ok(())
        }
        Task::Doctor => doctor::run(),
        Task::Ci(args) => ci::all(&args),
        Task::Tidy(args) => tidy::run(&args),
        Task::Golden(args) => golden::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Results(args) => results::run(&args),
        Task::Engine { .. } => engine::run_cargo(&handed_on().collect::<Vec<_>>()),
        Task::Bench { .. } => bench::run(&handed_on().collect::<Vec<_>>()),
    }
}

fn cuda_help() -> String {
    format!("Fetch the libraries for NVIDIA GPUs too ({})", wheels::pinned().cuda_size())
}

/// All that follows the command, as it was typed: the parser would drop a `--`.
fn handed_on() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(2)
}
