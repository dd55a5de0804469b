//! `tutor fit --text`: from tables of texts to a classifier, within its time.

use std::fs;
use std::path::Path;

use crate::tutor::{call, differs_a_little_in_bfloat16, killed, refused, result, run, run_folder};

const GOOD: [&str; 6] = ["fine", "lovely", "great", "moving", "bright", "warm"];
const BAD: [&str; 6] = ["dull", "boring", "awful", "empty", "cold", "slow"];
const THINGS: [&str; 5] = ["film", "story", "cast", "music", "ending"];

/// A review of its own for each number; even ones are good.
pub(crate) fn review(i: usize) -> String {
    let words = if i.is_multiple_of(2) { GOOD } else { BAD };
    let (thing, other) = (THINGS[i % 5], THINGS[(i / 5) % 5]);
    let (first, second) = (words[i / 2 % 6], words[i / 12 % 6]);
    format!("The {thing} number {i} was {first}. Its {other} seemed {second}, \"as they say\".")
}

fn table(path: &Path, numbers: std::ops::Range<usize>) {
    let mut writer = csv::Writer::from_path(path).expect("a table");
    writer.write_record(["y", "t"]).expect("a row");
    for i in numbers {
        let label = if i.is_multiple_of(2) { "good" } else { "bad" };
        writer.write_record([label, &review(i)]).expect("a row");
    }
    writer.flush().expect("written");
}

/// Labelled, unlabelled and test texts.
pub(crate) fn texts(dir: &Path) {
    table(&dir.join("reviews.csv"), 0..24);
    table(&dir.join("test.csv"), 100..124);
    let lines: String = (200..260).map(|i| review(i) + "\n").collect();
    fs::write(dir.join("more.txt"), lines).expect("written");
}

/// The classifier in `hub` drops messages of a recipe of conversations: with a probability of 0 all
/// of them, and what it does not know is named.
fn refuses_messages(dir: &Path) {
    let turns = (0..90).map(|i| if i % 3 == 2 { "\n".to_owned() } else { review(i) + "\n" });
    fs::write(dir.join("talk.txt"), turns.collect::<String>()).expect("written");
    let path = dir.join("talk.txt").display().to_string();
    let data = format!("data={{kind=\"files\",sources=[{{path={path:?},format=\"blocks\"}}]}}");
    let refuse = |class: &str, from: f64| {
        let classifier =
            format!("classifier={{weights=\"hub\",refuse=[\"{class}\"],from={from:?}}}");
        refused(dir, &["run", "meena", "--quick", "--set", &data, "--set", &classifier])
    };
    let error = refuse("bad", 0.0);
    assert!(error.contains("part has no pair"), "{error}");
    assert!(refuse("mean", 0.5).contains("knows no class \"mean\""));
    assert!(refuse("bad", 1.5).contains("classifier.from"));
    // Classes that do not exclude each other are judged each for itself: all may be refused, and
    // none is the only one.
    let all = "bad\", \"good";
    assert!(refuse(all, 0.0).contains("all classes"));
    let config = dir.join("hub/config.json");
    let own = fs::read_to_string(&config).expect("written");
    let several = "{\"problem_type\": \"multi_label_classification\",";
    fs::write(&config, own.replacen('{', several, 1)).expect("written");
    let error = refuse(all, 0.0);
    assert!(error.contains("part has no pair"), "{error}");
    let error = refused(dir, &["eval", "--weights", "hub", "other.csv"]);
    assert!(error.contains("`problem_type` is multi_label") && error.contains("fit"), "{error}");
    // What cannot be read is known for a network of texts.
    fs::write(&config, own.replace("\"gelu\"", "\"relu\"")).expect("written");
    let error = refused(dir, &["eval", "--weights", "hub", "other.csv"]);
    assert!(error.contains("`hidden_act` is \"relu\""), "{error}");
    fs::write(&config, own).expect("written");
}

