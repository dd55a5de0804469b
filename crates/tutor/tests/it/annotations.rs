//! `tutor predict` on new sentences and new questions, by runs of `tutor finetune tag` and `squad`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use torch::Device;
use torch::precision::Precision;

use crate::tutor::{call, refused, run, run_folder};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).expect("JSON")
}

/// What is refused is refused with these words.
fn check_refused(dir: &Path, predict: &[&str], cases: &[(&[&str], &[&str])]) {
    for (arguments, words) in cases {
        let said = refused(dir, &[predict, arguments].concat());
        for word in *words {
            assert!(said.contains(word), "{arguments:?}: {word:?} is missing in\n{said}");
        }
    }
}

/// `folder` is a run of `tag` that has learned the sentences of `eng.train` and tags those of
/// `eng.testa` without a fault, in at most 12 tokens.
pub(crate) fn new_sentences(dir: &Path, folder: &Path) {
    let run_dir = folder.to_str().expect("UTF-8");
    // Nothing is read but the run.
    fs::rename(dir.join("electra_tf"), dir.join("away")).expect("moved");
    for seed in ["1", "2"] {
        let asked = ["predict", run_dir, "eng.testa", "--out", "tags.txt", "--run-seed", seed];
        let out = run(dir, &asked);
        assert!(out.contains("tags.txt: predictions for 4 sentences by finetune/eng"), "{out}");
        let measured = folder.join(format!("seed-{seed}/predictions/predictions.txt"));
        let without_truth = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
            [word, _, said] => format!("{word} {said}\n"),
            _ => "\n".to_owned(),
        };
        let expected: String = read(&measured).lines().map(without_truth).collect();
        assert_eq!(read(&dir.join("tags.txt")), expected);
    }
    // Without tags, and with more words than there is room for.
    let text = "no\nfilms\nwas\ngood\n\n-DOCSTART-\n\nthe more\nfilms\nwas\nbad\n";
    fs::write(dir.join("new.txt"), text).expect("written");
    let called = call(dir, &["predict", run_dir, "new.txt", "--out", "new-tags.txt"]);
    assert!(called.success, "{}", called.err);
    let told =
        "new.txt: column 1 holds the words; 1 further column, such as `more`, is passed over";
    assert!(called.err.contains(told), "{}", called.err);
    let expected = "no O\nfilms B-FILM\nwas O\ngood B-GOOD\n\n\
                    the O\nfilms B-FILM\nwas O\nbad O\n\n";
    assert_eq!(read(&dir.join("new-tags.txt")), expected);
    fs::write(dir.join("long.txt"), "x\n".repeat(12)).expect("written");
    let called = call(dir, &["predict", run_dir, "long.txt", "--out", "long-tags.txt"]);
    assert!(called.err.contains("long.txt: 2 words have no room and count as O"), "{}", called.err);
    assert_eq!(
        read(&dir.join("long-tags.txt")).lines().filter(|line| !line.is_empty()).count(),
        12
    );
    let half = ["predict", run_dir, "new.txt", "--out", "half.txt", "--precision", "bfloat16"];
    match Precision::Bfloat16.has_instructions(Device::Cpu) {
        true => assert!(run(dir, &half).contains("in bfloat16")),
        false => assert!(refused(dir, &half).contains("no instructions")),
    }
    for (file, text) in [
        ("empty.txt", "\n\n"),
        ("lines.txt", "The film was good.\nIt is not bad, no.\n"),
        ("single.txt", "John lives in Berlin\n"),
        ("labels.csv", "id,label,confidence\n"),
    ] {
        fs::write(dir.join(file), text).expect("written");
    }
    check_refused(
        dir,
        &["predict", run_dir],
        &[
            (&["empty.txt", "--out", "a.txt"], &["empty.txt has no sentence", "a word a line"]),
            (&["lines.txt", "--out", "a.txt"], &["lines.txt line 2: 5 columns", "a word a line"]),
            (&["single.txt", "--out", "a.txt"], &["single.txt line 1", "`lives in Berlin`"]),
            (&["labels.csv", "--out", "a.txt"], &["labels.csv: a table has no words"]),
            (&["nowhere.txt", "--out", "a.txt"], &["nowhere.txt"]),
            (&["new.txt", "--out", "a.csv"], &["a.csv: the name must end in .txt"]),
            (&["new.txt", "--out", "new.txt"], &["new.txt: this is what is read"]),
            (&["new.txt"], &["tags.txt is there already", "--out"]),
            (&["new.txt", "--shard", "1/2"], &["--shard: ", "sentences", "leave it out"]),
            (&["new.txt", "--threshold", "0.5"], &["--threshold: ", "leave it out"]),
            (&["new.txt", "--with-text"], &["--with-text: ", "leave it out"]),
            (&["new.txt", "--text-column", "t"], &["--text-column: ", "leave it out"]),
            (&["new.txt", "--image-size", "8"], &["--image-size: ", "leave it out"]),
            (&["new.txt", "--model", "other"], &["there is one network in this run, training"]),
            (&["new.txt", "--run-seed", "9"], &["has no seed 9"]),
        ],
    );
    assert!(!dir.join("a.txt").exists() && !dir.join("a.csv").exists());
    let said = refused(dir, &["launch", "--nproc", "2", "--", "predict", run_dir, "new.txt"]);
    assert!(said.contains("without a launcher"), "{said}");
    let said = refused(dir, &["eval", run_dir, "new.txt"]);
    assert!(said.contains("no classifiers") && said.contains("tutor predict"), "{said}");
    let network = folder.join("text/network.json");
    fs::rename(&network, dir.join("network.json")).expect("moved");
    let said = refused(dir, &["predict", run_dir, "new.txt", "--out", "a.txt"]);
    assert!(said.contains("network.json is not there: an earlier version"), "{said}");
    assert!(said.contains("recipe.toml` trains a new one to predict by"), "{said}");
    fs::rename(dir.join("network.json"), &network).expect("moved");
    fs::rename(dir.join("away"), dir.join("electra_tf")).expect("moved");

    // Words in another column of the run are there in new files, too.
    let recipe = folder.join("recipe.toml");
    let recipe = recipe.to_str().expect("UTF-8");
    let mut second = vec!["run", recipe, "--threads", "1", "--seeds", "1"];
    for setting in ["task.word=1", "steps=1"] {
        second.extend(["--set", setting]);
    }
    let other = run_folder(dir, &run(dir, &second));
    let predict = ["predict", other.to_str().expect("UTF-8")];
    fs::write(dir.join("columns.txt"), "1 the\n2 film\n").expect("written");
    run(dir, &[&predict[..], &["columns.txt", "--out", "columns-tags.txt"]].concat());
    let tags = read(&dir.join("columns-tags.txt"));
    let words: Vec<&str> = tags.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, ["the", "film", ""], "{tags}");
    fs::write(dir.join("columns.txt"), "1 the\n2\n\n3 a\n").expect("written");
    let skipped = ["columns.txt", "--out", "a.txt"];
    let words = ["columns.txt line 2: too few columns for a word: 1", "--skip-bad"];
    check_refused(dir, &predict, &[(&skipped, &words)]);
    let skipped = [&predict[..], &skipped, &["--skip-bad"]].concat();
    let called = call(dir, &skipped);
    assert!(called.err.contains("columns.txt: left out: "), "{}", called.err);
    assert!(called.out.contains("a.txt: predictions for 1 sentence by"), "{}", called.out);
}

