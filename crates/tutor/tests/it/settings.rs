//! Settings on the command line: how they are read, taken out, and refused.

use crate::tutor::{refused, run};

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
    assert!(!check(&["--unset", "train.ema"]).contains("ema"));
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
