//! Methods for unlabelled images start from labels that spread to images near the labelled ones.

use std::fs;
use std::path::Path;

use crate::stored_views::{RECIPE, arguments, difference, network};
use crate::tutor::{refused, result, run, run_folder};

/// A recipe of few labels, from weights that a run of `RECIPE` without them learned.
fn begin(dir: &Path) -> Vec<&'static str> {
    fs::write(dir.join("recipe.toml"), RECIPE).expect("written");
    let learned = run_folder(dir, &run(dir, &arguments(&["data.labels_per_class=40", "freeze=0"])));
    let learned = learned.to_str().expect("UTF-8");
    run(dir, &["export", learned, "--safetensors", "net.safetensors"]);
    vec!["weights=net.safetensors", "train.steps=10", "spread_labels={neighbours=5,alpha=0.9}"]
}

#[test]
fn a_single_label_of_a_class_spreads() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let keys = [begin(dir), vec!["data.labels_per_class=1"]].concat();
    let with = run_folder(dir, &run(dir, &arguments(&keys)));
    let without = [&keys[..2], &keys[3..]].concat();
    let without = run_folder(dir, &run(dir, &arguments(&without)));
    // What the labels alone give does not depend on unlabelled images.
    let rows = ["frozen-features", "labels-alone", "fixmatch"];
    let apart = rows.map(|row| difference(&network(&with, row), &network(&without, row)));
    assert_eq!(apart[..2], [0.0, 0.0]);
    assert!(apart[2] > 1e-3, "{apart:?}");
    let found = fs::read_to_string(with.join("seed-1/spread.json")).expect("it");
    let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found["used"], true);
    assert_eq!(found["right"], serde_json::Value::Null, "nothing can be held out");
    let notes = result(&with)["notes"].to_string();
    assert!(notes.contains("those that spread to"), "{notes}");
    assert!(notes.contains("no label can be held out"), "{notes}");
    // Nothing tells whether training makes it better, so it is kept, and used.
    assert!(notes.contains("Kept: spread-labels;"), "{notes}");
    let names = |folder: &Path| {
        let rows = result(folder)["rows"].as_array().expect("rows").clone();
        let name = |row: &serde_json::Value| row["name"].as_str().expect("text").to_owned();
        rows.iter().map(name).collect::<Vec<_>>()
    };
    assert!(names(&with).contains(&"spread-labels".to_owned()));
    assert!(!names(&without).contains(&"spread-labels".to_owned()));
    assert!(!result(&without)["notes"].to_string().contains("spread"));
    let (with, without) = (with.to_str().expect("UTF-8"), without.to_str().expect("UTF-8"));
    let error = refused(dir, &["eval", without, ".", "--model", "spread-labels"]);
    assert!(error.contains("its networks are frozen-features, labels-alone, fixmatch"), "{error}");
    let error = refused(dir, &["eval", with, ".", "--model", "other"]);
    assert!(error.contains("frozen-features, spread-labels, labels-alone"), "{error}");
}

#[test]
fn labels_spread_if_held_out_ones_say_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let keys = [begin(dir), vec!["data.labels_per_class=3"]].concat();
    let folder = run_folder(dir, &run(dir, &arguments(&keys)));
    let found = fs::read_to_string(folder.join("seed-1/spread.json")).expect("it");
    let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    let right: Vec<i64> = serde_json::from_value(found["right"].clone()).expect("three numbers");
    let [all, alone, spread] = right[..] else { panic!("{right:?}") };
    assert_eq!(all, 30, "each label is held out once");
    let used = spread > alone;
    assert_eq!(found["used"], used);
    assert_eq!(folder.join("seed-1/heads/all-spread.safetensors").exists(), used);
    let notes = result(&folder)["notes"].to_string();
    let told =
        format!("it got {spread} of 30 held-out labels right, that of the labels alone {alone}");
    assert_eq!(notes.contains(&told), used, "{notes}");
}

#[test]
fn labels_that_cannot_spread_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("recipe.toml"), RECIPE).expect("written");
    let odd = ["spread_labels={neighbours=0,alpha=1.0}"];
    let error = refused(dir.path(), &arguments(&odd));
    for part in ["spread_labels.neighbours", "spread_labels.alpha", "name some"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
