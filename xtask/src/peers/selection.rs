//! Selection of pseudo-labels by `data-engine` in turn with two plain passes in Python: seconds and
//! memory of whole processes.

use super::measure::{commit, median, processor, versions};
use crate::{engine, venv, workspace};
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::io::Seek;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Rows of a class that are asked for, as a part of the mean class: as many as 130,000 of 300
/// million in 1,000 classes.
const PER_CLASS: f64 = 0.433;

/// How a process went.
struct Timed {
    seconds: f64,
    mib: f64,
    said: String,
}

/// `rounds` turns of each side, over so many rows.
pub(super) fn run(rounds: usize, rows: u64) -> Result<String> {
    let root = workspace::root();
    let program = engine::program()?;
    let python = venv::python(&root, "requirements.txt")?;
    let script = root.join("xtask/peers/bench_selection.py");
    let work = tempfile::tempdir_in(workspace::target()?)?;
    let tables = work.path().join("tables");
    std::fs::create_dir(&tables)?;
    let count = rows.to_string();
    workspace::run(Command::new(&python).arg(&script).arg("make").arg(&tables).arg(&count))?;
    let per_class = ((rows as f64 / 1000.0 * PER_CLASS) as u64).max(1).to_string();

    let sides = [
        ("`data-engine`, `--memory 1G`, all cores", true),
        ("Python, two passes, one core", false),
    ];
    let mut times = [Vec::new(), Vec::new()];
    let mut memory = [0.0f64; 2];
    let mut found = [String::new(), String::new()];
    for round in 0..rounds {
        for (i, (_, ours)) in sides.iter().enumerate() {
            let out = work.path().join(format!("{round}-{i}"));
            let mut command = Command::new(if *ours { &program } else { &python });
            if *ours {
                command.args(["select", "--memory", "1G", "--rule", "paper", "--per-class"]);
                command.arg(&per_class).arg("--spill").arg(work.path());
                command.arg("--out").arg(&out).arg(&tables);
            } else {
                command.arg(&script).arg(&tables).arg(&per_class).arg(&out);
            }
            let timed = timed(&mut command)?;
            times[i].push(timed.seconds);
            memory[i] = memory[i].max(timed.mib);
            found[i] = if *ours { taken(&timed.said)? } else { timed.said.trim().to_owned() };
            remove(&out)?;
        }
    }
    ensure!(found[0] == found[1], "ours took {}, Python {}", found[0], found[1]);
    let (taken, copies) = found[0].split_once(' ').context("rows and copies")?;
    let [ours, theirs] = times.map(|times| median(times).unwrap_or(f64::NAN));

    let mut out = String::new();
    writeln!(out, "    cargo xtask bench selection --peers --rounds {rounds} --rows {rows}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {} threads; {}. {rows} synthetic predictions of 1,000 classes, {per_class} \
         of each by the paper's rule: {taken} rows, shown {copies} times; whole processes, the \
         median of {rounds} turns.\n",
        commit()?,
        processor(),
        std::thread::available_parallelism().map_or(1, usize::from),
        versions(&python, &["pyarrow"])?,
    )?;
    writeln!(out, "| side | seconds | most memory, MiB |\n| --- | ---: | ---: |")?;
    for ((name, _), (seconds, mib)) in sides.iter().zip([ours, theirs].iter().zip(memory)) {
        writeln!(out, "| {name} | {seconds:.1} | {mib:.0} |")?;
    }
    writeln!(out, "\nOurs takes {:.3} of the time.\n", ours / theirs)?;
    Ok(out)
}

/// How many rows were taken and how many times in all, by what `data-engine` says.
fn taken(said: &str) -> Result<String> {
    let said: serde_json::Value = serde_json::from_str(said)?;
    let classes = said["classes"].as_array().context("classes")?;
    let sum = |key: &str| classes.iter().filter_map(|class| class[key].as_u64()).sum::<u64>();
    Ok(format!("{} {}", sum("taken"), sum("copies")))
}

fn remove(path: &Path) -> Result<()> {
    match path.is_dir() {
        true => std::fs::remove_dir_all(path)?,
        false => std::fs::remove_file(path)?,
    }
    Ok(())
}

/// Runs a command to its end.
fn timed(command: &mut Command) -> Result<Timed> {
    // A pipe would hold too little of what they say.
    let mut said = tempfile::tempfile()?;
    let begin = Instant::now();
    let mut child = command.stdout(said.try_clone()?).spawn().context("starting a side")?;
    let status = format!("/proc/{}/status", child.id());
    let mut mib = 0.0f64;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        mib = mib.max(kib.unwrap_or(0.0) / 1024.0);
        std::thread::sleep(Duration::from_millis(10));
    };
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(ended.success(), "a side failed ({ended})");
    said.rewind()?;
    Ok(Timed { seconds, mib, said: std::io::read_to_string(said)? })
}