/// Labels that stand for none or differ in capital letters alone are not taken for classes unasked.
fn labels_that_are_hardly_meant(dir: &Path) {
    let fit = ["check", "fit", "--text", "odd.csv", "--text-column", "t"];
    let odd = |label: &str, i: usize| format!("{label},{}\n", review(i).replace(['"', ','], ""));
    let usual = fs::read_to_string(dir.join("reviews.csv")).expect("a table");
    let write = |label: &str| {
        fs::write(dir.join("odd.csv"), usual.clone() + &odd(label, 300)).expect("written");
    };
    write("unsup");
    let error = refused(dir, &fit);
    assert!(
        error.contains("odd.csv, column `y`") && error.contains("--no-label 'unsup'"),
        "{error}"
    );
    let asked = call(dir, &[&fit[..], &["--no-label", "unsup"]].concat());
    assert!(asked.success && asked.err.contains("(12 each), 1 unlabelled"), "{}", asked.err);
    assert!(asked.out.contains("no_label = [\"unsup\"]"), "{}", asked.out);
    write("none");
    let error = refused(dir, &fit);
    assert!(error.contains("--no-label 'none'") && error.contains("--class 'none'"), "{error}");
    let asked = call(dir, &[&fit[..], &["--class", "none"]].concat());
    assert!(asked.success && asked.err.contains("of 3 classes (1 to 12 each)"), "{}", asked.err);
    assert!(asked.out.contains("class = [\"none\"]"), "{}", asked.out);
    write("Good");
    let error = refused(dir, &fit);
    assert!(error.contains("`Good` (1 of the labels) and `good` (12)"), "{error}");
    let numbers = usual.replace("good,", "1,").replace("bad,", "0,") + &odd("-1", 300);
    fs::write(dir.join("odd.csv"), numbers).expect("written");
    let plan = call(dir, &fit);
    assert!(plan.success && plan.err.contains("-1 is a class here (once)"), "{}", plan.err);
    let asked = call(dir, &[&fit[..], &["--no-label", "-1"]].concat());
    assert!(asked.success && asked.err.contains("of 2 classes (12 each)"), "{}", asked.err);
}

pub(crate) fn fit<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let first = ["fit", "--text", "reviews.csv", "--label-column", "y", "--text-column", "t"];
    [&first[..], more].concat()
}

const ALL: [&str; 6] = ["--unlabeled", "more.txt", "--test", "test.csv", "--minutes", "0.1"];