/// `folder` is a run of `squad` by `squad.toml` on `train-v2.0.json`, which has the questions q1 to
/// q3, one of them without an answer.
pub(crate) fn new_questions(dir: &Path, folder: &Path) {
    let run_dir = folder.to_str().expect("UTF-8");
    let measured = |file: &str| json(&folder.join("seed-1/predictions").join(file));
    let (texts, odds) = (measured("predictions.json"), measured("null_odds.json"));
    let called = call(dir, &["predict", run_dir, "train-v2.0.json", "--out", "answers.json"]);
    assert!(
        called.success && called.err.contains("of 3 questions have no answer"),
        "{}",
        called.err
    );
    assert!(called.out.contains("answers.json and answers.null_odds.json: predictions for 3 q"));
    let (answers, null_odds) =
        (json(&dir.join("answers.json")), json(&dir.join("answers.null_odds.json")));
    let number = |odds: &Value, id: &str| odds[id].as_f64().expect("a number");
    for id in ["q1", "q2", "q3"] {
        assert!((number(&odds, id) - number(&null_odds, id)).abs() < 1e-4, "{odds} {null_odds}");
        // The threshold that the run is measured with.
        let expected = if number(&odds, id) > -2.75 { json!("") } else { texts[id].clone() };
        assert_eq!(answers[id], expected, "{id}: {odds}");
    }
    // Where each question that is measured has an answer, each new one gets one.
    let all = json(&dir.join("train-v2.0.json"));
    let context = &all["data"][0]["paragraphs"][0]["context"];
    let questions = |asked: Value| {
        let paragraph = json!({"context": context, "qas": asked});
        json!({"data": [{"paragraphs": [paragraph]}]})
    };
    let said = json!([{"text": "film was good", "answer_start": 4}]);
    let asked = json!([{"id": "a", "question": "Was it good?", "answers": said},
                       {"id": "b", "question": "Is it?", "answers": said}]);
    fs::write(dir.join("v1.json"), questions(asked).to_string()).expect("written");
    let mut second = vec!["run", "squad.toml", "--threads", "1", "--seeds", "1"];
    for setting in ["task.train=v1.json", "task.test=v1.json", "steps=2"] {
        second.extend(["--set", setting]);
    }
    let other = run_folder(dir, &run(dir, &second));
    let predict = ["predict", other.to_str().expect("UTF-8")];
    run(dir, &[&predict[..], &["v1.json", "--out", "v1-answers.json"]].concat());
    let measured = read(&other.join("seed-1/predictions/predictions.json"));
    assert_eq!(read(&dir.join("v1-answers.json")), measured);
    assert!(!dir.join("v1-answers.null_odds.json").exists());
    // The same question without its answer, by an id that is a number.
    let asked = json!([{"id": 7, "question": "Was it good?"}]);
    fs::write(dir.join("new.json"), questions(asked).to_string()).expect("written");
    run(dir, &[&predict[..], &["new.json", "--out", "new-answers.json"]].concat());
    let expected = json!({"7": json(&dir.join("v1-answers.json"))["a"]});
    assert_eq!(json(&dir.join("new-answers.json")), expected);

    let twice = json!([{"id": 7, "question": "Was it good?"}, {"id": "7", "question": "Is it?"}]);
    for (file, text) in [
        ("empty.json", json!({"data": []}).to_string()),
        ("broken.json", "{\"data\":\n[}".to_owned()),
        ("twice.json", questions(twice).to_string()),
    ] {
        fs::write(dir.join(file), text).expect("written");
    }
    check_refused(
        dir,
        &["predict", run_dir],
        &[
            (&["empty.json", "--out", "a.json"], &["empty.json has no question", "qas"]),
            (&["broken.json", "--out", "a.json"], &["broken.json line 2", "SQuAD 1.1 or 2.0"]),
            (&["answers.json", "--out", "a.json"], &["answers.json line 1", "SQuAD 1.1 or 2.0"]),
            (&["twice.json", "--out", "a.json"], &["question 7", "another", "--skip-bad"]),
            (&["new.json", "--out", "a.txt"], &["a.txt: the name must end in .json"]),
            (&["new.json", "--out", "new.json"], &["new.json: this is what is read"]),
            (&["new.json", "--threshold", "0.5"], &["--threshold: ", "questions", "leave it out"]),
        ],
    );
    assert!(!dir.join("a.json").exists());
    fs::rename(dir.join("answers.null_odds.json"), dir.join("in.null_odds.json")).expect("moved");
    let said = refused(dir, &["predict", run_dir, "in.null_odds.json", "--out", "in.json"]);
    assert!(said.contains("in.null_odds.json: this is what is read"), "{said}");
    let skipped = ["predict", run_dir, "twice.json", "--out", "once.json", "--skip-bad"];
    let called = call(dir, &skipped);
    assert!(called.err.contains("twice.json: left out: a question whose id is taken"));
    assert_eq!(json(&dir.join("once.json")).as_object().map(|all| all.len()), Some(1));
}
