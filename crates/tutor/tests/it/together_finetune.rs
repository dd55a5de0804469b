//! Several processes that fine-tune together, on tasks of each kind: words with tags, questions
//! about texts, pairs of texts with classes and with numbers. Of words and of windows the processes
//! do not have equally many.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::finetune::{network, pieces, with_short_questions};
use crate::together::{assert_near, in_processes};
use crate::tutor::{refused, result, run, run_folder};

/// Plans a fine-tuning of a small network, trains it in one, two and four processes, and compares
/// the results of several with that of one by `compare`; gives the recipe's path.
fn assert_alike(dir: &Path, task: &[&str], compare: fn(&Value, &Value)) -> String {
    network(dir, "electra_tf");
    let common = "--max-length 12 --weights electra_tf --steps 1 --seeds 1 --threads 1";
    let common: Vec<&str> = common.split_whitespace().collect();
    let planned = run(dir, &[&["finetune"], task, &common].concat());
    let recipe = run_folder(dir, &planned).join("recipe.toml");
    let text = fs::read_to_string(&recipe).expect("a recipe");
    fs::write(&recipe, with_short_questions(&text)).expect("written");
    let recipe = recipe.to_str().expect("UTF-8");
    let few = few();
    let alone = in_processes(dir, recipe, 1, &few);
    for processes in [2, 4] {
        let shared = in_processes(dir, recipe, processes, &few);
        assert_near(&shared.join("seed-1/training"), &alone.join("seed-1/training"));
        compare(&result(&shared), &result(&alone));
    }
    recipe.to_owned()
}

fn same(found: &Value, wanted: &Value) {
    assert_eq!(found["rows"], wanted["rows"]);
}

/// Correlations of predictions that are nearly equal move with their last digits.
fn near(found: &Value, wanted: &Value) {
    let [found, wanted] = [found, wanted].map(|result| result["rows"].as_array().expect("rows"));
    assert_eq!(found.len(), wanted.len());
    for (a, b) in found.iter().zip(wanted) {
        let [x, y] = [a, b].map(|row| row["mean"].as_f64().expect("a number"));
        assert!(a["metric"] == b["metric"] && (x - y).abs() < 1e-3, "{a}, not {b}");
    }
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
    let recipe =
        assert_alike(dir.path(), &["tag", "--train", "eng.train", "--test", "eng.testa"], same);
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
    assert_alike(
        dir.path(),
        &["squad", "--train", "train-v2.0.json", "--test", "train-v2.0.json"],
        same,
    );
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
    assert_alike(dir.path(), &["glue", "--task", "rte", "--data", "glue"], same);
    assert_alike(dir.path(), &["glue", "--task", "sts-b", "--data", "glue"], near);
}
