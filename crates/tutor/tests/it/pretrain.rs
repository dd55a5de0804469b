//! `tutor pretrain`: from files of running text to networks that others start from.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::tutor::{call, command, killed, refused, result, run, run_folder};

const SUBJECTS: [&str; 4] = ["The river", "A teacher", "The old house", "My neighbour"];
const VERBS: [&str; 4] = ["carries", "remembers", "hides", "sells"];
const OBJECTS: [&str; 4] = ["small boats", "every name", "a green door", "apples and bread"];

/// A document of some sentences, another for each number.
fn document(i: usize) -> String {
    let sentence = |k: usize| {
        let (s, v, o) = (SUBJECTS[k % 4], VERBS[(k / 4 + i) % 4], OBJECTS[(k + i / 3) % 4]);
        format!("{s} {v} {o}.")
    };
    (0..4 + i % 3).map(|k| sentence(i + 5 * k)).collect::<Vec<_>>().join(" ")
}

/// Text with blank lines between documents, and JSON lines.
fn corpus(dir: &Path) {
    fs::create_dir(dir.join("texts")).expect("a folder");
    let text: Vec<String> = (0..60).map(document).collect();
    fs::write(dir.join("texts/a.txt"), text.join("\n\n")).expect("written");
    let record = |i| serde_json::json!({ "id": i, "text": document(i) }).to_string() + "\n";
    fs::write(dir.join("texts/b.jsonl"), (60..90).map(record).collect::<String>())
        .expect("written");
}

/// More tokens than these texts have pieces.
const SMALL: [&str; 12] = [
    "--preset",
    "tiny",
    "--vocab-size",
    "300",
    "--max-length",
    "24",
    "--batch",
    "4",
    "--held-out",
    "10",
    "--threads",
    "1",
];

fn pretrain<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["pretrain", "texts"], &SMALL[..], more].concat()
}

fn metrics(result: &Value) -> Vec<&str> {
    let rows = result["rows"].as_array().expect("rows").iter();
    rows.map(|row| row["metric"].as_str().expect("a metric")).collect()
}

#[test]
fn files_become_networks_that_others_start_from() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    corpus(dir);
    let asked = pretrain(&["--steps", "30"]);
    let plan =
        call(dir, &[&["check"], &asked[..asked.len() - 4], &asked[asked.len() - 2..]].concat());
    assert!(plan.success, "{}", plan.err);
    for words in ["texts: 2 files, one document in 10 held out", "tiny, 4 layers", "30 steps"] {
        assert!(plan.err.contains(words), "{words}: {}", plan.err);
    }
    assert!(!dir.join("runs").exists(), "check ran something");

    let folder = run_folder(dir, &run(dir, &asked));
    let found = result(&folder);
    let data = found["data"].as_str().expect("words");
    assert!(data.starts_with("90 documents of 2 files: "), "{data}");
    assert!(data.contains("sequences of 9 documents held out of it, a vocabulary of "), "{data}");
    let of_both = ["loss at masked tokens", "masked tokens right"];
    assert_eq!(metrics(&found)[..2], of_both);
    assert!(metrics(&found).contains(&"area under the curve"));
    let page = fs::read_to_string(folder.join("report.html")).expect("the page");
    for words in ["What pre-training took", "of ELECTRA-Small", "Loss at masked tokens"] {
        assert!(page.contains(words), "{words}");
    }
    let config = |name: &str| -> Value {
        let path = folder.join("seed-1/electra").join(name).join("config.json");
        serde_json::from_str(&fs::read_to_string(path).expect("a description")).expect("JSON")
    };
    assert_eq!(config("hub")["architectures"][0], "ElectraForPreTraining");
    assert_eq!(config("hub-generator")["architectures"][0], "ElectraForMaskedLM");

    // The network is one for other commands, by the name of the run.
    let run_path = folder.to_str().expect("UTF-8");
    let said = run(dir, &["show", "replaced", run_path, "The river sells a green door.", "--json"]);
    let tokens: Value = serde_json::from_str(&said).expect("JSON");
    assert!(tokens.to_string().contains("probability"), "{tokens}");
    let tags = "The O\nriver B-X\nsells O\n\nA O\nteacher B-X\n\n";
    fs::write(dir.join("tags.txt"), tags).expect("written");
    let tag = ["finetune", "tag", "--train", "tags.txt", "--test", "tags.txt", "--steps", "2"];
    run(dir, &[&tag[..], &["--seeds", "1", "--max-length", "16", "--weights", run_path]].concat());
    let labels = "label,text\na,The river.\nb,A teacher.\na,My neighbour.\nb,The old house.\n";
    fs::write(dir.join("labels.csv"), labels).expect("written");
    let fit = call(dir, &["check", "fit", "--text", "labels.csv", "--weights", run_path]);
    assert!(fit.success && fit.out.contains("seed-1/electra/hub"), "{}", fit.err);
    // Positions behind the longest sequence have learned nothing, and are not used unless asked
    // for.
    let kept = folder.join("seed-1/electra/hub/tokenizer_config.json");
    let kept: Value = serde_json::from_slice(&fs::read(kept).expect("it")).expect("JSON");
    assert_eq!(kept["model_max_length"], 24);
    assert!(fit.out.contains("longest = 24") && fit.err.contains("24 tokens"), "{}", fit.err);
    assert!(fit.err.contains("--max-length takes more"), "{}", fit.err);
    let more =
        ["check", "fit", "--text", "labels.csv", "--max-length", "32", "--weights", run_path];
    let fit = call(dir, &more);
    assert!(fit.success && fit.out.contains("longest = 32"), "{}", fit.err);
    assert!(!fit.err.contains("takes more"), "{}", fit.err);
    let plan = call(dir, &[&["check"], &tag[..], &["--weights", run_path]].concat());
    assert!(plan.success && plan.err.contains("at most 24 tokens"), "{}", plan.err);
    assert!(plan.out.contains("longest = 24"), "{}", plan.out);
    // And its recipe is the same run again.
    let recipe = folder.join("recipe.toml");
    let again = run(dir, &["check", recipe.to_str().expect("UTF-8")]);
    assert_eq!(again.trim(), fs::read_to_string(recipe).expect("it").trim());
}

