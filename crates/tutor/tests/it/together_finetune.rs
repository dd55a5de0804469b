//! Several processes that fine-tune together, on tasks of each kind: words with tags, questions
//! about texts, pairs of texts with classes and with numbers. Of words and of windows the processes
//! do not have equally many.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::finetune::{network, pieces};
use crate::together::{assert_near, in_processes};
use crate::tutor::{refused, result, run, run_folder};

/// Plans a fine-tuning of a small network and trains it in one, two and four processes.
fn assert_alike(dir: &Path, task: &[&str]) -> String {
    network(dir, "electra_tf");
    let common = "--max-length 12 --weights electra_tf --steps 1 --seeds 1 --threads 1";
    let common: Vec<&str> = common.split_whitespace().collect();
    let planned = run(dir, &[&["finetune"], task, &common].concat());
    let recipe = run_folder(dir, &planned).join("recipe.toml");
    let text = fs::read_to_string(&recipe).expect("a recipe");
    // Sequences this short have room for a few tokens of a question.
    let text =
        text.replace("question = 6\n", "question = 5\n").replace("stride = 6\n", "stride = 2\n");
    fs::write(&recipe, text).expect("written");
    let recipe = recipe.to_str().expect("UTF-8");
    let few = few();
    let alone = in_processes(dir, recipe, 1, &few);
    for processes in [2, 4] {
        let shared = in_processes(dir, recipe, processes, &few);
        assert_near(&shared.join("seed-1/training"), &alone.join("seed-1/training"));
        let [found, wanted] = [&shared, &alone].map(|folder| means(&result(folder)));
        assert_eq!(found.len(), wanted.len());
        for ((name, found), (same, wanted)) in found.iter().zip(&wanted) {
            // One answer more or less is more than that; a correlation moves with the last digits.
            assert!((found - wanted).abs() < 1e-3 && name == same, "{name}: {found}, not {wanted}");
        }
    }
    recipe.to_owned()
}

/// What each metric came to.
fn means(result: &Value) -> Vec<(String, f64)> {
    let rows = result["rows"].as_array().expect("rows");
    let of = |row: &Value| (row["metric"].to_string(), row["mean"].as_f64().expect("a number"));
    rows.iter().map(of).collect()
}

fn few() -> Vec<&'static str> {
    "--threads 1 --device cpu --set steps=20 --set cadence.log=1 --set finetuning.batch=8 --set \
     finetuning.lr=0.0005"
        .split_whitespace()
        .collect()
}

#[test]
fn words_are_tagged_as_by_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let words = ["the X O\n", "a X O\n", "good A B-GOOD\n", "bad A O\n", "it X O\n"];
    let sentence = |i: usize| -> String {
        (0..1 + i % 5).map(|j| words[(i + 2 * j) % 5]).chain(["\n"]).collect()
    };
    let text: String = (0..16).map(sentence).collect();
    for file in ["eng.train", "eng.testa"] {
        fs::write(dir.path().join(file), &text).expect("written");
    }
    let recipe = assert_alike(dir.path(), &["tag", "--train", "eng.train", "--test", "eng.testa"]);
    let odd = ["launch", "--nproc", "3", "--", "run", &recipe];
    let said = refused(dir.path(), &[&odd[..], &few()].concat());
    assert!(said.contains("finetuning.batch: a batch of 8"), "{said}");
}

#[test]
fn questions_are_answered_as_by_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    // Texts of one to several windows.
    let paragraph = |i: usize| -> Value {
        let context = pieces(1 + i % 4);
        let (id, none) = (format!("q{i}"), i % 3 == 2);
        let answers = if none { json!([]) } else { json!([{"text": "film", "answer_start": 4}]) };
        let asked =
            json!({"id": id, "question": "Was it?", "is_impossible": none, "answers": answers});
        json!({"context": context, "qas": [asked]})
    };
    let paragraphs: Vec<Value> = (0..16).map(paragraph).collect();
    let data = json!({"version": "v2.0", "data": [{"title": "x", "paragraphs": paragraphs}]});
    fs::write(dir.path().join("train-v2.0.json"), data.to_string()).expect("written");
    assert_alike(dir.path(), &["squad", "--train", "train-v2.0.json", "--test", "train-v2.0.json"]);
}

#[test]
fn pairs_are_judged_as_by_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let texts = ["it is good", "the film was bad", "a film", "not it"];
    let pair = |i: usize| (texts[i % 4], texts[(i / 4) % 4]);
    let write = |task: &str, names: &str, row: &dyn Fn(usize) -> String| {
        let rows: String = (0..16).map(|i| row(i) + "\n").collect();
        let folder = dir.path().join("glue").join(task);
        fs::create_dir_all(&folder).expect("a folder");
        for part in ["train", "dev"] {
            let path = folder.join(format!("{part}.tsv"));
            fs::write(path, format!("{names}\n{rows}")).expect("written");
        }
    };
    write("RTE", "index\tsentence1\tsentence2\tlabel", &|i| {
        let (a, b) = pair(i);
        let label = if i % 3 == 0 { "entailment" } else { "not_entailment" };
        format!("{i}\t{a}\t{b}\t{label}")
    });
    let names =
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore";
    write("STS-B", names, &|i| {
        let (a, b) = pair(i);
        format!("{i}\tg\tf\t1\t2\ts\ts\t{a}\t{b}\t{}.500", i % 5)
    });
    for task in ["rte", "sts-b"] {
        assert_alike(dir.path(), &["glue", "--task", task, "--data", "glue"]);
    }
}
