//! `cargo xtask bench augment --peers`: augmentation beside Pillow, torchvision and albumentations, each on one thread, taking turns.
//!
//! Every library runs in a process of its own that answers `CASE SIDE THREADS SECONDS` with nanoseconds an image. The table is printed
//! and written into `docs/results/augment.md`, between two marks.

use crate::{venv, workspace};
use anyhow::{Context, Result, bail};
use clap::Parser;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Times this workspace and other libraries in turn.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Args {
    /// What is timed
    #[arg(value_parser = ["augment"])]
    what: String,
    /// Beside the libraries that others use
    #[arg(long)]
    peers: bool,
    /// Turns of each library; the medians are shown
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long each case runs in a turn
    #[arg(long, default_value_t = 0.15)]
    seconds: f64,
    /// Print only, and leave docs/results/augment.md as it is
    #[arg(long)]
    dry: bool,
}

/// The case that is timed on two threads too.
const PIPELINE: &str = "fixmatch-strong";
const LIBRARIES: [&str; 3] = ["pillow", "torchvision", "albumentations"];
const SIDES: [usize; 2] = [32, 224];

/// Whether these arguments of `bench` ask for this rather than for criterion.
pub(crate) fn wanted(args: &[OsString]) -> bool {
    args.iter().any(|arg| arg == "--peers")
}

pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let args = Args::parse_from(std::iter::once("bench".into()).chain(args.iter().cloned()));
    let root = workspace::root();
    workspace::run(workspace::cargo().args([
        "build",
        "--release",
        "--package",
        "augment",
        "--example",
        "timings",
    ]))?;
    let timings = workspace::target()?.join("release/examples/timings");
    let python = venv::python(&root, "bench-requirements.txt")?;
    let images = tempfile::tempdir()?;
    workspace::run(Command::new(&timings).arg("make").arg(images.path()))?;
    let mut runners =
        vec![Runner::start(Command::new(&timings).arg("serve").arg(images.path()), "ours")?];
    for library in LIBRARIES {
        let mut command = Command::new(&python);
        command.arg(root.join("xtask/peers/bench_augment.py")).arg(library).arg(images.path());
        runners.push(Runner::start(&mut command, library)?);
    }
    let cases = workspace::output(Command::new(&timings).arg("cases"))?;
    let table = measure(&args, &cases, &mut runners)?;
    let text = report(&args, &python, &table)?;
    println!("{text}");
    if !args.dry {
        write(&root.join("docs/results/augment.md"), &text)?;
    }
    Ok(())
}

