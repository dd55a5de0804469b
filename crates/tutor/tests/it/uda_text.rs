//! Methods on labelled and unlabelled texts, as a user runs them.

use std::fs;
use std::path::Path;

use crate::finetune::network;
use crate::tutor::{began_with_another, call, killed, refused, result, run, run_folder};

const QUICK: [&str; 7] = ["run", "uda-text", "--quick", "--threads", "1", "--seeds", "1"];

fn names(result: &serde_json::Value, of: &str) -> Vec<String> {
    let all = result[of].as_array().expect("a list").iter();
    all.map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn rows_are_methods_starts_and_numbers_of_labels() {
    let dir = tempfile::tempdir().expect("a folder");
    let rows =
        "supervised,fixmatch,uda-switchout,uda-tf-idf,uda-bt,own-uda-tf-idf,supervised-tf-idf";
    let arguments = ["run", "uda-text/imdb", "--quick", "--threads", "1", "--labels", "20,200"];
    let arguments =
        [&arguments[..], &["--set", "epochs=0", "--set", "method.tsa=linear", "--rows", rows]]
            .concat();
    let arguments = [&arguments[..], &["--seeds", "1"]].concat();
    let called = call(dir.path(), &arguments);
    assert!(called.success, "{}", called.err);
    assert!(called.err.contains("uda-bt is left out"), "{}", called.err);
    // A row that only has another number of labels.
    let other = "supervised-tf-idf is left out: it is for 4000 labels, not for 20, 200.";
    assert!(called.err.contains(other), "{}", called.err);
    let folder = run_folder(dir.path(), &called.out);
    let result = result(&folder);
    let mut expected = Vec::new();
    for labels in [20, 200] {
        for row in ["supervised", "fixmatch", "uda-switchout", "uda-tf-idf", "own-uda-tf-idf"] {
            expected.push(format!("{labels} labels, {row}"));
        }
    }
    assert_eq!(names(&result, "rows"), expected);
    let compared = names(&result, "comparisons");
    assert!(compared.contains(&"200 labels, uda-tf-idf - 200 labels, supervised".to_owned()));
    assert!(result["notes"].to_string().contains("no paraphrases at imdb-paraphrases"));
    assert!(result["notes"].to_string().contains(other));
    let alone = ["check", "uda-text/imdb", "--labels", "20", "--rows", "supervised-tf-idf"];
    let said = refused(dir.path(), &alone);
    assert!(said.contains("no row is left") && said.contains("4000 labels"), "{said}");
    // All rows that the recipe runs by itself, with one number of labels.
    let said = run(dir.path(), &["check", "uda-text/imdb", "--labels", "20"]);
    assert!(
        said.contains("name = \"uda-tf-idf\"") && !said.contains("name = \"supervised-bt\""),
        "{said}"
    );
    let page = fs::read_to_string(folder.join("report.html")).expect("the page");
    for words in [
        "Texts, and what the views make of them",
        "SwitchOut, temperature 0.08",
        "Threshold of training signal annealing",
        "Unlabelled texts that count",
        "What the trainings took",
        "loss at masked tokens",
        "As labels grow",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let run_path = folder.to_str().expect("UTF-8");
    fs::write(dir.path().join("more.txt"), "We hold the union dear.\n").expect("written");
    let model = ["predict", run_path, "more.txt", "--out", "said.csv", "--model", "uda-tf-idf"];
    run(dir.path(), &model);
    let said = fs::read_to_string(dir.path().join("said.csv")).expect("said");
    assert!(said.contains("1790 to 1899"), "{said}");
}

#[test]
fn every_method_without_pixels_learns_from_texts() {
    let dir = tempfile::tempdir().expect("a folder");
    for kind in [
        "temporal-ensembling",
        "mean-teacher",
        "pi-model",
        "vat",
        "vadd",
        "sntg",
        "flexmatch",
        "freematch",
        "softmatch",
        "adamatch",
    ] {
        let method = format!("method={{kind='{kind}'}}");
        let own = ["--rows", "uda-tf-idf", "--set", &method, "--set", "train.ema={decay=0.9}"];
        run(dir.path(), &[&QUICK[..], &own].concat());
    }
}

#[test]
fn paraphrases_and_weights_are_read_where_they_are() {
    let dir = tempfile::tempdir().expect("a folder");
    network(dir.path(), "bert_tf");
    let data = dir.path().join("data");
    fs::create_dir_all(data.join("imdb-paraphrases")).expect("a folder");
    let file = data.join("imdb-paraphrases/para_0.txt");
    fs::write(&file, "one line\n").expect("written");
    let arguments = ["run", "uda-text/imdb", "--quick", "--threads", "1", "--seeds", "1"];
    let given = ["--data", "data", "--set", "weights=bert_tf"];
    // It has 12 positions.
    let short = ["--set", "layout.longest=12", "--set", "pretraining.sequences.longest=12"];
    let rows = ["--rows", "supervised,uda-bt,given-supervised,tuned-supervised"];
    let arguments = [&arguments[..], &given, &short, &rows].concat();
    let said = refused(dir.path(), &arguments);
    let count = said.split("1 lines for ").nth(1).and_then(|rest| rest.split(' ').next());
    let count: usize = count.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    let lines = "these words stand for a passage of about forty words in all of the tests that \
                 there are here and so it goes on and on for a while\n";
    fs::write(&file, lines.repeat(count)).expect("written");
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let all = names(&result(&folder), "rows");
    let expected = ["supervised", "uda-bt", "given-supervised", "tuned-supervised"];
    assert_eq!(all, expected.map(|row| format!("20 labels, {row}")));
    assert!(folder.join("text/given/net/pretraining.json").is_file());
    let said = began_with_another(dir.path(), &folder, &arguments, "weights");
    assert!(said.contains("the weights or their vocabulary are no longer those"), "{said}");
    let rows = ["--rows", "given-supervised", "--set", "weights=nowhere", "--out", "none"];
    let first = ["run", "uda-text/imdb", "--quick", "--threads", "1"];
    let said = refused(dir.path(), &[&first[..], &rows].concat());
    assert!(said.contains("no row can be run") && said.contains("no network at nowhere"), "{said}");
}

#[test]
fn killed_at_some_moment_it_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let rows = ["--rows", "fixmatch,uda-tf-idf"];
    let steps = ["--set", "train.steps=30", "--set", "cadence.checkpoint=5"];
    let whole = [&QUICK[..], &rows, &steps, &["--out", "whole"]].concat();
    let broken = [&QUICK[..], &rows, &steps, &["--out", "broken", "--set", "workers=2"]].concat();
    let whole = run_folder(dir.path(), &run(dir.path(), &whole));
    let files = [
        "vocabulary/tokenizer.json",
        "fixmatch/10-labels/checkpoints/step-",
        "uda-tf-idf/10-labels/checkpoints/step-",
    ];
    killed(dir.path(), &broken, "broken", &files);
    run(dir.path(), &broken);
    let arguments = broken;
    let broken = dir.path().join("broken/uda-text/latest");
    for file in ["fixmatch", "uda-tf-idf"] {
        let file = format!("seed-1/{file}/10-labels/final.safetensors");
        let read = |run: &Path| fs::read(run.join(&file));
        assert_eq!(read(&whole).expect("whole"), read(&broken).expect("broken"), "{file}");
    }
    assert_eq!(result(&whole)["rows"], result(&broken)["rows"]);
    let said = began_with_another(dir.path(), &broken, &arguments, "labelled");
    assert!(said.contains("the labelled texts are no longer those"), "{said}");
}

#[test]
fn what_cannot_work_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let refused_with = |change: &str| {
        refused(dir.path(), &["run", "uda-text", "--rows", "uda-uniform", "--set", change])
    };
    for kind in ["lga-vat", "ict", "mixmatch", "remixmatch", "mixmixup", "s4l"] {
        let said = refused_with(&format!("method={{kind='{kind}'}}"));
        assert!(said.contains("it cannot learn from texts"), "{kind}: {said}");
    }
    let said = refused_with("method={kind='mean-teacher'}");
    assert!(said.contains("train.ema"), "{said}");
    let said = refused_with("strong.probability=1.5");
    assert!(said.contains("strong: probability: is 1.5"), "{said}");
    let said = refused_with("start={pretrain=true}");
    assert!(said.contains("[pretraining]"), "{said}");
    let said = refused_with("start={from='weights'}");
    assert!(said.contains("`weights` names none"), "{said}");
    let said = refused_with("labels=[7]");
    assert!(said.contains("7") && said.contains("5 classes"), "{said}");
    let said = refused_with("text={kind='addresses',first_years=[1900,1800]}");
    assert!(said.contains("rising"), "{said}");
    let said = refused_with("net.positions=8");
    assert!(said.contains("net.positions"), "{said}");
    let said = refused(dir.path(), &["run", "uda-text/imdb"]);
    assert!(said.contains("--data"), "{said}");
}