#[test]
fn killed_at_some_moment_it_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    corpus(dir);
    let ends = |out: &'static str| pretrain(&["--steps", "60", "--out", out]);
    let whole = run_folder(dir, &run(dir, &ends("whole")));
    // The third time it is killed at a checkpoint between step 30 and 39.
    let files =
        ["text/vocabulary/tokenizer.json", "checkpoints/step-0", "checkpoints/step-0000003"];
    killed(dir, &ends("broken"), "broken", &files);
    let broken = run_folder(dir, &run(dir, &ends("broken")));
    for file in [
        "text/vocabulary/tokenizer.json",
        "text/read.json",
        "text/running/tokens-00000.shard",
        "text/held-out/tokens-00000.shard",
        "seed-1/electra/final.safetensors",
        "seed-1/electra/hub/model.safetensors",
        "seed-1/electra/hub-generator/model.safetensors",
    ] {
        let read = |run: &Path| fs::read(run.join(file)).unwrap_or_else(|_| panic!("{file}"));
        assert!(read(&whole) == read(&broken), "{file} differs");
    }
}

#[test]
fn minutes_and_a_given_vocabulary_are_kept_to() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    corpus(dir);
    let train = ["data", "tokenizer", "train", "texts", "--vocab-size", "70", "--out", "vocab.txt"];
    run(dir, &train);
    let asked =
        ["pretrain", "texts", "--preset", "tiny", "--vocab", "vocab.txt", "--max-length", "24"];
    let more = ["--batch", "4", "--held-out", "10", "--objective", "mlm", "--minutes", "0.03"];
    let folder = run_folder(dir, &run(dir, &[&asked[..], &more].concat()));
    let found = result(&folder);
    // A masked language model has nothing to tell of replaced tokens.
    assert_eq!(metrics(&found), ["loss at masked tokens", "masked tokens right"]);
    let given = fs::read_to_string(dir.join("vocab.txt")).expect("a vocabulary");
    let kept = fs::read_to_string(folder.join("seed-1/mlm/hub/vocab.txt"));
    assert_eq!(kept.expect("a vocabulary").trim(), given.trim());
    assert!(!folder.join("seed-1/mlm/hub-generator").exists());
    let plan: (u64, f64) = serde_json::from_str(
        &fs::read_to_string(folder.join("seed-1/mlm/plan.json")).expect("a plan"),
    )
    .expect("steps and seconds");
    assert!((10..10_000).contains(&plan.0), "{plan:?}");
    let note = format!("{} steps, of 10000 at most, were to fit into 0.03 minutes", plan.0);
    assert!(found["notes"].to_string().contains(&note), "{}", found["notes"]);
}

