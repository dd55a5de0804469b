//! `tutor launch`: several processes of this program on this machine that run a recipe together, or
//! label a part of the samples each.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use torch::group::{Ended, Launch};

use super::{predict, ranges, run};
use crate::run::interrupt::Interrupted;
use crate::run::note::{FAILURE, note};

/// How many processes, and what they run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of processes. Each takes an equal share of every batch, or of the samples to label.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    nproc: u16,
    /// Command for each process, after `--`: `run RECIPE` or `predict RUN SAMPLES`, with its
    /// options.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What the processes run, read here to find its faults once and before any of them starts.
#[derive(clap::Parser)]
#[command(name = "tutor")]
enum Launched {
    Run(Box<run::Args>),
    Predict(Box<predict::Args>),
}

/// The exit code of a run that was asked to stop and has kept what was done.
const STOPPED: i32 = 130;

/// The number of SIGTERM.
const TERMINATED: i32 = 15;

pub(crate) fn run(args: &Args) -> Result<()> {
    let first = args.command.first().and_then(|word| word.to_str());
    if !matches!(first, Some("run" | "predict")) {
        bail!(
            "launch: several processes can `run` a recipe together, as in `tutor launch --nproc 4 \
             -- run uda/digits`, or `predict` a part each; they cannot {}",
            first.unwrap_or("do this")
        );
    }
    let size = usize::from(args.nproc);
    let words = [OsString::from("tutor")].into_iter().chain(args.command.iter().cloned());
    let (way_on, grace) = match ranges::parse(words) {
        Launched::Run(asked) => {
            if size > 1 {
                asked.shares(size)?;
            }
            let way_on = "The same command goes on from the newest checkpoint, if there is one";
            (way_on, Launch::new(size).grace)
        }
        Launched::Predict(asked) => {
            if size > 1 {
                asked.check()?;
            }
            // Nobody waits for another.
            ("The same command goes on from what is labelled", Duration::MAX)
        }
    };
    let program = std::env::current_exe().context("the path of this program")?;
    train::signals::install().context("watching for SIGINT and SIGTERM")?;
    let last_words = tempfile::tempdir().context("a folder for what the processes say")?;
    let make = |rank: usize| {
        let mut command = Command::new(&program);
        command.args(&args.command).env(FAILURE, last_words.path().join(rank.to_string()));
        command
    };
    let ended = Launch { grace, ..Launch::new(size) }
        .run(make, train::signals::interrupted)
        .context("starting the processes")?;
    let Ended { statuses, first, killed } = ended;
    let Some(first) = first else { return Ok(()) };
    let stopped = |status: &ExitStatus| {
        // Those that label end at once while they have no answer yet.
        let at_once = train::signals::interrupted() && status.signal() == Some(TERMINATED);
        status.success() || status.code() == Some(STOPPED) || at_once
    };
    if statuses.iter().all(stopped) {
        bail!(Interrupted);
    }
    let said = once(&read(last_words.path(), size), size);
    if let [Said { same, text, .. }] = &said[..]
        && *same == size
    {
        match size {
            1 => bail!("{text}"),
            _ => bail!("{text} (so say all {size} processes)"),
        }
    }
    said.iter().for_each(|said| note(&said.told()));
    let mut what = format!("rank {first} was the first to end: {}", told(statuses[first]));
    if !killed.is_empty() {
        let names: Vec<String> = killed.iter().map(usize::to_string).collect();
        what += &format!("; of the others, {} did not end by themselves", names.join(", "));
    }
    bail!("{what}. {way_on}");
}