#[test]
fn tables_become_a_classifier_and_its_report() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    texts(dir);
    let plan = call(dir, &[&["check"], &fit(&ALL)[..]].concat());
    assert!(plan.success, "{}", plan.err);
    let data = "data: 24 labelled texts of 2 classes (12 each), 60 unlabelled, 24 test";
    assert!(plan.err.contains(data), "{}", plan.err);
    assert!(!dir.join("runs").exists(), "check ran something");

    let folder = run_folder(dir, &run(dir, &fit(&ALL)));
    let found = result(&folder);
    let compared = &found["comparisons"][0];
    assert_eq!(compared["name"], "latent-semantic - words");
    assert_eq!(compared["examples"], 24);
    assert!(compared["ci95"][0].as_f64() < compared["ci95"][1].as_f64());
    let baseline = found["rows"].as_array().expect("rows").iter();
    let baseline: Vec<_> = baseline.filter(|row| row["name"] == "always `bad`").collect();
    assert_eq!((baseline.len(), baseline[0]["mean"].as_f64()), (2, Some(50.0)));
    assert!(!found["notes"].to_string().contains("expected numbers"), "{}", found["notes"]);
    let report = fs::read_to_string(folder.join("report.md")).expect("a report");
    for part in [
        "test accuracy",
        "balanced over classes",
        "calibration error (ECE)",
        "Labelling only the sure ones",
        "| share labelled, % | threshold | texts | precision, % | 95 % interval, % |",
        "Each threshold was chosen on the same 24 texts",
        "Class by class",
        "The surest mistakes",
        "Texts to label next",
    ] {
        assert!(report.contains(part), "{part} is missing");
    }
    let page = fs::read_to_string(folder.join("report.html")).expect("the page");
    assert!(page.contains("Confusion"));
    let next = fs::read(folder.join("seed-1/label-next.csv")).expect("a list");
    let mut next = csv::Reader::from_reader(&next[..]);
    let columns = ["id", "predicted", "or", "probability", "margin", "text"];
    assert_eq!(next.headers().expect("names"), &columns[..]);
    let rows: Vec<csv::StringRecord> = next.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 60);
    assert!(report.contains("label-next.csv of the seed's folder lists 60 of them"), "{report}");
    // What was guessed is not taken for labels.
    let error = refused(
        dir,
        &["check", "fit", "--text", folder.join("seed-1/label-next.csv").to_str().expect("UTF-8")],
    );
    assert!(error.contains("--label-column"), "{error}");
    assert!(rows.iter().all(|row| row[0].starts_with("more.txt/") && row[5].starts_with("The ")));

    // The classifier that was kept labels and is scored; the recipe is the same run again.
    let run_path = folder.to_str().expect("UTF-8");
    for out in ["labels.csv", "labels.jsonl", "labels.parquet"] {
        run(dir, &["predict", run_path, "more.txt", "--out", out]);
    }
    let labels = fs::read_to_string(dir.join("labels.csv")).expect("labels");
    assert_eq!(labels.lines().count(), 61);
    let scored = run(dir, &["eval", run_path, "test.csv"]);
    let kept = found["notes"].to_string();
    let row = if kept.contains("Kept: words") { "words" } else { "latent-semantic" };
    let rows = found["rows"].as_array().expect("rows");
    let accuracy = rows.iter().find(|r| r["name"] == row && r["metric"] == "test accuracy");
    let accuracy = accuracy.expect("its row")["per_seed"][0].as_f64().expect("a number");
    assert!(scored.contains(&format!("accuracy {accuracy:.2} % of 24 texts")), "{scored}");
    let recipe = folder.join("recipe.toml");
    let again = run(dir, &["check", recipe.to_str().expect("UTF-8")]);
    assert_eq!(again.trim(), fs::read_to_string(recipe).expect("it").trim());
    let error = refused(dir, &["export", run_path, "--hub", "hub"]);
    assert!(error.contains("linear classifier") && error.contains("--model"), "{error}");
    let halved = ["predict", run_path, "more.txt", "--out", "half.csv", "--precision", "bfloat16"];
    let error = refused(dir, &halved);
    assert!(
        error.contains("name a network by --model") && !dir.join("half.csv.part").exists(),
        "{error}"
    );
    // What cannot be read ends it, or is left out where that is asked for.
    let bad = "y,t\ngood,The film was fine.\ngood,\nbad,The cast was dull.\nawful,Cold.\n";
    fs::write(dir.join("bad.csv"), bad).expect("written");
    let predict = ["predict", run_path, "bad.csv", "--out", "bad-labels.csv"];
    let error = refused(dir, &predict);
    assert!(error.contains("bad.csv line 3") && error.contains("--skip-bad"), "{error}");
    let skipped = call(dir, &[&predict[..], &["--skip-bad"]].concat());
    assert!(skipped.err.contains("left out: a row without text (once)"), "{}", skipped.err);
    assert!(skipped.out.contains("3 texts labelled"), "{}", skipped.out);
    let error = refused(dir, &["eval", run_path, "bad.csv"]);
    assert!(error.contains("--skip-bad"), "{error}");
    let scored = run(dir, &["eval", run_path, "bad.csv", "--skip-bad"]);
    assert!(scored.contains("of 2 texts"), "{scored}");
    // A label that stands for none in this table.
    fs::write(dir.join("other.csv"), bad.replace("good,\n", "")).expect("written");
    let scored = call(dir, &["eval", run_path, "other.csv", "--no-label", "awful"]);
    assert!(scored.success && scored.out.contains("of 2 texts"), "{}{}", scored.out, scored.err);
    let none = ["predict", run_path, "bad.csv", "--out", "none.csv", "--text-column"];
    let error = refused(dir, &[&none[..], &["a", "--text-column", "b"]].concat());
    assert!(error.contains("texts have one column, not 2"), "{error}");
    let error = refused(dir, &[&none[..], &["nope"]].concat());
    assert!(error.contains("nope"), "{error}");
    fs::write(dir.join("blank.txt"), "A fine film.\n\n\nA dull one.\n").expect("written");
    let blank = call(dir, &["predict", run_path, "blank.txt", "--out", "blank.csv"]);
    assert!(blank.err.contains("a line without text (2 times)"), "{}", blank.err);
    // Damaged files are told.
    fs::write(folder.join(format!("seed-1/{row}/terms.json")), "{").expect("written");
    let error = refused(dir, &["eval", run_path, "test.csv"]);
    assert!(error.contains("terms.json"), "{error}");
}

