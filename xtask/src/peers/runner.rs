//! A side of a comparison: a process that answers questions, a line each.

use crate::workspace;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

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