/// How a process ended, in words.
fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it failed with exit code {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The last words of a process.
struct LastWords {
    at: SystemTime,
    rank: usize,
    text: String,
}

/// What the processes said that failed, in the order in which they did.
fn read(folder: &Path, size: usize) -> Vec<LastWords> {
    let one = |rank: usize| {
        let file = folder.join(rank.to_string());
        let text = std::fs::read_to_string(&file).ok()?;
        let at = file.metadata().and_then(|data| data.modified()).ok()?;
        Some(LastWords { at, rank, text: text.trim_start_matches("error: ").to_owned() })
    };
    let mut all: Vec<LastWords> = (0..size).filter_map(one).collect();
    all.sort_by_key(|words| (words.at, words.rank));
    all
}

/// What one process said, or several.
#[derive(Debug, PartialEq)]
struct Said {
    /// The one that said it first.
    rank: usize,
    text: String,
    /// How many said it, that one included.
    same: usize,
}

impl Said {
    fn told(&self) -> String {
        let Self { rank, text, same } = self;
        let others = match same - 1 {
            0 => String::new(),
            1 => " (another process says the same)".to_owned(),
            others => format!(" ({others} others say the same)"),
        };
        format!("rank {rank}: {text}{others}")
    }
}

/// Each of the last words once. What a process says about one that is gone is left out where that
/// one has said itself why.
fn once(all: &[LastWords], size: usize) -> Vec<Said> {
    let about_others = |words: &LastWords| {
        let (_, reason) = words.text.split_once(&format!("rank {} of {size}: ", words.rank))?;
        // The operation, and behind the reason libtorch's words, are of each process.
        let (_, reason) = reason.split_once(": ").unwrap_or(("", reason));
        let reason = reason.split(" (").next().unwrap_or(reason);
        // Who saw it first is not known to all.
        Some(reason.split(", as rank ").next().unwrap_or(reason).to_owned())
    };
    let spoke: Vec<usize> =
        all.iter().filter(|w| about_others(w).is_none()).map(|w| w.rank).collect();
    let mut found: Vec<(String, Said)> = Vec::new();
    for words in all {
        let about = about_others(words);
        let known = |reason: &String| {
            let of = |rank: &usize| [' ', ','].map(|end| format!("rank {rank}{end}"));
            spoke.iter().flat_map(of).any(|gone| reason.starts_with(&gone))
        };
        if about.as_ref().is_some_and(known) {
            continue;
        }
        let key = about.unwrap_or_else(|| words.text.clone());
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, said)) => said.same += 1,
            None => {
                let said = Said { rank: words.rank, text: words.text.clone(), same: 1 };
                found.push((key, said));
            }
        }
    }
    found.into_iter().map(|(_, said)| said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[(usize, &str)]) -> Vec<String> {
        let words = |&(rank, text): &(usize, &str)| LastWords {
            at: SystemTime::UNIX_EPOCH,
            rank,
            text: text.to_owned(),
        };
        let all: Vec<LastWords> = all.iter().map(words).collect();
        once(&all, 4).iter().map(Said::told).collect()
    }

    #[test]
    fn what_several_say_is_told_once() {
        let told = of(&[(2, "no data"), (0, "no data"), (1, "no data")]);
        assert_eq!(told, ["rank 2: no data (2 others say the same)"]);
        assert_eq!(of(&[(1, "a"), (3, "b")]), ["rank 1: a", "rank 3: b"]);
        // Killed: nobody but the others can say so.
        let gone = "rank 2 is gone, as rank 1 saw in its all-reduce";
        let told = of(&[
            (1, &format!("row uda: rank 1 of 4: all-reduce: {gone} (reset by peer 127.0.0.1:1)")),
            (0, &format!("row uda: rank 0 of 4: mean of the gradients: {gone} (closed)")),
        ]);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("rank 1: row uda: ") && told[0].ends_with("says the same)"));
        let told = of(&[
            (1, &format!("rank 1 of 4: all-reduce: {gone} (reset by peer 127.0.0.1:1)")),
            (0, "rank 0 of 4: broadcast: rank 2 is gone (closed)"),
        ]);
        assert_eq!(told.len(), 1, "{told:?}");
        // One that said why need not be missed by the others.
        let told = of(&[
            (3, "a.png: no image"),
            (0, "rank 0 of 4: broadcast: rank 3 has stopped: a.png: no image (closed)"),
            (1, "rank 1 of 4: all-reduce: rank 3 has stopped: a.png: no image (reset)"),
        ]);
        assert_eq!(told, ["rank 3: a.png: no image"]);
        let told = of(&[
            (0, "no space"),
            (1, "rank 1 of 4: all-reduce: rank 0, which serves the store, is gone (reset)"),
        ]);
        assert_eq!(told, ["rank 0: no space"]);
    }
}
