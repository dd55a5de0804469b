//! Pre-training steps of ELECTRA in turn with PyTorch's, fine-tuning steps and prediction with
//! transformers', and files of tokens with plain Python's and the package `tokenizers`.

use super::measure::{commit, example, processor, versions};
use super::runner::{Runner, TUNED, least, medians, on_one_core, step_table};
use crate::{venv, workspace};
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const PRECISIONS: [&str; 2] = ["float32", "bfloat16"];

/// A preset and what a step of it is.
const PRESETS: [(&str, &str); 3] = [
    ("tiny", "4 layers, 128 wide, 64 sequences of 128 tokens"),
    ("mini", "6 layers, 192 wide, 64 sequences of 128 tokens"),
    ("small", "12 layers, 256 wide, 16 sequences of 128 tokens"),
];

/// Steps of fine-tuning of a turn.
const STEPS: usize = 16;

/// Batches that transformers' pipeline is tried with.
const PIPELINE: [&str; 2] = ["1", "16"];

/// Both sides of all cases.
struct Sides {
    program: PathBuf,
    python: PathBuf,
    script: PathBuf,
    data: tempfile::TempDir,
    threads: usize,
}

impl Sides {
    fn start(
        &self,
        mut command: Command,
        name: &str,
        case: [&str; 2],
        mode: &[&str],
    ) -> Result<Runner> {
        let [what, precision] = case;
        let threads = self.threads;
        command.arg(what).arg(self.data.path()).args([&threads.to_string(), precision]).args(mode);
        Runner::start(&mut command, &[&[name, precision], mode].concat().join(" "), threads)
    }

    fn ours(&self, what: &str, precision: &str) -> Result<Runner> {
        self.start(Command::new(&self.program), "ours", [what, precision], &[])
    }

    fn theirs(&self, name: &str, what: &str, precision: &str, mode: &[&str]) -> Result<Runner> {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).envs(TUNED);
        self.start(command, name, [what, precision], mode)
    }

    /// Ours in both precisions, and as many of theirs for each of `modes`.
    fn all(&self, name: &str, what: &str, modes: &[&[&str]]) -> Result<Vec<Runner>> {
        let mut runners = Vec::new();
        for precision in PRECISIONS {
            runners.push(self.ours(what, precision)?);
        }
        for precision in PRECISIONS {
            for mode in modes {
                runners.push(self.theirs(name, what, precision, mode)?);
            }
        }
        Ok(runners)
    }
}

/// `rounds` turns of each side.
pub(super) fn run(rounds: usize) -> Result<String> {
    let root = workspace::root();
    let sides = Sides {
        program: example("benches", "electra")?,
        python: venv::python(&root, "requirements.txt")?,
        script: root.join("xtask/peers/bench_electra.py"),
        data: tempfile::tempdir()?,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    workspace::run(Command::new(&sides.program).arg("make").arg(sides.data.path()))?;
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench electra --peers --rounds {rounds}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {} threads; {}. The median of {rounds} turns. PyTorch has the settings of \
         allocator and OpenMP that ours takes; texts for the pipeline are sorted by length; \
         transformers' ELECTRA has no fused attention.\n",
        commit()?,
        processor(),
        sides.threads,
        versions(&sides.python, &["torch", "transformers", "tokenizers"])?,
    )?;
    out += &building(&sides, rounds)?;
    for (preset, what) in PRESETS {
        writeln!(out, "### A pre-training step: {preset}, {what}\n")?;
        let mut runners = sides.all("PyTorch", preset, &[&["eager"], &["compile"]])?;
        // Once, so that what is compiled is compiled.
        for runner in &mut runners {
            runner.ask("steps 1")?;
        }
        out += &step_table(&mut runners, PRECISIONS.len(), "steps 1", rounds)?;
    }
    writeln!(out, "### A fine-tuning step: ELECTRA-Small, 32 sentences of 4 to 128 tokens\n")?;
    let mut runners = sides.all("transformers", "finetune", &[&[]])?;
    out += &step_table(&mut runners, PRECISIONS.len(), &format!("steps {STEPS}"), rounds)?;
    drop(runners);
    out += &predicting(&sides, rounds)?;
    Ok(out)
}

/// From a text file to files of tokens, on one core.
fn building(sides: &Sides, rounds: usize) -> Result<String> {
    let start = |program: &Path, script: Option<&Path>, name: &str, what: &str| {
        let mut command = on_one_core(program);
        command.args(script).arg(what).arg(sides.data.path()).args(["1", "float32"]);
        command.env("RAYON_NUM_THREADS", "1").env("TOKENIZERS_PARALLELISM", "false");
        Runner::start(&mut command, name, 1)
    };
    let peer = |name, what| start(&sides.python, Some(&sides.script), name, what);
    let mut runners = [
        start(&sides.program, None, "ours", "build")?,
        peer("plain Python", "build")?,
        peer("`tokenizers` alone", "tokenize")?,
    ];
    let bytes = std::fs::metadata(sides.data.path().join("text.txt"))?.len() as f64;
    let seconds = medians(&mut runners, "build", rounds)?;
    let mut out = "### From text to files of tokens, one core\n\n".to_owned();
    writeln!(out, "| side | MB/s | sequences | most memory, MiB |\n| --- | ---: | ---: | ---: |")?;
    for (place, (runner, seconds)) in runners.iter_mut().zip(&seconds).enumerate() {
        let made = match place {
            0 | 1 => format!("{}", runner.ask("sequences")?.context("the number of sequences")?),
            _ => String::new(),
        };
        let mib = runner.ask("peak")?.context("the memory of a process")?;
        writeln!(out, "| {} | {:.2} | {made} | {mib:.0} |", runner.name, bytes / seconds / 1e6)?;
    }
    let [python, library] = [1, 2].map(|side| seconds[side] / seconds[0]);
    writeln!(
        out,
        "\nOurs is {python:.1} times as fast as Python, {library:.2} times `tokenizers`.\n"
    )?;
    Ok(out)
}

/// From texts to classes.
fn predicting(sides: &Sides, rounds: usize) -> Result<String> {
    let batches = PIPELINE.map(|batch| [batch]);
    let modes = batches.each_ref().map(<[&str; 1]>::as_slice);
    let mut runners = sides.all("pipeline", "predict", &modes)?;
    let seconds = medians(&mut runners, "predict", rounds)?;
    let mut out = "### 256 texts to classes: ELECTRA-Small, 40 to 512 tokens\n\n".to_owned();
    writeln!(out, "| side | texts/s | most memory, MiB |\n| --- | ---: | ---: |")?;
    for (runner, seconds) in runners.iter_mut().zip(&seconds) {
        let mib = runner.ask("peak")?.context("the memory of a process")?;
        writeln!(out, "| {} | {:.1} | {mib:.0} |", runner.name, 256.0 / seconds)?;
    }
    let (ours, theirs) = seconds.split_at(PRECISIONS.len());
    let both = [ours[0], least(ours)].map(|ours| least(theirs) / ours);
    let mut yes = Vec::new();
    for runner in &mut runners {
        yes.push(runner.ask("yes")?.context("the mean probability of a class")?);
    }
    // The first of theirs computes in float32 too.
    let (own, other) = (yes[0], yes[PRECISIONS.len()]);
    ensure!((own - other).abs() < 1e-5, "a class has the mean probabilities {own} and {other}");
    writeln!(
        out,
        "\nOurs at its best classes {:.2} times as many as the pipeline at its best; in float32, in \
         which `tutor predict` works if it is not asked for bfloat16, {:.2} times.\n",
        both[1], both[0]
    )?;
    Ok(out)
}