#[test]
fn a_net_of_a_run_is_read_by_others_and_starts_other_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    texts(dir);
    let mut arguments = short(dir, "runs");
    arguments.extend(["--set".to_owned(), "data.test=test.csv".to_owned()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let folder = run_folder(dir, &run(dir, &arguments));
    let found = result(&folder);
    let compared: Vec<&str> = found["comparisons"]
        .as_array()
        .expect("some")
        .iter()
        .filter_map(|c| c["name"].as_str())
        .collect();
    assert_eq!(
        compared,
        [
            "latent-semantic - words",
            "pre-trained - labels-alone",
            "student - labels-alone",
            "uda - labels-alone",
            "student - latent-semantic",
            "labels-alone - words"
        ]
    );
    let report = fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(report.contains("Pre-training on the texts"));
    assert!(report.contains("with words changed (TF-IDF, probability 0.5)"));
    let run_path = folder.to_str().expect("UTF-8");
    let scored = run(dir, &["eval", run_path, "test.csv", "--model", "student"]);
    differs_a_little_in_bfloat16(dir, &[run_path, "more.txt", "--model", "student"], 60);

    // What is written for others is read back as published weights; names of classes may be spelt
    // in other letters, which changes their order: `Good` comes before `bad`.
    let test = fs::read_to_string(dir.join("test.csv")).expect("it");
    let capital = test.replace("y,t\n", "label,text\n").replace("good,", "Good,");
    fs::write(dir.join("other.csv"), capital).expect("written");
    run(dir, &["export", run_path, "--model", "student", "--hub", "hub"]);
    let config = fs::read_to_string(dir.join("hub/config.json")).expect("written");
    let written = fs::read_dir(dir.join("hub")).expect("a folder");
    let mut written: Vec<_> = written.map(|file| file.expect("a file").file_name()).collect();
    written.sort();
    let each = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    let each = [&each[..], &["tutor.json", "vocab.txt"]].concat();
    assert_eq!(written, each, "an export is guarded by these names");
    refuses_messages(dir);
    assert!(config.contains("ElectraForSequenceClassification") && config.contains("\"good\""));
    reads_long_texts_as_its_run(dir, run_path);
    let published = run(dir, &["eval", "--weights", "hub", "other.csv"]);
    let line =
        |text: &str| text.lines().find(|line| line.starts_with("accuracy")).map(str::to_owned);
    assert_eq!(line(&published), line(&scored), "classes are compared by name");
    // The folder does not say which columns there were.
    let error = refused(dir, &["eval", "--weights", "hub", "test.csv"]);
    assert!(error.contains("--text-column"), "{error}");
    let named = ["eval", "--weights", "hub", "test.csv", "--text-column", "t"];
    assert_eq!(line(&run(dir, &[&named[..], &["--label-column", "y"]].concat())), line(&scored));
    let nameless = config.replace("\"good\"", "\"LABEL_1\"").replace("\"bad\"", "\"LABEL_0\"");
    fs::write(dir.join("hub/config.json"), nameless).expect("written");
    let error = refused(dir, &["eval", "--weights", "hub", "other.csv"]);
    assert!(error.contains("--label-map"), "{error}");
    let mapped = ["eval", "--weights", "hub", "other.csv", "--label-map", "bad,good"];
    assert_eq!(line(&run(dir, &mapped)), line(&scored));
    fs::write(dir.join("hub/config.json"), &config).expect("written");

    // Given enough minutes and texts without labels, UDA is one of the rows.
    for (minutes, there) in [("25", true), ("5", false)] {
        let long = ["--weights", "hub", "--unlabeled", "more.txt", "--minutes", minutes];
        let plan = run(dir, &[&["check"], &fit(&long)[..]].concat());
        assert_eq!(plan.contains("\n[uda]\n"), there, "{minutes} minutes: {plan}");
    }
    let weights = ["--weights", "hub", "--test", "test.csv", "--minutes", "0.05"];
    let folder = run_folder(dir, &run(dir, &fit(&weights)));
    let notes = result(&folder)["notes"].to_string();
    assert!(notes.contains("started from") && notes.contains("electra of 1 layers"), "{notes}");
    // A vocabulary that is not that of the weights.
    let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfilm\n";
    fs::remove_file(dir.join("hub/tokenizer.json")).expect("removed");
    fs::write(dir.join("hub/vocab.txt"), vocabulary).expect("written");
    let error = refused(dir, &fit(&weights));
    assert!(error.contains("6 tokens") && error.contains("do not belong together"), "{error}");
}

/// The net in `hub` keeps of texts that are too long what the one of its run keeps, and scores a
/// table that has one class alone.
fn reads_long_texts_as_its_run(dir: &Path, run_path: &str) {
    let many = |words: [&str; 6]| format!("{} ", words.join(" ")).repeat(10);
    let long = |i: usize| format!("good,{i} {}{}\n", many(BAD), many(GOOD));
    let rows: String = (0..24).map(long).collect();
    fs::write(dir.join("long.csv"), format!("y,t\n{rows}")).expect("written");
    let named = ["long.csv", "--text-column", "t", "--label-column", "y"];
    let of_hub = || run(dir, &[&["eval", "--weights", "hub"], &named[..]].concat());
    let after_name = |text: String| text.split_once('\n').map(|(_, rest)| rest.to_owned());
    let own = after_name(run(dir, &["eval", run_path, "long.csv", "--model", "student"]));
    assert!(own.as_ref().is_some_and(|told| told.contains("over 1 of 2 classes; none of bad")));
    assert_eq!(after_name(of_hub()), own);
    let read = |name: &str| -> serde_json::Value {
        let text = fs::read_to_string(dir.join("hub").join(name)).expect(name);
        serde_json::from_str(&text).expect("JSON")
    };
    let layout = &read("tutor.json")["layout"];
    assert_eq!(read("tokenizer_config.json")["model_max_length"], layout["longest"]);
    assert!(layout["keep"]["ends"]["start"].as_u64() > Some(0), "{layout}");
    // Without the note it keeps the beginning, as other programs do.
    fs::rename(dir.join("hub/tutor.json"), dir.join("note")).expect("moved");
    assert_ne!(after_name(of_hub()), own);
    fs::rename(dir.join("note"), dir.join("hub/tutor.json")).expect("moved");
}

/// Settings of small nets and few steps.
pub(crate) const SMALL: [&str; 8] = [
    "net.layers=1",
    "net.vocabulary=200",
    "train.steps=14",
    "train.batch=4",
    "student.steps=14",
    "uda={batch=2,ratio=2,steps=12,strong={kind='tf-idf',probability=0.5},\
     method={threshold=0.0,temperature=0.85,weak_pass='apart-noised'}}",
    "pretraining.train.batch=4",
    "cadence.evaluate=0",
];

/// A run of so few steps that its time never counts.
fn short(dir: &Path, out: &str) -> Vec<String> {
    let recipe = dir.join("recipe.toml");
    if !recipe.exists() {
        let asked = [&ALL[..2], &["--minutes", "60"]].concat();
        let plan = run(dir, &[&["check"], &fit(&asked)[..]].concat());
        fs::write(&recipe, plan).expect("written");
    }
    let mut arguments = vec!["run".to_owned(), "recipe.toml".to_owned(), "--threads=1".to_owned()];
    arguments.extend(["--out".to_owned(), out.to_owned()]);
    let own = ["minutes=60", "pretraining.train.steps=40", "cadence.checkpoint=5"];
    for key in own.into_iter().chain(SMALL) {
        arguments.extend(["--set".to_owned(), key.to_owned()]);
    }
    arguments
}

#[test]
fn killed_at_some_moment_it_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    texts(dir);
    let (whole, broken) = (short(dir, "whole"), short(dir, "broken"));
    let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
    let whole = run_folder(dir, &run(dir, &whole));
    let broken: Vec<&str> = broken.iter().map(String::as_str).collect();
    let stages = ["seed-1/pre-training", "trial/student-1", "seed-1/uda"];
    let files = stages.map(|stage| format!("{stage}/checkpoints/step-"));
    killed(dir, &broken, "broken", &files);
    let broken = run_folder(dir, &run(dir, &broken));
    for file in [
        "text/vocabulary/tokenizer.json",
        "seed-1/pre-training/final.safetensors",
        "seed-1/pre-trained/final.safetensors",
        "seed-1/labels-alone/final.safetensors",
        "seed-1/student/final.safetensors",
        "seed-1/uda/final.safetensors",
        "seed-1/latent-semantic/final.safetensors",
        "seed-1/label-next.csv",
    ] {
        let read = |run: &Path| fs::read(run.join(file)).unwrap_or_else(|_| panic!("{file}"));
        assert!(read(&whole) == read(&broken), "{file} differs");
    }
    // Without a test part, labels are held out in turn; every text is measured once.
    let found = result(&broken);
    assert_eq!(found["rows"][0]["metric"], "held-out accuracy");
    assert_eq!(found["rows"][0]["examples"], 24);
    // Nothing is said of the probabilities of what is kept.
    let calibration = "calibration error (ECE) of the trial's classifiers";
    assert_eq!(found["rows"][2]["metric"], calibration);
    let report = fs::read_to_string(broken.join("report.md")).expect("a report");
    assert!(report.contains("There is no test part, and so no threshold"), "{report}");
    assert!(!report.contains("threshold |") && report.contains("| surest, % |"), "{report}");
    // What was chosen with fewer labels is told beside what is kept.
    let notes = found["notes"].to_string();
    assert!(notes.contains("C = 10 with all labels (C = 10; C = 10 in the splits"), "{notes}");
    assert!(report.contains("| chosen in each split |"), "{report}");
    // Other texts are another run.
    table(&dir.join("reviews.csv"), 0..26);
    let arguments = short(dir, "broken");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    fs::remove_file(broken.join("result.json")).expect("unfinished");
    let error = refused(dir, &arguments);
    assert!(error.contains("labelled texts are no longer those"), "{error}");
}

