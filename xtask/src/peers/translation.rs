//! Translating sentences by a random Marian of opus-mt's size in turn with transformers'
//! `generate`, on all cores: one translation of each by the likeliest tokens, and five that are
//! drawn.
//!
//! Transformers gets sentences of like lengths in batches of several sizes, and its best one
//! counts.

use super::measure::{commit, example, median, processor, versions};
use super::runner::{Runner, TUNED};
use crate::{venv, workspace};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::process::Command;

/// What is asked, and what it is.
const CASES: [(&str, &str); 2] =
    [("greedy", "one translation, the likeliest tokens"), ("sampled", "five translations, drawn")];
/// Sentences of a batch of transformers.
const BATCHES: [usize; 3] = [8, 32, 128];

/// `rounds` turns of each side on `sentences` sentences.
pub(super) fn run(rounds: usize, sentences: usize) -> Result<String> {
    let root = workspace::root();
    let program = example("benches", "translation")?;
    let python = venv::python(&root, "requirements.txt")?;
    let script = root.join("xtask/peers/bench_translation.py");
    let folder = tempfile::tempdir()?;
    let mut make = Command::new(&python);
    make.arg(&script).arg("make").arg(folder.path()).arg(sentences.to_string());
    workspace::run(&mut make)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut ours = Command::new(&program);
    ours.arg(folder.path()).arg(threads.to_string());
    let mut runners = vec![Runner::start(&mut ours, "ours", threads)?];
    for size in BATCHES {
        let mut peer = Command::new(&python);
        peer.envs(TUNED);
        peer.arg(&script).arg(folder.path()).arg(threads.to_string()).arg(size.to_string());
        let name = format!("transformers, {size} sentences a batch");
        runners.push(Runner::start(&mut peer, &name, threads)?);
    }
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench translation --peers --rounds {rounds}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {threads} threads; {}. {sentences} sentences: the median of {rounds} turns. \
         transformers has the settings of allocator and OpenMP that ours takes.\n",
        commit()?,
        processor(),
        versions(&python, &["torch", "transformers"])?,
    )?;
    for (question, what) in CASES {
        let mut times = vec![Vec::new(); runners.len()];
        let mut tokens = vec![0.0; runners.len()];
        for _ in 0..rounds {
            for (i, runner) in runners.iter_mut().enumerate() {
                times[i].extend(runner.ask(question)?);
                tokens[i] = runner.ask("tokens")?.context("the number of tokens")?;
            }
            eprint!(".");
        }
        eprintln!();
        writeln!(out, "### {what}\n")?;
        writeln!(out, "| side | seconds | tokens a second | most memory, MiB |")?;
        writeln!(out, "| --- | ---: | ---: | ---: |")?;
        let mut rates = Vec::new();
        for ((runner, times), tokens) in runners.iter_mut().zip(times).zip(tokens) {
            let seconds = median(times).context("a turn")?;
            let peak = runner.ask("peak")?.context("the memory of a process")?;
            let rate = tokens / seconds;
            writeln!(out, "| {} | {seconds:.1} | {rate:.0} | {peak:.0} |", runner.name)?;
            rates.push(rate);
        }
        let best = rates[1..].iter().copied().fold(0.0, f64::max);
        writeln!(
            out,
            "\nOurs writes {:.2} times as many tokens a second as their best.\n",
            rates[0] / best
        )?;
    }
    Ok(out)
}
