//! Settings on the command line: how they are read, taken out, and refused.

use crate::tutor::{refused, result, run, run_folder};

/// The resolved recipe.
fn check(set: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &[&["check", "fixmatch/folder"], set].concat())
}

fn refuse(set: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    refused(dir.path(), &[&["check", "fixmatch/folder"], set].concat())
}

#[test]
fn the_type_of_the_key_decides() {
    for folder in ["2024-01-01", "2023", "1.50", "true", "007", "1e3"] {
        let (labeled, test) =
            (format!("data.labeled={folder}"), format!("data.test={folder}/test"));
        let text = check(&["--set", &labeled, "--set", &test, "--set", "train.steps=1e3"]);
        for line in [format!("labeled = \"{folder}\""), "steps = 1000".to_owned()] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }
    let said = refuse(&["--set", "data.labeled=2023", "--set", "train.steps=some"]);
    assert!(said.contains("steps = \"some\"") && !said.contains("2023"), "{said}");
    let said = refuse(&["--set", "data.size=[a]"]);
    assert!(said.contains("[a] is not TOML"), "{said}");
}

#[test]
fn a_setting_can_be_taken_out() {
    assert!(check(&[]).contains("[train.ema]"));
    let without = check(&["--unset", "train.ema"]);
    assert!(!without.contains("[train.ema]") && without.contains("changed: no train.ema"));
    let lr =
        ["--unset", "train.lr", "--set", "train.lr.kind=constant", "--set", "train.lr.value=1"];
    assert!(check(&lr).contains("kind = \"constant\""));
    for nothing in ["none", "false", "{}", ""] {
        let said = refuse(&["--set", &format!("train.ema={nothing}")]);
        assert!(said.contains("--unset train.ema"), "{said}");
    }
    let said = refuse(&["--unset", "train.emma"]);
    assert!(said.contains("no emma among batch, ema"), "{said}");
}

#[test]
fn what_is_run_is_what_is_named() {
    let text = check(&["--set", "method.kind=flexmatch", "--set", "net.width=8"]);
    assert!(text.contains("name = \"flexmatch/folder\""), "{text}");
    assert!(text.contains("about = 'flexmatch, by the recipe fixmatch/folder with"), "{text}");
    assert!(text.contains("net.width = 8"), "{text}");
    let dir = tempfile::tempdir().expect("a folder");
    let out =
        run(dir.path(), &["run", "fixmatch/folder", "--quick", "--set", "method.kind=flexmatch"]);
    let folder = run_folder(dir.path(), &out);
    assert!(folder.starts_with(dir.path().join("runs/flexmatch/folder")), "{}", folder.display());
    assert!(folder.join("seed-1/flexmatch/final.safetensors").exists());
    let found = result(&folder);
    assert_eq!(
        (&found["rows"][0]["name"], &found["paper"]),
        (&"flexmatch".into(), &"flexmatch".into())
    );
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the page");
    assert!(page.contains("flexmatch/folder") && page.contains("by the recipe fixmatch/folder"));
}

#[test]
fn a_rate_below_zero_and_what_is_no_number_are_refused() {
    for set in [
        "train.lr.from=-0.1",
        "train.lr.to=nan",
        "train.optim.weight_decay=-0.1",
        "method.threshold=inf",
        "train.ema.decay=1.5",
        "net.dropout=-0.5",
    ] {
        let key = set.split_once('=').expect("a key").0.rsplit('.').next().expect("a name");
        let said = refuse(&["--set", set]);
        assert!(said.contains(key), "{set}: {said}");
    }
}
