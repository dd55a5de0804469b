//! UDA's training step on texts in turn with PyTorch's, and TF-IDF replacement with plain Python's:
//! `steps N` is answered with the median seconds of a step, `tf-idf S` with the texts that one core
//! changes in a second, `peak` with the most memory in MiB.

use super::measure::{commit, example, processor, versions};
use super::runner::{Runner, TUNED, medians, step_table};
use crate::{venv, workspace};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::process::Command;

/// A case and what it is.
const CASES: [(&str, &str); 2] = [
    ("reviews", "reviews of which most are cut to 128 tokens"),
    ("sentences", "texts of 8 to 128 tokens"),
];
const PRECISIONS: [&str; 2] = ["float32", "bfloat16"];

/// How the peer passes texts: all joined, as the released code does, or the original ones apart
/// without a graph.
const PASSES: [&str; 2] = ["joint", "apart"];

/// Steps of a turn.
const STEPS: usize = 3;

/// Seconds of a turn of TF-IDF.
const SECONDS: usize = 2;

/// `rounds` turns of each side.
pub(super) fn run(rounds: usize) -> Result<String> {
    let root = workspace::root();
    let program = example("benches", "uda_text_step")?;
    let python = venv::python(&root, "requirements.txt")?;
    let data = tempfile::tempdir()?;
    workspace::run(Command::new(&program).arg("make").arg(data.path()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench uda-text --peers --rounds {rounds}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {threads} threads; {}. 8 labelled and 24 unlabelled texts twice, BERT of 6 \
         layers and width 384; the median of {rounds} turns. PyTorch has the settings of allocator \
         and OpenMP that ours takes.\n",
        commit()?,
        processor(),
        versions(&python, &["torch", "numpy"])?,
    )?;
    for (case, what) in CASES {
        let mut runners = Vec::new();
        for precision in PRECISIONS {
            let mut command = Command::new(&program);
            command.arg("serve").arg(data.path());
            command.args([case, &threads.to_string(), precision]);
            runners.push(Runner::start(&mut command, &format!("ours {precision}"), threads)?);
        }
        let ours = runners.len();
        for precision in PRECISIONS {
            for pass in PASSES {
                let mut command = Command::new(&python);
                command.arg(root.join("xtask/peers/bench_uda_text.py")).arg(data.path());
                command.args([case, &threads.to_string(), precision, pass]).envs(TUNED);
                let name = format!("PyTorch {precision} {pass}");
                runners.push(Runner::start(&mut command, &name, threads)?);
            }
        }
        writeln!(out, "### A step: {what}\n")?;
        out += &step_table(&mut runners, ours, &format!("steps {STEPS}"), rounds)?;
        if case == CASES[0].0 {
            let peer = runners.pop().context("a peer")?;
            let mut both = vec![runners.swap_remove(0), peer];
            let speeds = medians(&mut both, &format!("tf-idf {SECONDS}"), rounds)?;
            writeln!(out, "### TF-IDF replacement, one core\n")?;
            writeln!(out, "| side | texts/s |\n| --- | ---: |")?;
            for (name, speed) in ["ours", "plain Python"].iter().zip(&speeds) {
                writeln!(out, "| {name} | {speed:.0} |")?;
            }
            writeln!(out, "\nOurs changes {:.1} times as many.\n", speeds[0] / speeds[1])?;
        }
    }
    Ok(out)
}
