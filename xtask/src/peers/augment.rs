//! Augmentation in turn with Pillow, torchvision and albumentations, each on one thread:
//! `CASE SIDE THREADS SECONDS` is answered with nanoseconds an image.

use super::measure::{commit, example, median, processor, versions};
use super::runner::Runner;
use crate::{venv, workspace};
use anyhow::Result;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The case that is timed on two threads too.
const PIPELINE: &str = "fixmatch-strong";
const LIBRARIES: [&str; 3] = ["pillow", "torchvision", "albumentations"];
const SIDES: [usize; 2] = [32, 224];

/// `rounds` turns of each library, in each of which a case runs for some `seconds`.
pub(super) fn run(rounds: usize, seconds: f64) -> Result<String> {
    let root = workspace::root();
    let timings = example("augment", "timings")?;
    let python = venv::python(&root, "bench-requirements.txt")?;
    let images = tempfile::tempdir()?;
    workspace::run(Command::new(&timings).arg("make").arg(images.path()))?;
    let mut serve = Command::new(&timings);
    let mut runners = vec![Runner::start(serve.arg("serve").arg(images.path()), "ours", 1)?];
    for library in LIBRARIES {
        let mut command = Command::new(&python);
        command.arg(root.join("xtask/peers/bench_augment.py")).arg(library).arg(images.path());
        runners.push(Runner::start(&mut command, library, 1)?);
    }
    let cases = workspace::output(Command::new(&timings).arg("cases"))?;
    let table = measure(rounds, seconds, &cases, &mut runners)?;
    report(rounds, seconds, &python, &table)
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

fn measure(rounds: usize, seconds: f64, cases: &str, runners: &mut [Runner]) -> Result<Table> {
    let mut lines = Vec::new();
    for side in SIDES {
        for case in cases.split_whitespace() {
            let mut times = vec![Vec::new(); runners.len()];
            for _ in 0..rounds {
                for (runner, times) in runners.iter_mut().zip(&mut times) {
                    times.extend(runner.ask(&format!("{case} {side} 1 {seconds}"))?);
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
        for _ in 0..rounds {
            let mut on = |threads| {
                let seconds = 4.0 * seconds;
                runners[0].ask(&format!("{PIPELINE} {side} {threads} {seconds}"))
            };
            let (one, two) = (on(1)?, on(2)?);
            ratios.extend(one.zip(two).map(|(one, two)| 2.0 * one / two));
        }
        two_threads.extend(median(ratios).map(|ratio| (side, ratio)));
    }
    Ok(Table { lines, two_threads })
}

fn report(rounds: usize, seconds: f64, python: &Path, table: &Table) -> Result<String> {
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench augment --peers --rounds {rounds} --seconds {seconds}\n")?;
    let packages = ["pillow", "torch", "torchvision", "albumentations", "opencv-python-headless"];
    writeln!(
        out,
        "Commit {}; {}; {}. One thread each, medians of {rounds} turns, each making new images from 64 of its side.\n\
         `ours` in microseconds an image, then how many times as long the others take.\n",
        commit()?,
        processor(),
        versions(python, &packages)?,
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

/// What is slower here than in the fastest library.
fn slower(table: &Table) -> Vec<String> {
    let one = |line: &Line| {
        let ours = line.medians[0]?;
        let fastest = line.medians[1..].iter().flatten().copied().min_by(f64::total_cmp)?;
        (ours > fastest).then(|| format!("{} at {} ({:.2}x)", line.case, line.side, fastest / ours))
    };
    table.lines.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slower_is_named() {
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