#[test]
fn parts_of_one_name_and_copies_are_told_apart() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    for part in ["a", "b", "c"] {
        fs::create_dir(dir.join(part)).expect("a folder");
    }
    table(&dir.join("a/data.csv"), 0..24);
    table(&dir.join("b/data.csv"), 200..260);
    table(&dir.join("c/data.csv"), 100..124);
    let twice = fs::read_to_string(dir.join("a/data.csv")).expect("it");
    let row = format!("bad,\"{}\"\n", review(0).replace('"', "\"\""));
    let copy = twice.lines().nth(2).expect("a row").to_owned();
    fs::write(dir.join("a/data.csv"), format!("{twice}{row}{copy}\n")).expect("written");
    // Two of the test texts are labelled ones.
    table(&dir.join("d.csv"), 1..3);
    let copies = fs::read_to_string(dir.join("d.csv")).expect("it").replacen("y,t\n", "", 1);
    let own = fs::read_to_string(dir.join("c/data.csv")).expect("it");
    fs::write(dir.join("c/data.csv"), own + &copies).expect("written");
    let arguments = ["--unlabeled", "b/data.csv", "--test", "c/data.csv", "--minutes", "0.1"];
    let arguments =
        [&["fit", "--text", "a/data.csv", "--label-column", "y"], &arguments[..]].concat();
    let arguments = [&arguments[..], &["--text-column", "t", "--allow-duplicates"]].concat();
    let plan = call(dir, &[&["check"], &arguments[..]].concat());
    let one = "1 labelled text is a copy of another (a/data.csv/27 is a/data.csv/3): it is";
    let two = "2 labelled texts have the content of another and a different label";
    assert!(plan.success && plan.err.contains(one) && plan.err.contains(two), "{}", plan.err);
    assert!(plan.err.contains("data: 23 labelled texts"), "{}", plan.err);
    let out = run(dir, &[&arguments[..], &["--out", "r uns"]].concat());
    assert!(out.contains("tutor predict 'r uns/own-texts/"), "{out}");
    let folder = run_folder(dir, &out);
    let notes = result(&folder)["notes"].to_string();
    assert!(notes.contains("2 of the 26 test texts are among the labelled ones"), "{notes}");
    assert!(notes.contains("Accuracy on the 24 texts that were not seen before"), "{notes}");
    let report = fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(report.contains(" --out 'r uns' |"), "{report}");
    let next = fs::read(folder.join("seed-1/label-next.csv")).expect("a list");
    let mut next = csv::Reader::from_reader(&next[..]);
    for row in next.records().map(|row| row.expect("a row")) {
        let line: usize = row[0].strip_prefix("b/data.csv/").expect("its folder").parse().unwrap();
        assert_eq!(row[5], review(200 + line - 2));
    }
}

