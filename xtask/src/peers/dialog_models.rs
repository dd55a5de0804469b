//! Training steps of a small Evolved Transformer in turn with PyTorch's, and twenty replies of a
//! random GPT-2 of the small size in turn with transformers' `generate`, on all cores.

use super::measure::{commit, example, processor, versions};
use super::runner::{Runner, TUNED, medians, step_table};
use crate::{venv, workspace};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::process::Command;

const PRECISIONS: [&str; 2] = ["float32", "bfloat16"];

/// Batches that there are, and steps of a turn.
const BATCHES: usize = 16;
const STEPS: usize = 4;

/// `rounds` turns of each side.
pub(super) fn run(rounds: usize) -> Result<String> {
    let program = example("benches", "dialog_models")?;
    let root = workspace::root();
    let python = venv::python(&root, "requirements.txt")?;
    let script = root.join("xtask/peers/bench_dialog_models.py");
    let data = tempfile::tempdir()?;
    workspace::run(Command::new(&program).arg("make").arg(data.path()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let side = |what: &str, name: &str, command: &mut Command, precision: &str, mode: &[&str]| {
        command.arg(what).arg(data.path()).args([&threads.to_string(), precision]).args(mode);
        let name = [&[name, precision], mode].concat().join(" ");
        Runner::start(command, &name, threads)
    };
    let ours = |what: &str, precision: &str| {
        side(what, "ours", &mut Command::new(&program), precision, &[])
    };
    let theirs = |what: &str, name: &str, precision: &str, mode: &[&str]| {
        side(what, name, Command::new(&python).arg(&script).envs(TUNED), precision, mode)
    };
    let mut out = String::new();
    writeln!(
        out,
        "Commit {}; {}, {threads} threads; {}. The median of {rounds} turns. PyTorch has the settings \
         of allocator and OpenMP that ours takes.\n",
        commit()?,
        processor(),
        versions(&python, &["torch", "transformers"])?,
    )?;
    writeln!(out, "### A training step: Evolved Transformer, 1 + 2 blocks, 256 wide, 32 pairs\n")?;
    let mut runners = Vec::new();
    for precision in PRECISIONS {
        runners.push(ours("step", precision)?);
    }
    let own = runners.len();
    for precision in PRECISIONS {
        for mode in ["eager", "compile"] {
            runners.push(theirs("step", "PyTorch", precision, &[mode])?);
        }
    }
    // Every batch once, so that what is compiled is compiled.
    for runner in &mut runners {
        runner.ask(&format!("steps {BATCHES}"))?;
    }
    out += &step_table(&mut runners, own, &format!("steps {STEPS}"), rounds)?;
    drop(runners);

    writeln!(out, "### 20 replies of 32 tokens to a prompt of 64: GPT-2 small, random weights\n")?;
    let mut runners = Vec::new();
    for precision in PRECISIONS {
        runners.push(ours("reply", precision)?);
    }
    for precision in PRECISIONS {
        runners.push(theirs("reply", "transformers", precision, &[])?);
    }
    let first = medians(&mut runners, "first", rounds)?;
    let seconds = medians(&mut runners, "reply", rounds)?;
    writeln!(out, "| side | first tokens, s | all, s | tokens a second | most memory, MiB |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: |")?;
    let mut rates = Vec::new();
    for ((runner, first), seconds) in runners.iter_mut().zip(first).zip(seconds) {
        let tokens = runner.ask("tokens")?.context("the number of tokens")?;
        let mib = runner.ask("peak")?.context("the memory of a process")?;
        let rate = tokens / seconds;
        writeln!(out, "| {} | {first:.3} | {seconds:.2} | {rate:.0} | {mib:.0} |", runner.name)?;
        rates.push(rate);
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let ratio = best(&rates[..own]) / best(&rates[own..]);
    writeln!(out, "\nOurs at its best writes {ratio:.2} times as many tokens a second.")?;
    Ok(out)
}
