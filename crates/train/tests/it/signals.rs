//! Processes of their own that are killed and asked to end: the test starts its own binary again as
//! a child.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use train::{Cadence, Checkpoint, Outcome};

use crate::{checkpoint, events, lab};

/// The variables that tell a child its folder and before which step, if any, it naps until it is
/// woken.
const FOLDER: &str = "TRAIN_TEST_FOLDER";
const NAP_AT: &str = "TRAIN_TEST_NAP_AT";

/// How long a test waits for a child, and a child for being woken.
const PATIENCE: Duration = Duration::from_secs(60);

const STEPS: u64 = 260;

fn setup() -> lab::Setup {
    let cadence = Cadence { log: 3, evaluate: 20, checkpoint: 7, keep: 2 };
    lab::Setup { cadence, ..lab::setup(STEPS) }
}

/// Starts the child below.
fn start(folder: &Path, nap_at: u64) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new(program)
        .args(["--ignored", "--exact", "signals::child", "--nocapture"])
        .env(FOLDER, folder)
        .env(NAP_AT, nap_at.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until something is so, or the child ends.
fn wait_until(child: &mut Child, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() && child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < PATIENCE, "the child takes no steps");
        sleep(Duration::from_micros(200));
    }
}

/// The step of the newest checkpoint in a folder that another process writes.
fn newest_step(folder: &Path) -> Option<u64> {
    let entries = fs::read_dir(folder.join("checkpoints")).into_iter().flatten().flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    names.filter_map(|n| n.strip_prefix("step-")?.get(..8)?.parse().ok()).max()
}

fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

#[test]
#[ignore = "a part of the tests below, which run it in a process of its own"]
fn child() {
    let folder = std::env::var(FOLDER).expect("the folder to train in");
    let nap_at: u64 = std::env::var(NAP_AT).unwrap().parse().unwrap();
    let folder = Path::new(&folder);
    let batch = |step| {
        // Steps that take a moment, so that kills come at all of them.
        sleep(Duration::from_millis(1));
        if step == nap_at {
            fs::write(folder.join("napping"), "").unwrap();
            let began = Instant::now();
            while !folder.join("wake").exists() && began.elapsed() < PATIENCE {
                if train::signals::interrupted() {
                    fs::write(folder.join("asked"), "").unwrap();
                }
                sleep(Duration::from_millis(1));
            }
        }
        lab::batch(step)
    };
    let (outcome, _) = lab::run_with(folder, &setup(), batch, &mut ()).unwrap();
    let word = if matches!(outcome, Outcome::Finished(_)) { "finished" } else { "interrupted" };
    fs::write(folder.join("outcome"), format!("{word} {}", outcome.summary().step)).unwrap();
}

#[test]
fn killed_at_random_moments_a_run_ends_the_same() {
    let unbroken = tempfile::tempdir().unwrap();
    let (_, expected) = lab::run(unbroken.path(), &setup(), &mut ()).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let mut random = 0x5eed_u64;
    let mut next = |below: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for kill in 0..5 {
        let target = kill * 33 + next(25);
        // A step at which it waits to be killed, should that take long.
        let mut child = start(folder.path(), target + 30);
        wait_until(&mut child, || newest_step(folder.path()).is_some_and(|s| s >= target));
        sleep(Duration::from_micros(next(20_000)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "kill {kill} came too late: {status}");
    }
    let newest = Checkpoint::read(&checkpoint::newest(folder.path())).unwrap();
    assert!(newest.run.step > 100 && newest.run.step < STEPS, "{}", newest.run.step);

    let status = start(folder.path(), STEPS).wait().unwrap();
    assert!(status.success(), "{status}");
    // This process reads what the child left: it resumes from the last step.
    let (outcome, found) = lab::run(folder.path(), &setup(), &mut ()).unwrap();
    assert_eq!(outcome.summary().resumed_from, Some(STEPS));
    assert_eq!(found, expected);
    assert_eq!(lab::record(folder.path()), lab::record(unbroken.path()));
    assert_eq!(events::rows(folder.path()), events::record_as_events(unbroken.path()));
    let left = fs::read_dir(folder.path().join("checkpoints")).unwrap().count();
    assert_eq!(left, 3, "two checkpoints and the best");
}

#[test]
fn a_first_signal_asks_for_a_checkpoint() {
    for name in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start(folder.path(), 30);
        wait_until(&mut child, || folder.path().join("napping").exists());
        signal(&child, name);
        wait_until(&mut child, || folder.path().join("asked").exists());
        fs::write(folder.path().join("wake"), "").unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
        // The step under way is completed; then comes the checkpoint.
        let outcome = fs::read_to_string(folder.path().join("outcome")).unwrap();
        assert_eq!(outcome, "interrupted 31");
        let newest = Checkpoint::read(&checkpoint::newest(folder.path())).unwrap();
        assert_eq!(newest.run.step, 31);
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(folder.path(), 2);
    wait_until(&mut child, || folder.path().join("napping").exists());
    signal(&child, "TERM");
    wait_until(&mut child, || folder.path().join("asked").exists());
    assert_eq!(child.try_wait().unwrap(), None, "the first signal waits for the step");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    assert!(!folder.path().join("outcome").exists());
}