#[test]
fn what_cannot_be_fitted_is_refused_with_a_way_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    texts(dir);
    let check = |more: &[&str]| refused(dir, &[&["check"], more].concat());
    let error =
        check(&["fit", "--text", "reviews.csv", "--label-column", "stars", "--text-column", "t"]);
    assert!(error.contains("stars") && error.contains("y, t"), "{error}");
    let error = check(&["fit", "--text", "more.txt"]);
    assert!(error.contains("--text-column"), "{error}");
    fs::write(dir.join("empty.csv"), "").expect("written");
    let error = check(&["fit", "--text", "empty.csv"]);
    assert!(error.contains("empty.csv") && error.contains("empty"), "{error}");
    fs::write(dir.join("one.csv"), "y,t\ngood,A film.\ngood,Another film.\n").expect("written");
    let error = check(&["fit", "--text", "one.csv", "--text-column", "t"]);
    assert!(error.contains("`good` is the only class"), "{error}");
    labels_that_are_hardly_meant(dir);
    fs::write(dir.join("other.csv"), "y,t\nfair,A film.\ngood,One more.\n").expect("written");
    let error = check(&fit(&["--test", "other.csv"]));
    assert!(error.contains("no class `fair` among bad, good"), "{error}");
    assert!(error.contains("other.csv line 2"), "{error}");
    let skipped = fit(&["--test", "other.csv", "--skip-bad"]);
    let skipped = call(dir, &[&["check"], &skipped[..]].concat());
    assert!(skipped.success && skipped.err.contains("left out"), "{}", skipped.err);
    let error = check(&fit(&["--test", "reviews.csv"]));
    assert!(error.contains("the table of labelled texts itself"), "{error}");
    fs::copy(dir.join("reviews.csv"), dir.join("same.csv")).expect("copied");
    let error = check(&fit(&["--test", "same.csv"]));
    assert!(
        error.contains("24 of the 24 texts") && error.contains("--allow-duplicates"),
        "{error}"
    );
    let error = check(&fit(&["--weights", "nowhere/at-all"]));
    assert!(error.contains("nowhere/at-all"), "{error}");
    let error = check(&fit(&["--minutes", "0"]));
    assert!(error.contains("--minutes"), "{error}");
    let error = check(&["fit", "--text", "reviews.csv", "--labeled", "folder"]);
    assert!(error.contains("cannot be used with"), "{error}");
    let error = check(&["fit"]);
    assert!(error.contains("--labeled"), "{error}");
}
