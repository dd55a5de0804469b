//! FixMatch's training step in turn with PyTorch's, eager and compiled, in each precision and
//! memory layout, on all cores: `steps N` is answered with the median seconds of a step, `peak`
//! with the most memory in MiB.
//!
//! Ours tells the allocator to keep memory, and the threads to sleep soon (`torch::device`), as
//! `tutor` always does. Eager PyTorch is measured as it comes and with the same told by environment
//! variables.

use super::measure::{commit, example, median, processor, versions};
use super::runner::{Runner, TUNED};
use crate::{venv, workspace};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// A case: its name, what it is, the steps of a turn.
const CASES: [(&str, &str, usize); 3] = [
    ("wrn-28-2", "WRN-28-2, 16 labelled and 112 x 2 unlabelled images of 32x32x3", 5),
    ("fast-net", "the fast net, 64 labelled and 96 x 2 unlabelled images of 32x32x3", 5),
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

/// `rounds` turns of each side.
pub(super) fn run(rounds: usize) -> Result<String> {
    let root = workspace::root();
    let program = example("benches", "ssl_step")?;
    let python = venv::python(&root, "bench-requirements.txt")?;
    let images = tempfile::tempdir()?;
    workspace::run(Command::new(&program).arg("make").arg(images.path()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench ssl --peers --rounds {rounds}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {threads} threads; {}. A step: the median of {rounds} turns, loader and augmentation included.\n",
        commit()?,
        processor(),
        versions(&python, &["torch", "torchvision", "pillow"])?,
    )?;
    for (case, what, steps) in CASES {
        writeln!(out, "### {what}\n")?;
        // In groups, for all to have room in memory.
        for mode in ["eager", "eager-tuned", "compile"] {
            let mut runners = Vec::new();
            for precision in PRECISIONS {
                let mut command = Command::new(&program);
                command.args(["serve", case, &threads.to_string(), precision]);
                runners.push(Runner::start(&mut command, &format!("ours {precision}"), threads)?);
            }
            let ours = runners.len();
            for precision in PRECISIONS {
                for layout in ["contiguous", "channels-last"] {
                    let setting = [precision, mode, layout];
                    runners.push(peer(&root, &python, images.path(), case, threads, setting)?);
                }
            }
            let (sides, losses) = measure(&mut runners, steps, rounds)?;
            write_group(&mut out, mode, &sides, ours, losses)?;
        }
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
    let tuned = mode == "eager-tuned";
    let how = if tuned { "eager" } else { mode };
    command.args([case, &threads.to_string(), precision, how, layout]);
    command.envs(TUNED.into_iter().filter(|_| tuned));
    let mut runner = Runner::start(&mut command, &format!("{mode} {precision} {layout}"), threads)?;
    // It tries out its loader first, which others should not disturb.
    runner.ask("steps 2")?;
    Ok(runner)
}

/// Medians of all sides, and the seconds that the first one's losses and its EMA model take.
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

fn write_group(
    out: &mut String,
    mode: &str,
    sides: &[Side],
    ours: usize,
    losses: f64,
) -> Result<()> {
    let best = |sides: &[Side]| sides.iter().map(|s| s.seconds).fold(f64::INFINITY, f64::min);
    let (own, theirs) = (best(&sides[..ours]), best(&sides[ours..]));
    writeln!(out, "| side | ms a step | of {mode}'s best | most memory, MiB |")?;
    writeln!(out, "| --- | ---: | ---: | ---: |")?;
    for Side { name, seconds, mib } in sides {
        writeln!(out, "| {name} | {:.1} | {:.2} | {mib:.0} |", 1e3 * seconds, seconds / theirs)?;
    }
    writeln!(
        out,
        "\nOurs at its best takes {:.2} of the best setting of {mode}. The losses, their gradients and the EMA model take {:.2} ms, \
         {:.2} % of our fastest step.\n",
        own / theirs,
        1e3 * losses,
        100.0 * losses / own,
    )?;
    Ok(())
}
