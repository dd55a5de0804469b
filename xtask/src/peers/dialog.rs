//! The filters of dialogues in turn with the same in plain Python, on one core each: from the
//! messages that the program carries to pairs without near-duplicates. Both must find as many.

use super::measure::{commit, example, median, processor, versions};
use super::runner::{Runner, on_one_core};
use crate::{venv, workspace};
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::process::Command;

/// `rounds` turns of each side.
pub(super) fn run(rounds: usize) -> Result<String> {
    let root = workspace::root();
    let program = example("benches", "dialog")?;
    let python = venv::python(&root, "requirements.txt")?;
    let folder = tempfile::tempdir()?;
    workspace::run(Command::new(&program).arg("make").arg(folder.path()))?;
    let mut ours = on_one_core(&program);
    ours.arg(folder.path());
    let mut peer = on_one_core(&python);
    peer.arg(root.join("xtask/peers/bench_dialog.py")).arg(folder.path());
    peer.arg(root.join("crates/data-pipeline/src/dialog/offensive-words.txt"));
    // Its tokenizer would take all cores.
    peer.env("RAYON_NUM_THREADS", "1").env("TOKENIZERS_PARALLELISM", "false");
    let mut runners =
        [Runner::start(&mut ours, "ours", 1)?, Runner::start(&mut peer, "plain Python", 1)?];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (runner, times) in runners.iter_mut().zip(&mut times) {
            times.extend(runner.ask("pipeline")?);
        }
        eprint!(".");
    }
    eprintln!();
    let mut found = Vec::new();
    for runner in &mut runners {
        let mut numbers = Vec::new();
        for question in ["messages", "kept", "pairs"] {
            numbers.push(runner.ask(question)?.context("a number")?);
        }
        found.push(numbers);
    }
    ensure!(
        found[0] == found[1],
        "the sides find other numbers of messages, kept ones and pairs: {:?}, {:?}",
        found[0],
        found[1]
    );
    let [messages, _, pairs] = found[0][..] else { unreachable!("three questions") };
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench dialog --peers --rounds {rounds}\n")?;
    writeln!(
        out,
        "Commit {}; {}, one core for each side; {}. {messages} messages to {pairs} pairs: the median \
         of {rounds} turns.\n",
        commit()?,
        processor(),
        versions(&python, &["tokenizers"])?,
    )?;
    writeln!(out, "| side | seconds | messages a second | most memory, MiB |")?;
    writeln!(out, "| --- | ---: | ---: | ---: |")?;
    let mut rates = Vec::new();
    for (runner, times) in runners.iter_mut().zip(times) {
        let seconds = median(times).context("a turn")?;
        let peak = runner.ask("peak")?.context("the memory of a process")?;
        let rate = messages / seconds;
        writeln!(out, "| {} | {seconds:.2} | {rate:.0} | {peak:.0} |", runner.name)?;
        rates.push(rate);
    }
    writeln!(out, "\nOurs takes {:.1} times as many messages a second.", rates[0] / rates[1])?;
    Ok(out)
}
