//! FixMatch's training step beside PyTorch's, eager and compiled, in each precision and memory layout, on all cores:
//! `steps N` is answered with the median seconds of a step, `peak` with the most memory in MiB.

use super::{Args, Runner, commit, example, median, processor, versions};
use crate::{venv, workspace};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// A case: its name, what it is, the steps of a turn.
const CASES: [(&str, &str, usize); 2] = [
    ("wrn-28-2", "WRN-28-2, 16 labelled and 112 x 2 unlabelled images of 32x32x3", 5),
    (
        "digits",
        "the default run's small net, 20 labelled and 100 x 2 unlabelled images of 8x8x1",
        200,
    ),
];
const PRECISIONS: [&str; 2] = ["float32", "bfloat16"];

/// What one side needs.
struct Side {
    name: String,
    seconds: f64,
    mib: f64,
}

pub(super) fn run(args: &Args) -> Result<String> {
    let root = workspace::root();
    let program = example("benches", "ssl_step")?;
    let python = venv::python(&root, "bench-requirements.txt")?;
    let images = tempfile::tempdir()?;
    workspace::run(Command::new(&program).arg("make").arg(images.path()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut out = String::new();
    let rounds = args.rounds;
    writeln!(out, "    cargo xtask bench ssl --peers --rounds {rounds}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {threads} threads; {}. Seconds a step: the median of {rounds} turns, loader and augmentation included.",
        commit()?,
        processor(),
        versions(&python, &["torch", "torchvision", "pillow"])?,
    )?;
    for (case, what, steps) in CASES {
        let mut runners = Vec::new();
        for precision in PRECISIONS {
            let mut command = Command::new(&program);
            command.args(["serve", case, &threads.to_string(), precision]);
            runners.push(Runner::start(&mut command, &format!("ours {precision}"), threads)?);
        }
        let ours = runners.len();
        for mode in ["eager", "compile"] {
            for precision in PRECISIONS {
                for layout in ["contiguous", "channels-last"] {
                    runners.push(peer(
                        &root,
                        &python,
                        images.path(),
                        case,
                        threads,
                        [precision, mode, layout],
                    )?);
                }
            }
        }
        let (sides, losses) = measure(&mut runners, steps, rounds)?;
        write_case(&mut out, what, &sides, ours, losses)?;
    }
    Ok(out)
}

fn peer(
    root: &Path,
    python: &Path,
    images: &Path,
    case: &str,
    threads: usize,
    [precision, mode, layout]: [&str; 3],
) -> Result<Runner> {
    let mut command = Command::new(python);
    command.arg(root.join("xtask/peers/bench_ssl.py")).arg(images);
    command.args([case, &threads.to_string(), precision, mode, layout]);
    let mut runner = Runner::start(&mut command, &format!("{mode} {precision} {layout}"), threads)?;
    // It tries out its loader first, which others should not disturb.
    runner.ask("steps 2")?;
    Ok(runner)
}

/// Medians of all sides, and the seconds that the first one's losses and averaged twin take.
fn measure(runners: &mut [Runner], steps: usize, rounds: usize) -> Result<(Vec<Side>, f64)> {
    let mut times = vec![Vec::new(); runners.len()];
    for runner in runners.iter_mut() {
        runner.ask(&format!("steps {steps}"))?;
    }
    for _ in 0..rounds {
        for (runner, times) in runners.iter_mut().zip(&mut times) {
            times.extend(runner.ask(&format!("steps {steps}"))?);
        }
        eprint!(".");
    }
    eprintln!();
    let losses = runners[0].ask("losses 100")?.context("the losses' time")?;
    let mut sides = Vec::new();
    for (runner, times) in runners.iter_mut().zip(times) {
        sides.push(Side {
            name: runner.name.clone(),
            seconds: median(times).context("a turn")?,
            mib: runner.ask("peak")?.context("the memory of a process")?,
        });
    }
    Ok((sides, losses))
}

fn write_case(
    out: &mut String,
    what: &str,
    sides: &[Side],
    ours: usize,
    losses: f64,
) -> Result<()> {
    let best = |sides: &[Side]| sides.iter().map(|s| s.seconds).fold(f64::INFINITY, f64::min);
    let theirs = &sides[ours..];
    let of = |mode: &str| {
        theirs
            .iter()
            .filter(|s| s.name.starts_with(mode))
            .map(|s| s.seconds)
            .fold(f64::INFINITY, f64::min)
    };
    writeln!(out, "\n### {what}\n")?;
    writeln!(out, "| side | ms a step | of eager's best | most memory, MiB |")?;
    writeln!(out, "| --- | ---: | ---: | ---: |")?;
    for Side { name, seconds, mib } in sides {
        writeln!(
            out,
            "| {name} | {:.1} | {:.2} | {mib:.0} |",
            1e3 * seconds,
            seconds / of("eager")
        )?;
    }
    writeln!(
        out,
        "\nOurs at its best takes {:.2} of eager's best setting and {:.2} of the compiled net's. The losses, their gradients and the \
         averaged twin take {:.2} ms, {:.2} % of our fastest step.",
        best(&sides[..ours]) / of("eager"),
        best(&sides[..ours]) / of("compile"),
        1e3 * losses,
        100.0 * losses / best(&sides[..ours]),
    )?;
    Ok(())
}