/// A library's process.
struct Runner {
    name: &'static str,
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Runner {
    fn start(command: &mut Command, name: &'static str) -> Result<Self> {
        // One thread each, whatever a library's own defaults are.
        for variable in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
            command.env(variable, "1");
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {}", workspace::shown(command)))?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("its output is piped")?);
        Ok(Self { name, child, questions, answers })
    }

    /// Nanoseconds an image, or nothing where the library lacks the case.
    fn ask(
        &mut self,
        case: &str,
        side: usize,
        threads: usize,
        seconds: f64,
    ) -> Result<Option<f64>> {
        let questions = self.questions.as_mut().context("its input is piped")?;
        writeln!(questions, "{case} {side} {threads} {seconds}")?;
        questions.flush()?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("{} ended without an answer to `{case} {side}`", self.name);
        }
        match line.trim() {
            "-" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .with_context(|| format!("{} answered `{text}` to `{case} {side}`", self.name)),
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}

/// One line of the table.
struct Line {
    case: String,
    side: usize,
    /// Median nanoseconds an image: ours, then each library's.
    medians: Vec<Option<f64>>,
}

struct Table {
    lines: Vec<Line>,
    /// For each side: the rate of two threads over that of one.
    two_threads: Vec<(usize, f64)>,
}

fn measure(args: &Args, cases: &str, runners: &mut [Runner]) -> Result<Table> {
    let mut lines = Vec::new();
    for side in SIDES {
        for case in cases.split_whitespace() {
            let mut times = vec![Vec::new(); runners.len()];
            for _ in 0..args.rounds {
                for (runner, times) in runners.iter_mut().zip(&mut times) {
                    times.extend(runner.ask(case, side, 1, args.seconds)?);
                }
            }
            lines.push(Line {
                case: case.to_owned(),
                side,
                medians: times.into_iter().map(median).collect(),
            });
            eprint!(".");
        }
    }
    eprintln!();
    let mut two_threads = Vec::new();
    for side in SIDES {
        let mut ratios = Vec::new();
        for _ in 0..args.rounds {
            let one = runners[0].ask(PIPELINE, side, 1, 4.0 * args.seconds)?;
            let two = runners[0].ask(PIPELINE, side, 2, 4.0 * args.seconds)?;
            ratios.extend(one.zip(two).map(|(one, two)| 2.0 * one / two));
        }
        two_threads.extend(median(ratios).map(|ratio| (side, ratio)));
    }
    Ok(Table { lines, two_threads })
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

fn report(args: &Args, python: &Path, table: &Table) -> Result<String> {
    let mut out = String::new();
    let Args { rounds, seconds, .. } = args;
    writeln!(out, "    cargo xtask bench augment --peers --rounds {rounds} --seconds {seconds}\n")?;
    let versions = workspace::output(Command::new(python).args(["-c", VERSIONS]))?;
    writeln!(
        out,
        "Commit {}; {}; {}; rustc {}. One thread each, medians of {rounds} turns, each making new images from 64 of its side.\n\
         `ours` in microseconds an image, then how many times as long the others take.\n",
        commit()?,
        processor(),
        versions.trim(),
        workspace::output(Command::new("rustc").arg("--version"))?
            .split_whitespace()
            .nth(1)
            .unwrap_or("?"),
    )?;
    for side in SIDES {
        writeln!(out, "### {side}x{side}, RGB\n")?;
        writeln!(
            out,
            "| operation | ours, µs | images/s | Pillow | torchvision | albumentations |"
        )?;
        writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
        for line in table.lines.iter().filter(|line| line.side == side) {
            let Some(ours) = line.medians[0] else { continue };
            write!(out, "| {} | {:.2} | {:.0} |", line.case, ours / 1e3, 1e9 / ours)?;
            for theirs in &line.medians[1..] {
                let ratio = theirs.map_or("-".to_owned(), |t| format!("{:.2}x", t / ours));
                write!(out, " {ratio} |")?;
            }
            writeln!(out)?;
        }
        writeln!(out)?;
    }
    for (side, ratio) in &table.two_threads {
        writeln!(
            out,
            "Two threads, {PIPELINE}, {side}x{side}: {ratio:.2} times the rate of one.  "
        )?;
    }
    let slower = slower(table);
    match slower.as_slice() {
        [] => writeln!(out, "\nNo operation is slower than the fastest of the three.")?,
        _ => writeln!(out, "\nSlower than the fastest of the three: {}.", slower.join(", "))?,
    }
    Ok(out)
}

const VERSIONS: &str = "from importlib.metadata import version as v
print(', '.join(f'{n} {v(n)}' for n in ('pillow', 'torch', 'torchvision', 'albumentations', 'opencv-python-headless')))";

/// What is slower here than in the fastest library.
fn slower(table: &Table) -> Vec<String> {
    let one = |line: &Line| {
        let ours = line.medians[0]?;
        let fastest = line.medians[1..].iter().flatten().copied().min_by(f64::total_cmp)?;
        (ours > fastest).then(|| format!("{} at {} ({:.2}x)", line.case, line.side, fastest / ours))
    };
    table.lines.iter().filter_map(one).collect()
}

fn commit() -> Result<String> {
    let git = |args: &[&str]| {
        workspace::output(Command::new("git").args(args).current_dir(workspace::root()))
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?.trim().to_owned();
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", "crates", "xtask"])?;
    Ok(if changed.trim().is_empty() { commit } else { format!("{commit} with changes") })
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let vectors = ["avx512_vbmi2", "avx512f", "avx2"].into_iter().find(|flag| text.contains(flag));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    format!("{model}{}", vectors.map(|flag| format!(" ({flag})")).unwrap_or_default())
}

const BEGIN: &str = "<!-- table: written by cargo xtask bench augment --peers -->";
const END: &str = "<!-- end of table -->";

/// Puts the text between the marks of a file, or at its end.
fn write(path: &Path, text: &str) -> Result<()> {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    std::fs::write(path, replaced(&old, text)).with_context(|| path.display().to_string())
}

fn replaced(old: &str, text: &str) -> String {
    let (before, after) = match (old.split_once(BEGIN), old.split_once(END)) {
        (Some((before, _)), Some((_, after))) => (before, after),
        _ => (old, "\n"),
    };
    format!("{before}{BEGIN}\n\n{text}\n{END}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_the_one_before() {
        let first = replaced("# Results\n", "one");
        assert!(first.starts_with("# Results\n") && first.contains("one"), "{first}");
        let second = replaced(&format!("{first}More.\n"), "two");
        assert!(second.contains("two") && !second.contains("one"), "{second}");
        assert!(second.starts_with("# Results\n") && second.ends_with("More.\n"), "{second}");
    }

    #[test]
    fn medians_and_what_is_slower() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let line = |case: &str, ours, theirs| Line {
            case: case.to_owned(),
            side: 32,
            medians: vec![Some(ours), theirs],
        };
        let table = Table {
            lines: vec![line("a", 2.0, Some(1.0)), line("b", 1.0, Some(2.0)), line("c", 1.0, None)],
            two_threads: vec![],
        };
        assert_eq!(slower(&table), ["a at 32 (0.50x)"]);
    }
}
