//! Frozen features of a folder of pictures in turn with PyTorch's, decoding included: `folder` is
//! answered with the seconds of all of them.

use super::measure::{commit, example, processor, versions};
use super::runner::{Runner, TUNED, least, medians};
use crate::{venv, workspace};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::process::Command;

const PRECISIONS: [&str; 2] = ["float32", "bfloat16"];

/// A short script, and PyTorch's best settings.
const PEERS: [&str; 4] = ["plain", "float32", "bfloat16", "compile"];

/// `rounds` turns of each side.
pub(super) fn run(rounds: usize) -> Result<String> {
    let root = workspace::root();
    let program = example("benches", "features_folder")?;
    let python = venv::python(&root, "requirements.txt")?;
    let script = root.join("xtask/peers/bench_features_folder.py");
    let data = tempfile::tempdir()?;
    workspace::run(Command::new(&python).arg(&script).arg("make").arg(data.path()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runners = Vec::new();
    for precision in PRECISIONS {
        let mut command = Command::new(&program);
        command.arg(data.path()).args([&threads.to_string(), precision]);
        runners.push(Runner::start(&mut command, &format!("ours {precision}"), threads)?);
    }
    let ours = runners.len();
    for mode in PEERS {
        let mut command = Command::new(&python);
        command.arg(&script).arg(data.path()).args([&threads.to_string(), mode]);
        // What a short script has is what Python comes with.
        if mode != PEERS[0] {
            command.envs(TUNED);
        }
        runners.push(Runner::start(&mut command, &format!("PyTorch {mode}"), threads)?);
    }
    let times = medians(&mut runners, "folder", rounds)?;
    let pictures = runners[0].ask("pictures")?.context("the pictures of a folder")?;
    let mut out = String::new();
    writeln!(out, "    cargo xtask bench features --peers --rounds {rounds}\n")?;
    writeln!(
        out,
        "Commit {}; {}, {threads} threads; {}. {pictures} JPEG pictures of 400 x 400 pixels, read, \
         decoded, resized to 224 and shown to EfficientNet-Lite0, 32 at once; the median of \
         {rounds} turns.\n",
        commit()?,
        processor(),
        versions(&python, &["torch", "timm", "pillow"])?,
    )?;
    writeln!(out, "| side | pictures a second | most memory, MiB |\n| --- | ---: | ---: |")?;
    for (runner, seconds) in runners.iter_mut().zip(&times) {
        let mib = runner.ask("peak")?.context("the memory of a process")?;
        writeln!(out, "| {} | {:.1} | {mib:.0} |", runner.name, pictures / seconds)?;
    }
    let best = least(&times[..ours]);
    let [plain, theirs] = [times[ours], least(&times[ours + 1..])].map(|seconds| seconds / best);
    writeln!(
        out,
        "\nOurs at its best takes {plain:.1} times as many as the plain script, {theirs:.2} times \
         as many as PyTorch at its best.\n"
    )?;
    Ok(out)
}
