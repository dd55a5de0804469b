//! A run that is killed in any stage and started again ends with the same bits.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use augment::rng::Rng;

use crate::tutor::{command, has, killed, result, run, run_folder};

const ARGUMENTS: [&str; 9] = [
    "run",
    "noisy-student",
    "--quick",
    "--rows",
    "all",
    "--set",
    "cadence.checkpoint=3",
    "--set",
    "rows={no-filter={about='x',set={'labeling.select.min_confidence'=0.0}}}",
];

/// Files that every stage of a run writes, in their order.
const STAGES: [&str; 5] = [
    "teacher/checkpoints/step-",
    "student-1/pseudo-labels.csv",
    "student-1/checkpoints/step-",
    "student-2/checkpoints/step-",
    "no-filter/checkpoints/step-",
];

#[test]
fn killed_in_every_stage_it_ends_with_the_same_bits() {
    ends_with_the_same_bits(&["--threads", "1"]);
}

#[test]
fn killed_in_every_stage_it_ends_with_the_same_bits_on_two_threads() {
    ends_with_the_same_bits(&["--threads", "2"]);
}

fn ends_with_the_same_bits(threads: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = [&ARGUMENTS[..], threads].concat();
    let whole =
        run_folder(dir.path(), &run(dir.path(), &[&arguments[..], &["--out", "whole"]].concat()));
    let broken = [&arguments[..], &["--out", "broken"]].concat();
    let is_finished = match std::env::var("TUTOR_KILLS") {
        Ok(kills) => killed_at_random(dir.path(), &broken, kills.parse().expect("a number")),
        Err(_) => {
            killed(dir.path(), &broken, "broken", &STAGES);
            false
        }
    };
    if !is_finished {
        run(dir.path(), &broken);
    }
    let broken = dir.path().join("broken/noisy-student/latest");
    for stage in ["teacher", "student-1", "student-2", "rows/no-filter"] {
        for file in ["final.safetensors", "pseudo-labels.csv"] {
            let read = |run: &Path| std::fs::read(run.join("seed-1").join(stage).join(file)).ok();
            assert_eq!(read(&whole), read(&broken), "{stage}/{file}");
        }
    }
    assert_eq!(result(&whole)["rows"], result(&broken)["rows"]);
    let runs = std::fs::read_dir(dir.path().join("broken/noisy-student/digits"));
    assert_eq!(runs.expect("runs").count(), 1, "every start took up the same run");
}

/// Kills at so many random moments, a fixed series of them, which are not always in a training, or
/// until it has come to its end, which is what this returns: for a long test, whose number
/// `$TUTOR_KILLS` says.
fn killed_at_random(dir: &Path, arguments: &[&str], kills: usize) -> bool {
    let mut rng = Rng::new(7);
    (0..kills).any(|_| {
        let child = command(dir, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("started");
        std::thread::sleep(Duration::from_millis(150 + rng.below(1200) as u64));
        child.kill().expect("killed");
        child.wait().expect("ended");
        has(&dir.join("broken"), "result.json")
    })
}

#[test]
fn ctrl_c_ends_with_a_checkpoint_and_says_how_to_go_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = ["run", "noisy-student", "--set", "teacher.train.steps=100000"];
    let mut child = command(dir.path(), &arguments);
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
    let teacher = || {
        let runs = std::fs::read_dir(dir.path().join("runs/noisy-student/digits")).ok()?;
        let run = runs.flatten().next()?.path().join("seed-1/teacher");
        // It is in its training once a step is recorded.
        let record = run.join("metrics.jsonl").metadata().ok()?;
        (record.len() > 0).then_some(run)
    };
    while teacher().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the same command goes on"), "{said}");
    let checkpoints = teacher().expect("the stage").join("checkpoints");
    assert!(std::fs::read_dir(checkpoints).expect("checkpoints").count() > 0);
}

#[test]
fn a_finished_run_is_not_taken_up_and_fresh_begins_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = ["run", "noisy-student", "--quick"];
    let first = run_folder(dir.path(), &run(dir.path(), &arguments));
    let second = run_folder(dir.path(), &run(dir.path(), &arguments));
    assert_ne!(first, second);
}
