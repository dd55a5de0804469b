//! What becomes of tables of one's own that are not as they should be, and of what is written.

use std::fs;
use std::path::Path;

use crate::tutor::{call, refused, run, run_folder};

const WORDS: [[&str; 4]; 2] =
    [["dull", "boring", "awful", "slow"], ["fine", "lovely", "great", "warm"]];

/// A text of its own for each number; odd ones are good.
fn text(i: usize) -> String {
    format!("Film {i} was {} and {}", WORDS[i % 2][i / 2 % 4], WORDS[i % 2][i / 8 % 4])
}

/// A table of these texts with a label each, below this first line.
fn table(
    path: &Path,
    first: &str,
    numbers: std::ops::Range<usize>,
    label: impl Fn(usize) -> String,
) {
    let rows: String = numbers.map(|i| format!("{},{}\n", text(i), label(i))).collect();
    fs::write(path, format!("{first}\n{rows}")).expect("written");
}

/// No classifier of words learns from texts without one, and the reason is told.
#[test]
fn texts_without_a_word_are_told_of() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let rows: String = (0..24).map(|i| format!("{},{}\n", "+-".repeat(i + 1), i % 2)).collect();
    fs::write(dir.join("signs.csv"), format!("text,label\n{rows}")).expect("written");
    let more: String = (0..24).map(|i| "*".repeat(i + 1) + "\n").collect();
    fs::write(dir.join("more.txt"), more).expect("written");
    let fit = ["fit", "--text", "signs.csv", "--unlabeled", "more.txt", "--minutes", "0.05"];
    let said = call(dir, &fit);
    assert!(said.success, "{}", said.err);
    let why = "latent-semantic is left out, as no word is in ";
    assert!(said.err.contains(why), "{}", said.err);
}

#[test]
fn tables_are_scored_and_labelled_and_never_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let label = |i: usize| (i % 2).to_string();
    table(&dir.join("in.csv"), "t,y", 0..24, label);
    // Every second row of the test part has no label.
    let half = |i: usize| if i % 4 < 2 { label(i) } else { String::new() };
    table(&dir.join("test.csv"), "t,y", 100..140, half);
    let fit = ["fit", "--text", "in.csv", "--text-column", "t", "--minutes", "0.05"];
    let fit = [&fit[..], &["--test", "test.csv"]].concat();
    let plan = call(dir, &[&["check"], &fit[..]].concat());
    let bare = "test: 20 of the 40 texts have no label, and are neither measured nor learned from";
    assert!(plan.success && plan.err.contains(bare), "{}", plan.err);
    let folder = run_folder(dir, &run(dir, &fit));
    let run_path = folder.to_str().expect("UTF-8");

    // Labels go anywhere but to what is read.
    let before = fs::read(dir.join("in.csv")).expect("it");
    for out in ["in.csv", "./in.csv", "runs/../in.csv"] {
        let error = refused(dir, &["predict", run_path, "in.csv", "--out", out]);
        assert!(error.contains("would be lost"), "{error}");
    }
    assert_eq!(fs::read(dir.join("in.csv")).expect("it"), before);
    fs::create_dir(dir.join("tables")).expect("made");
    fs::copy(dir.join("test.csv"), dir.join("tables/a.csv")).expect("copied");
    let error = refused(dir, &["predict", run_path, "tables", "--out", "tables/labels.csv"]);
    assert!(error.contains("outside") && !dir.join("tables/labels.csv").exists(), "{error}");
    let shard = ["predict", run_path, "tables", "--shard", "1/2", "--out", "tables/labels"];
    assert!(refused(dir, &shard).contains("outside"));

    // With the texts they are a table to learn from.
    let labels = ["predict", run_path, "test.csv", "--with-text", "--out"];
    for (out, part) in [
        ("labels.csv", "id,label,confidence,p_0,p_1,t\ntest.csv/2,"),
        ("labels.jsonl", "\"id\":\"test.csv/2\",\"label\":"),
    ] {
        run(dir, &[&labels[..], &[out]].concat());
        let written = fs::read_to_string(dir.join(out)).expect("labels");
        assert!(written.contains(part) && written.contains(&text(139)), "{written}");
    }
    run(dir, &[&labels[..], &["labels.parquet"]].concat());
    for name in ["labels.csv", "labels.jsonl", "labels.parquet"] {
        let again = call(dir, &["check", "fit", "--text", name, "--text-column", "t"]);
        assert!(again.err.contains("40 labelled texts of 2 classes"), "{name}: {}", again.err);
    }
    fs::write(dir.join("named.csv"), format!("p_0\n{}\n", text(1))).expect("written");
    let named = ["predict", run_path, "named.csv", "--with-text", "--text-column", "p_0", "--out"];
    let error = refused(dir, &[&named[..], &["named-labels.csv"]].concat());
    assert!(error.contains("a column of the labels is named `p_0` too"), "{error}");
    run(dir, &["predict", run_path, "test.csv", "--out", "plain.csv"]);
    let plain = fs::read_to_string(dir.join("plain.csv")).expect("labels");
    assert!(plain.starts_with("id,label,confidence,p_0,p_1\ntest.csv/2,"), "{plain}");

    // Rows without a label are told of; a class that is another number is named.
    let scored = call(dir, &["eval", run_path, "test.csv"]);
    assert!(scored.out.contains("% of 20 texts"), "{}", scored.out);
    assert!(scored.err.contains("20 of the 40 texts have no label, and are not"), "{}", scored.err);
    table(&dir.join("floats.csv"), "t,y", 100..104, |i| format!("{}.0", i % 2));
    let error = refused(dir, &["eval", run_path, "floats.csv"]);
    assert!(error.contains("floats.csv line 2: no class `0.0` among 0, 1; it and `0`"), "{error}");
    // A column of a usual name is found by both commands, and told of.
    table(&dir.join("three.csv"), "Comment,label", 100..104, label);
    let told = "no column `t` in ";
    let scored = call(dir, &["eval", run_path, "three.csv"]);
    assert!(scored.success && scored.err.contains(told), "{}", scored.err);
    let said = call(dir, &["predict", run_path, "three.csv", "--out", "three-labels.csv"]);
    assert!(said.success && said.err.contains(told) && said.err.contains("`Comment`"));
    let error = refused(dir, &["eval", run_path, "three.csv", "--label-column", "y"]);
    assert!(error.contains("no column `y` among Comment, label"), "{error}");

    // Labels that may be one.
    table(&dir.join("mixed.csv"), "t,y", 0..24, |i| if i < 4 { label(i) + ".0" } else { label(i) });
    let error = refused(dir, &["check", "fit", "--text", "mixed.csv", "--text-column", "t"]);
    assert!(error.contains("`0.0` (2) are the same number"), "{error}");
    let error = refused(dir, &["check", "fit"]);
    assert!(error.contains("--labeled") && error.contains("--text"), "{error}");
    let weights = ["--weights", "efficientnet-lite0"];
    let error = refused(dir, &[&["check"], &fit[..], &weights].concat());
    assert!(error.contains("a net for pictures"), "{error}");
    for (weights, told) in [
        (".", "is no folder of the Hugging Face hub (no config.json)"),
        (run_path, "holds no pre-trained network of texts: name a run of `tutor pretrain`"),
    ] {
        let error = refused(dir, &[&["check"], &fit[..], &["--weights", weights]].concat());
        assert!(error.contains(told), "{error}");
    }
}
