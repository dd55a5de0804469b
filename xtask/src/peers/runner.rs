//! A side of a comparison: a process that answers questions, a line each.

use super::measure::median;
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What [`torch::device`](../../../crates/torch/src/device.rs) tells this workspace's own programs.
pub(super) const TUNED: [(&str, &str); 4] = [
    ("GOMP_SPINCOUNT", "1000"),
    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
    ("MALLOC_TRIM_THRESHOLD_", "2147483647"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

/// A side's process.
pub(super) struct Runner {
    pub(super) name: String,
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Runner {
    /// `threads` for each of the libraries that do arithmetic, whatever their own defaults are.
    pub(super) fn start(command: &mut Command, name: &str, threads: usize) -> Result<Self> {
        for variable in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {}", workspace::shown(command)))?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("its output is piped")?);
        Ok(Self { name: name.to_owned(), child, questions, answers })
    }

    /// The number that it answers, or nothing where it lacks the case (`-`).
    pub(super) fn ask(&mut self, question: &str) -> Result<Option<f64>> {
        let questions = self.questions.as_mut().context("its input is piped")?;
        writeln!(questions, "{question}")?;
        questions.flush()?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("{} ended without an answer to `{question}`", self.name);
        }
        match line.trim() {
            "-" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .with_context(|| format!("{} answered `{text}` to `{question}`", self.name)),
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}

/// A program that is kept to the first core.
pub(super) fn on_one_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// The median answer of each side; the first turn is not counted.
pub(super) fn medians(runners: &mut [Runner], question: &str, rounds: usize) -> Result<Vec<f64>> {
    let mut answers = vec![Vec::new(); runners.len()];
    for runner in runners.iter_mut() {
        runner.ask(question)?;
    }
    for _ in 0..rounds {
        for (runner, answers) in runners.iter_mut().zip(&mut answers) {
            answers.extend(runner.ask(question)?);
        }
        eprint!(".");
    }
    eprintln!();
    answers.into_iter().map(|all| median(all).context("a turn")).collect()
}

/// The least of some times.
pub(super) fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

/// A table of training steps, which `question` is answered with the seconds of; the first `ours` of
/// the sides are this workspace's, the others PyTorch's.
pub(super) fn step_table(
    runners: &mut [Runner],
    ours: usize,
    question: &str,
    rounds: usize,
) -> Result<String> {
    let times = medians(runners, question, rounds)?;
    let theirs = least(&times[ours..]);
    let mut out = "| side | ms a step | of PyTorch's best | most memory, MiB |\n".to_owned();
    writeln!(out, "| --- | ---: | ---: | ---: |")?;
    for (runner, seconds) in runners.iter_mut().zip(&times) {
        let mib = runner.ask("peak")?.context("the memory of a process")?;
        let ratio = seconds / theirs;
        writeln!(out, "| {} | {:.1} | {ratio:.2} | {mib:.0} |", runner.name, 1e3 * seconds)?;
    }
    let ratio = least(&times[..ours]) / theirs;
    writeln!(out, "\nOurs at its best takes {ratio:.2} of PyTorch's best.\n")?;
    Ok(out)
}
