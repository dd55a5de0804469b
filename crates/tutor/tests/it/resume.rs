//! A run that is killed at any moment and started again ends with the same bits.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use augment::rng::Rng;

use crate::tutor::{command, result, run, run_folder};

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

#[test]
fn killed_at_random_moments_it_ends_with_the_same_bits() {
    killed(&["--threads", "1"]);
}

#[test]
fn killed_at_random_moments_it_ends_with_the_same_bits_on_two_threads() {
    killed(&["--threads", "2"]);
}

fn killed(threads: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = [&ARGUMENTS[..], threads].concat();
    let whole =
        run_folder(dir.path(), &run(dir.path(), &[&arguments[..], &["--out", "whole"]].concat()));
    let broken = [&arguments[..], &["--out", "broken"]].concat();
    // Kills come at random moments, a fixed series of them: four, or as many as $TUTOR_KILLS says.
    let kills =
        std::env::var("TUTOR_KILLS").map_or(4, |n| n.parse().expect("TUTOR_KILLS is a number"));
    let mut rng = Rng::new(7);
    let mut finished = false;
    for _ in 0..kills {
        let mut child = command(dir.path(), &broken)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        std::thread::sleep(Duration::from_millis(150 + rng.below(1200) as u64));
        child.kill().expect("killed");
        child.wait().expect("ended");
        // A fast machine may come to the end between two kills.
        finished = whole_runs(dir.path()) == 1;
        if finished {
            break;
        }
    }
    if !finished {
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
    assert_eq!(folders(dir.path()).len(), 1, "every start took up the same run");
}

/// The folders of the broken runs, whole ones and others.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let runs = std::fs::read_dir(dir.join("broken/noisy-student/digits"));
    runs.map_or(Vec::new(), |runs| runs.map(|run| run.expect("a folder").path()).collect())
}

fn whole_runs(dir: &Path) -> usize {
    folders(dir).iter().filter(|run| run.join("result.json").exists()).count()
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
        run.join("metrics.jsonl").exists().then_some(run)
    };
    while teacher().is_none() {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
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