#[test]
fn texts_that_change_under_a_run_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    // A run is named after the folder above `texts`.
    let dir = &dir.join("mine");
    fs::create_dir(dir).expect("a folder");
    corpus(dir);
    let long = pretrain(&["--steps", "100000"]);
    let mut child = command(dir, &long).stderr(Stdio::null()).spawn().expect("started");
    let runs = dir.join("runs/pretraining/mine");
    let began = || {
        let mut runs = fs::read_dir(&runs).into_iter().flatten().flatten();
        runs.any(|run| run.path().join("seed-1/electra").is_dir())
    };
    let mut waited = 0;
    while !began() && waited < 1200 {
        std::thread::sleep(Duration::from_millis(100));
        waited += 1;
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(began(), "the training did not begin");
    fs::write(dir.join("texts/c.txt"), document(2)).expect("written");
    let error = refused(dir, &long);
    assert!(error.contains("no longer those") && error.contains("--fresh"), "{error}");
}

#[test]
fn what_cannot_be_learned_from_is_refused_with_a_way_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    corpus(dir);
    let error = refused(dir, &["pretrain", "nowhere"]);
    assert!(error.contains("nowhere") && error.contains("name a file"), "{error}");
    // A book without blank lines is one document, and nothing of it can be held out.
    fs::create_dir(dir.join("book")).expect("a folder");
    let book: Vec<String> = (0..40).map(document).collect();
    fs::write(dir.join("book/a.txt"), book.join("\n")).expect("written");
    let of = |texts, more: &[&'static str]| {
        [&["pretrain", texts], &SMALL[..], &["--steps", "5"], more].concat()
    };
    let error = refused(dir, &of("book", &[]));
    assert!(error.contains("one document") && error.contains("--boundary"), "{error}");
    let lines = run_folder(dir, &run(dir, &of("book", &["--boundary", "line", "--fresh"])));
    assert!(result(&lines)["data"].as_str().expect("words").starts_with("40 documents"));
    let few = ["pretrain", "book", "--boundary", "line", "--vocab-size", "90", "--steps", "5"];
    let error = refused(dir, &few);
    assert!(error.contains("40 documents") && error.contains("--held-out 4"), "{error}");
    // What cannot be read is named with its line, or left out and counted.
    let bad = [document(1).as_bytes(), b"\n\nbroken \xff\xfe text\n\n"].concat();
    fs::write(dir.join("texts/c.txt"), bad).expect("written");
    let error = refused(dir, &of("texts", &[]));
    assert!(error.contains("c.txt line 3") && error.contains("--skip-bad"), "{error}");
    let skipped = run_folder(dir, &run(dir, &of("texts", &["--skip-bad"])));
    let notes = result(&skipped)["notes"].to_string();
    assert!(notes.contains("Left out of the texts: ") && notes.contains("(once)"), "{notes}");
    // Mended, the same command begins anew, as nothing was learned yet.
    fs::write(dir.join("texts/c.txt"), document(1)).expect("written");
    run(dir, &of("texts", &[]));
    // Before anything is made: where the text of a table stands, and what no text is.
    fs::write(dir.join("t.csv"), "stars,review\n1,a text\n").expect("written");
    let error = refused(dir, &["check", "pretrain", "t.csv"]);
    assert!(error.contains("no column `text` among stars, review"), "{error}");
    let plan = run(dir, &["check", "pretrain", "t.csv", "--field", "review"]);
    assert!(plan.contains("field = \"review\""), "{plan}");
    fs::write(dir.join("t.json"), "[]").expect("written");
    let error = refused(dir, &["check", "pretrain", "t.json"]);
    assert!(error.contains("t.json") && error.contains(".jsonl"), "{error}");
    // A vocabulary of another network.
    fs::write(dir.join("vocab.txt"), "[PAD]\n[UNK]\nfilm\n").expect("written");
    let error = refused(dir, &["pretrain", "texts", "--vocab", "vocab.txt"]);
    assert!(error.contains("vocab.txt") && error.contains("[CLS]"), "{error}");
    // One that is cased, of which no file says so.
    let cased = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nThe\nriver\n##s\n";
    fs::write(dir.join("cased.txt"), cased).expect("written");
    let given = ["pretrain", "texts", "--vocab", "cased.txt"];
    let error = refused(dir, &given);
    assert!(error.contains("do_lower_case") && error.contains("--cased"), "{error}");
    let plan = run(dir, &[&["check"], &given[..], &["--cased"]].concat());
    assert!(plan.contains("of-cased = "), "{plan}");
    for (option, value) in [("--minutes", "0"), ("--held-out", "1"), ("--preset", "smal")] {
        let error = refused(dir, &["pretrain", "texts", option, value]);
        assert!(error.contains(option), "{error}");
    }
}
