//! Translating sentences by a random Marian of opus-mt's size in turn with transformers'
//! `generate`, on all cores: one translation of each by the likeliest tokens, and five that are
//! drawn.
//!
//! Transformers gets sentences of like lengths in batches. Several sizes are tried on the 256
//! sentences of middle length, and the fastest is held against ours on all.

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
    let mut ours = Runner::start(&mut ours, "ours", threads)?;
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
        let mut best: Option<(Runner, f64)> = None;
        let mut tried = Vec::new();
        for size in BATCHES {
            let mut peer = Command::new(&python);
            peer.envs(TUNED);
            peer.arg(&script).arg(folder.path()).arg(threads.to_string()).arg(size.to_string());
            let name = format!("transformers, {size} sentences a batch");
            let mut peer = Runner::start(&mut peer, &name, threads)?;
            let seconds = peer.ask(&format!("try {question}"))?.context("a trial's seconds")?;
            let rate = tokens(&mut peer)? / seconds;
            tried.push(format!("{size}: {rate:.0}"));
            if best.as_ref().is_none_or(|(_, best)| rate > *best) {
                best = Some((peer, rate));
            }
        }
        let (mut theirs, _) = best.context("a size of batches")?;
        let sides = [&mut ours, &mut theirs];
        let rates = table(&mut out, sides, question, what, rounds)?;
        writeln!(
            out,
            "\nOurs writes {:.2} times as many tokens a second. Tokens a second of transformers on \
             the 256 sentences of middle length, by the sentences of a batch: {}.\n",
            rates[0] / rates[1],
            tried.join(", ")
        )?;
    }
    Ok(out)
}

/// How many tokens a side wrote last.
fn tokens(side: &mut Runner) -> Result<f64> {
    side.ask("tokens")?.context("the number of tokens")
}

/// The sides in turn, `rounds` times: a table, and tokens a second of each.
fn table(
    out: &mut String,
    mut sides: [&mut Runner; 2],
    question: &str,
    what: &str,
    rounds: usize,
) -> Result<Vec<f64>> {
    let mut times = [Vec::new(), Vec::new()];
    let mut written = [0.0; 2];
    for _ in 0..rounds {
        for ((side, times), written) in sides.iter_mut().zip(&mut times).zip(&mut written) {
            times.extend(side.ask(question)?);
            *written = tokens(side)?;
        }
        eprint!(".");
    }
    eprintln!();
    writeln!(out, "### {what}\n")?;
    writeln!(out, "| side | seconds | tokens a second | most memory, MiB |")?;
    writeln!(out, "| --- | ---: | ---: | ---: |")?;
    let mut rates = Vec::new();
    for ((side, times), written) in sides.iter_mut().zip(times).zip(written) {
        let seconds = median(times).context("a turn")?;
        let peak = side.ask("peak")?.context("the memory of a process")?;
        let rate = written / seconds;
        writeln!(out, "| {} | {seconds:.1} | {rate:.0} | {peak:.0} |", side.name)?;
        rates.push(rate);
    }
    Ok(rates)
}
