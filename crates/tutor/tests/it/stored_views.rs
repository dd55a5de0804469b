//! Trainings on views that are stored behind the frozen stages of a network.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use torch::{Tensor, store};

use crate::tutor::{command, refused, run, run_folder};

/// A recipe whose first two stages stay as they are.
pub(crate) const RECIPE: &str = r#"
kind = "own-images"
name = "own-images/digits"
about = "Digits"
minutes = 30.0
net = { kind = "wide-resnet", depth = 10, width = 1 }
freeze = 2
unlabeled_ratio = 2
weak = [{ kind = "flip-crop", pad = 1 }]
strong = [{ kind = "flip-crop", pad = 2 }, { kind = "cutout", size = 3 }]
trial = { share = 0.0 }
cadence = { log = 1, evaluate = 0, checkpoint = 3, keep = 2 }

[data]
kind = "digits"
labels_per_class = 4

[train]
steps = 40
batch = 8
lr = { kind = "constant", value = 0.01 }
optim = { kind = "adamw", weight_decay = 0.01 }
ema = { decay = 0.9, warmup = true }

[[candidates]]
name = "fixmatch"
method = { kind = "fixmatch", threshold = 0.2, weak_pass = "apart" }

[[candidates]]
name = "mean-teacher"
method = { kind = "mean-teacher" }
"#;

pub(crate) fn arguments<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let keys = keys.iter().flat_map(|key| ["--set", key]);
    ["run", "recipe.toml"].into_iter().chain(keys).collect()
}

fn start() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("recipe.toml"), RECIPE).expect("written");
    dir
}

const ROWS: [&str; 2] = ["labels-alone", "fixmatch"];

pub(crate) fn network(folder: &Path, row: &str) -> Vec<(String, Tensor)> {
    let file = folder.join("seed-1").join(row).join("final.safetensors");
    store::load(&file).expect("a network").tensors.into_iter().collect()
}

/// The largest difference of two networks, for their largest number.
pub(crate) fn difference(one: &[(String, Tensor)], other: &[(String, Tensor)]) -> f64 {
    assert_eq!(one.len(), other.len());
    let apart = one.iter().zip(other).map(|((name, a), (same, b))| {
        assert_eq!(name, same);
        (a - b).abs().max().double_value(&[]) / a.abs().max().double_value(&[]).max(1e-3)
    });
    apart.fold(0.0, f64::max)
}

#[test]
fn what_is_stored_teaches_what_the_pictures_do() {
    let dir = start();
    let dir = dir.path();
    // Two stages, and all of them: then the last layer alone is trained.
    for freeze in ["freeze=2", "freeze=4"] {
        stored_teaches(dir, freeze);
    }
}

fn stored_teaches(dir: &Path, freeze: &str) {
    // Views that are not random, so that a stored one is the one that would be made.
    let fixed = ["weak=[]", "strong=[{kind='resize',size=8}]", "train.steps=12", freeze];
    let anew = run_folder(dir, &run(dir, &arguments(&fixed)));
    let stored = "stored_views={labeled=1,weak=1,strong=1}";
    let stored = run_folder(dir, &run(dir, &arguments(&[&fixed[..], &[stored]].concat())));
    let random = run_folder(dir, &run(dir, &arguments(&["train.steps=12", freeze])));
    for row in ROWS {
        let expected = network(&anew, row);
        let found = difference(&expected, &network(&stored, row));
        assert!(found < 1e-3, "{row}, {freeze}: {found}");
        // Other views teach something else, so that equal is not all that there can be.
        let other = difference(&expected, &network(&random, row));
        assert!(other > 0.02, "{row}, {freeze}: {other}");
    }
    assert!(!stored.join("seed-1/stored-views").exists(), "it is of no use any more");
}

#[test]
fn a_killed_run_goes_on_with_the_views_that_it_stored() {
    let dir = start();
    let dir = dir.path();
    let keys = ["stored_views={labeled=3,weak=2,strong=3}", "train.steps=200"];
    let first = [&arguments(&keys)[..], &["--out", "whole"]].concat();
    let whole = run_folder(dir, &run(dir, &first));
    let broken = [&arguments(&keys)[..], &["--out", "broken"]].concat();
    let mut child =
        command(dir, &broken).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
    let begun = |out: &str| {
        let runs = dir.join(out).join("own-images/digits");
        let runs = fs::read_dir(runs).into_iter().flatten().flatten();
        runs.map(|run| run.path().join("seed-1")).find(|seed| seed.exists())
    };
    let until = Instant::now() + Duration::from_secs(120);
    let seed = loop {
        let seed = begun("broken").filter(|seed| seed.join("fixmatch/checkpoints").exists());
        match seed {
            Some(seed) => break seed,
            None if child.try_wait().expect("known").is_some() || Instant::now() > until => {
                panic!("it did not come to its second training")
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    child.kill().expect("killed");
    child.wait().expect("ended");
    let before: Vec<String> = {
        let files = fs::read_dir(seed.join("stored-views")).expect("views").flatten();
        files.map(|file| file.file_name().into_string().expect("UTF-8")).collect()
    };
    // The labels alone take strong views of labelled pictures, the other methods weak ones.
    assert_eq!(before.len(), 3 + 3 + 2 + 3, "{before:?}");
    // One of them is gone, and is made again with the same numbers.
    let gone = before.iter().find(|name| name.starts_with("unlabeled-strong-1")).expect("it");
    fs::remove_file(seed.join("stored-views").join(gone)).expect("removed");
    let resumed = run_folder(dir, &run(dir, &broken));
    for row in ROWS {
        let (one, other) = (network(&whole, row), network(&resumed, row));
        assert_eq!(difference(&one, &other), 0.0, "{row}");
    }
}

#[test]
fn two_views_of_a_kind_are_two_stored_ones() {
    let dir = start();
    let dir = dir.path();
    let run_of = |weak: &str| {
        let weak = format!("stored_views={{labeled=1,weak={weak},strong=1}}");
        let teacher = ["candidates=[{name='mean-teacher',method={kind='mean-teacher'}}]", &weak];
        let folder =
            run_folder(dir, &run(dir, &arguments(&[&teacher[..], &["train.steps=10"]].concat())));
        fs::read_to_string(folder.join("seed-1/mean-teacher/metrics.jsonl")).expect("a record")
    };
    // With one stored view student and teacher see the same, and differ by what they learned alone.
    assert_ne!(run_of("1"), run_of("2"));
}

#[test]
fn stored_views_that_cannot_work_are_refused() {
    let dir = start();
    let dir = dir.path();
    let stored = "stored_views={labeled=2,weak=1,strong=0}";
    let error = refused(dir, &arguments(&[stored, "freeze=0", "train.swa={from=1,every=1}"]));
    for part in ["stored_views.strong", "freeze is 0", "train.swa"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let stored = "stored_views={labeled=2,weak=1,strong=2}";
    let mixes = "candidates=[{name='mixmatch',method={kind='mixmatch'}}]";
    let error = refused(dir, &arguments(&[stored, mixes, "strong=[{kind='ctaugment'}]"]));
    for part in ["mixmatch mixes or turns", "CTAugment"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
