//! `cargo xtask bench WHAT --peers`: this workspace beside the libraries that others use, taking turns on one machine.
//!
//! Every side runs in a process of its own that answers questions, a line each. The table is printed and written into a page of
//! `docs/results`, between two marks.

mod augment;
mod ssl;

use crate::workspace;
use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Times this workspace and other libraries in turn.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Args {
    /// What is timed
    what: What,
    /// Beside the libraries that others use
    #[arg(long)]
    peers: bool,
    /// Turns of each library; the medians are shown
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// `augment`: how long each case runs in a turn
    #[arg(long, default_value_t = 0.15)]
    seconds: f64,
    /// Print only, and leave the page in docs/results as it is
    #[arg(long)]
    dry: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Operations on images: Pillow, torchvision, albumentations
    Augment,
    /// FixMatch's training step: PyTorch, eager and compiled
    Ssl,
}

/// Whether these arguments of `bench` ask for this rather than for criterion.
pub(crate) fn wanted(args: &[OsString]) -> bool {
    args.iter().any(|arg| arg == "--peers")
}

pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let args = Args::parse_from(std::iter::once("bench".into()).chain(args.iter().cloned()));
    let (text, page) = match args.what {
        What::Augment => (augment::run(&args)?, "augment.md"),
        What::Ssl => (ssl::run(&args)?, "training-step.md"),
    };
    println!("{text}");
    if !args.dry {
        write(&workspace::root().join("docs/results").join(page), args.what, &text)?;
    }
    Ok(())
}

/// A side's process.
struct Runner {
    name: String,
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Runner {
    /// `threads` for each of the libraries that do arithmetic, whatever their own defaults are.
    fn start(command: &mut Command, name: &str, threads: usize) -> Result<Self> {
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
    fn ask(&mut self, question: &str) -> Result<Option<f64>> {
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

/// Builds an example with optimisations; gives the program.
fn example(package: &str, name: &str) -> Result<std::path::PathBuf> {
    let arguments = ["build", "--release", "--package", package, "--example", name];
    workspace::run(workspace::cargo().args(arguments))?;
    Ok(workspace::target()?.join("release/examples").join(name))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        Some(values[middle])
    } else {
        Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0)
    }
}

fn commit() -> Result<String> {
    let git = |args: &[&str]| {
        workspace::output(Command::new("git").args(args).current_dir(workspace::root()))
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?.trim().to_owned();
    let changed = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        "crates",
        "benches",
        "xtask",
    ])?;
    Ok(if changed.trim().is_empty() { commit } else { format!("{commit} with changes") })
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let vectors = ["avx512_vbmi2", "avx512f", "avx2"].into_iter().find(|flag| text.contains(flag));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    format!("{model}{}", vectors.map(|flag| format!(" ({flag})")).unwrap_or_default())
}

/// Versions of Python packages, in words.
fn versions(python: &Path, packages: &[&str]) -> Result<String> {
    let code = "import sys\nfrom importlib.metadata import version as v\nprint(', '.join(f'{n} {v(n)}' for n in sys.argv[1:]))";
    let versions = workspace::output(Command::new(python).args(["-c", code]).args(packages))?;
    let rustc = workspace::output(Command::new("rustc").arg("--version"))?;
    let rustc = rustc.split_whitespace().nth(1).unwrap_or("?");
    Ok(format!("{}, rustc {rustc}", versions.trim()))
}

/// The marks around what is written anew.
fn marks(what: What) -> [String; 2] {
    let what = what.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned());
    [
        format!("<!-- table: written by cargo xtask bench {what} --peers -->"),
        "<!-- end of table -->".to_owned(),
    ]
}

/// Puts the text between the marks of a file, or at its end.
fn write(path: &Path, what: What, text: &str) -> Result<()> {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    std::fs::write(path, replaced(&old, &marks(what), text))
        .with_context(|| path.display().to_string())
}

fn replaced(old: &str, [begin, end]: &[String; 2], text: &str) -> String {
    let (before, after) = match (old.split_once(begin), old.split_once(end)) {
        (Some((before, _)), Some((_, after))) => (before, after),
        _ => (old, "\n"),
    };
    format!("{before}{begin}\n\n{text}\n{end}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_the_one_before() {
        let marks = marks(What::Augment);
        let first = replaced("# Results\n", &marks, "one");
        assert!(first.starts_with("# Results\n") && first.contains("one"), "{first}");
        let second = replaced(&format!("{first}More.\n"), &marks, "two");
        assert!(second.contains("two") && !second.contains("one"), "{second}");
        assert!(second.starts_with("# Results\n") && second.ends_with("More.\n"), "{second}");
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
