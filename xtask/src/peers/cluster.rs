//! Meena's pairs by `data-engine`: in one process, and on clusters of one, two and four executors.

use super::measure::{commit, median, processor};
use crate::{engine, venv, workspace};
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Executors of the clusters; one process has none.
const EXECUTORS: [usize; 4] = [0, 1, 2, 4];

/// Ticks of `/proc` in a second.
const TICKS: f64 = 100.0;

/// `rounds` turns of each, over so many messages.
pub(super) fn run(rounds: usize, messages: u64) -> Result<String> {
    let root = workspace::root();
    let program = engine::program()?;
    let python = venv::python(&root, "requirements.txt")?;
    let script = root.join("xtask/peers/bench_cluster.py");
    let work = tempfile::tempdir_in(workspace::target()?)?;
    let tables = work.path().join("tables");
    std::fs::create_dir(&tables)?;
    workspace::run(Command::new(&python).arg(&script).arg(&tables).arg(messages.to_string()))?;
    let mut times = [const { Vec::new() }; 4];
    let mut processors = [const { Vec::new() }; 4];
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        for (i, &executors) in EXECUTORS.iter().enumerate() {
            let (seconds, of_cpu, said) = turn(&program, &tables, work.path(), executors)?;
            times[i].push(seconds);
            processors[i].push(of_cpu);
            let said: serde_json::Value = serde_json::from_str(&said)?;
            pairs.push([said["pairs"].clone(), said["near_duplicates"].clone()]);
        }
    }
    ensure!(pairs.iter().all(|found| *found == pairs[0]), "other pairs: {pairs:?}");
    let [times, processors] =
        [times, processors].map(|all| all.map(|all| median(all).unwrap_or(f64::NAN)));

    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench cluster --peers --rounds {rounds} --rows {messages}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {} cores. {messages} made-up messages of `xtask/peers/dialog_dump.py` in \
         eight Parquet files, {} pairs; executors with one task at a time and 2 GiB each; the \
         median of {rounds} turns. Processor seconds are those of all processes together, what \
         starts them included.\n",
        commit()?,
        processor(),
        threads,
        pairs[0][0],
    )?;
    writeln!(out, "| | seconds | messages/s | processor seconds | to one process's |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: |")?;
    for (i, executors) in EXECUTORS.iter().enumerate() {
        let name = match executors {
            0 => format!("one process, {threads} threads, 2 GiB"),
            1 => "a cluster of 1 executor".to_owned(),
            more => format!("a cluster of {more} executors"),
        };
        writeln!(
            out,
            "| {name} | {:.1} | {:.0} | {:.1} | {:.2} |",
            times[i],
            messages as f64 / times[i],
            processors[i],
            processors[i] / processors[0],
        )?;
    }
    Ok(out)
}

/// Processes that end when this does.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Seconds, processor seconds, and what was said.
fn turn(
    program: &Path,
    tables: &Path,
    work: &Path,
    executors: usize,
) -> Result<(f64, f64, String)> {
    let mut cluster = Processes(Vec::new());
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let out = work.join("out");
    let mut command = Command::new(program);
    command.arg("dialogs").arg("--out").arg(&out);
    if executors == 0 {
        command.args(["--memory", "2G", "--spill"]).arg(work);
    } else {
        let address = free_address()?;
        let mut scheduler = Command::new(program);
        cluster.0.push(quiet(scheduler.args(["scheduler", "--address", &address]))?);
        await_listener(&address)?;
        for number in 0..executors {
            let (own, folder) = (free_address()?, work.join(format!("executor-{number}")));
            std::fs::create_dir_all(&folder)?;
            let mut executor = Command::new(program);
            executor.args(["executor", "--scheduler", &address, "--address", &own]);
            executor.args(["--cores", "1", "--memory", "2G", "--work"]).arg(folder);
            cluster.0.push(quiet(&mut executor)?);
            await_listener(&own)?;
        }
        command.args(["--cluster", &format!("http://{address}")]);
    }
    let (begin, before) = (Instant::now(), processor_seconds("self", 15)?);
    let said = workspace::output(command.arg(tables))?;
    let seconds = begin.elapsed().as_secs_f64();
    let mut of_cpu = processor_seconds("self", 15)? - before;
    for child in &cluster.0 {
        of_cpu += processor_seconds(&child.id().to_string(), 13)?;
    }
    drop(cluster);
    for made in std::fs::read_dir(work)?.map(|entry| entry.map(|entry| entry.path())) {
        let made = made?;
        if made != tables {
            std::fs::remove_dir_all(made)?;
        }
    }
    Ok((seconds, of_cpu, said))
}

/// Of a process, from column 13 of its `stat` on (the first is 0), or of those that it has waited
/// for, from 15 on.
fn processor_seconds(process: &str, column: usize) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program may hold spaces; behind it stands column 2.
    let (_, rest) = text.rsplit_once(") ").context("a process's name")?;
    let ticks: Vec<f64> = rest.split(' ').filter_map(|number| number.parse().ok()).collect();
    // The state, column 2, is no number.
    let [user, system] = [column, column + 1].map(|at| ticks.get(at - 3).copied());
    Ok((user.context("its time")? + system.context("its time")?) / TICKS)
}

/// An address whose next port is free too.
fn free_address() -> Result<String> {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(format!("127.0.0.1:{port}"));
        }
    }
}

fn await_listener(address: &str) -> Result<()> {
    let begin = Instant::now();
    while TcpStream::connect(address).is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(60), "nobody listens at {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
