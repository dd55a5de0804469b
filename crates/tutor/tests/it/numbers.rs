//! What is no number is neither scored nor written.

use std::fs;

use crate::tutor::{refused, run, run_folder};

/// Images of 4x4 in batches of one leave batch norm a single value of a channel.
#[test]
fn statistics_that_are_no_numbers_stop_the_training() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = refused(
        dir.path(),
        &[
            "run",
            "fixmatch/folder",
            "--quick",
            "--set",
            "method.kind=supervised",
            "--set",
            "train.batch=1",
            "--set",
            "data={kind='synthetic',side=4,channels=3,classes=2,labels_per_class=4,unlabeled=8,validation=4,test=4}",
            "--set",
            "weak=none",
            "--set",
            "strong=none",
        ],
    );
    for word in ["step 0", "running_var", "NaN", "larger batches"] {
        assert!(said.contains(word), "{word} is missing in\n{said}");
    }
    assert!(!said.contains("accuracy"), "{said}");
}

/// Weights that an earlier program left.
#[test]
fn a_network_of_no_numbers_labels_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let quick = ["run", "fixmatch/folder", "--quick"];
    let folder = run_folder(dir.path(), &run(dir.path(), &quick));
    let weights = folder.join("seed-1/fixmatch/final.safetensors");
    let mut bytes = fs::read(&weights).expect("weights");
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights, bytes).expect("written");
    fs::create_dir_all(dir.path().join("images/a")).expect("made");
    image::RgbImage::new(32, 32).save(dir.path().join("images/a/0.png")).expect("written");
    let said = refused(dir.path(), &["predict", "runs/fixmatch/latest", "images"]);
    assert!(said.contains("NaN") && said.contains("a/0.png"), "{said}");
    assert!(!dir.path().join("labels.csv").exists());
}
