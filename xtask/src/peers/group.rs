//! Sums over two processes in turn with `torch.distributed`'s, both by Gloo: `all-reduce N` is
//! answered with the median seconds of a sum of N numbers.

use super::measure::{commit, example, processor, versions};
use super::runner::{Runner, TUNED, medians};
use crate::{venv, workspace};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command};

const PROCESSES: usize = 2;

/// How many numbers are summed.
const NUMBERS: [usize; 3] = [10_000, 1_000_000, 25_000_000];

/// `rounds` turns of each side.
pub(super) fn run(rounds: usize) -> Result<String> {
    let root = workspace::root();
    let program = example("benches", "group")?;
    let python = venv::python(&root, "requirements.txt")?;
    let script = root.join("xtask/peers/bench_group.py");
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench group --peers --rounds {rounds}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {PROCESSES} processes of one thread; {}. Float32 numbers summed over the \
         processes by Gloo; the median of {rounds} turns.\n",
        commit()?,
        processor(),
        versions(&python, &["torch"])?,
    )?;
    let (ours, mut others) = start("ours", || Command::new(&program))?;
    let peer = || {
        let mut command = Command::new(&python);
        command.arg(&script).envs(TUNED);
        command
    };
    let (theirs, more) = start("torch.distributed", peer)?;
    others.extend(more);
    let mut both = vec![ours, theirs];
    writeln!(out, "| numbers | ours, ms | torch.distributed, ms | of its time |")?;
    writeln!(out, "| ---: | ---: | ---: | ---: |")?;
    for numbers in NUMBERS {
        let times = medians(&mut both, &format!("all-reduce {numbers}"), rounds)?;
        let [ours, theirs] = [0, 1].map(|side| 1e3 * times[side]);
        writeln!(out, "| {numbers} | {ours:.2} | {theirs:.2} | {:.2} |", ours / theirs)?;
    }
    // The others end with those that answer.
    drop(both);
    others.iter_mut().try_for_each(Other::wait)?;
    Ok(out)
}

/// A process that answers nothing, and does not outlive the comparison.
struct Other(Child);

impl Other {
    fn wait(&mut self) -> Result<()> {
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processes of a side: the one that answers, and the others.
fn start(name: &str, command: impl Fn() -> Command) -> Result<(Runner, Vec<Other>)> {
    // Free now, and so most likely in a moment.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let of_rank = |rank: usize| {
        let mut command = command();
        command.env("RANK", rank.to_string()).env("WORLD_SIZE", PROCESSES.to_string());
        command.env("LOCAL_RANK", rank.to_string()).env("OMP_NUM_THREADS", "1");
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
        command
    };
    let others = (1..PROCESSES).map(|rank| {
        let mut command = of_rank(rank);
        let shown = workspace::shown(&command);
        let child = command.spawn().with_context(|| format!("could not start {shown}"))?;
        Ok(Other(child))
    });
    let others = others.collect::<Result<Vec<_>>>()?;
    Ok((Runner::start(&mut of_rank(0), name, 1)?, others))
}
