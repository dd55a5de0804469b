//! Fine-tuning on benchmark tasks, as a user runs it. All data here are made by hand in the formats
//! of GLUE, SQuAD 2.0 and CoNLL.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::annotations::{new_questions, new_sentences};
use crate::tutor::{killed, refused, result, run, run_folder};

/// The vocabulary of the small networks.
pub(crate) const TOKENS: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\na\nfilm\nwas\ngood\nbad\nit\n\
                                 is\nnot\n##s\n.\n?\nyes\nno\nx\n";

/// A small random network of google-research's code with a vocabulary of 20 tokens, in a folder as
/// its zip files have it: `bert_tf` or `electra_tf`.
pub(crate) fn network(dir: &Path, name: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../electra/tests/golden");
    let folder = dir.join(name);
    fs::create_dir_all(&folder).expect("a folder");
    for ending in ["index", "data-00000-of-00001"] {
        let file = format!("{name}.{ending}");
        fs::copy(golden.join(&file), folder.join(&file)).expect("copied");
    }
    fs::write(folder.join("vocab.txt"), TOKENS).expect("written");
}

/// A text of so many sentences of the small vocabulary.
pub(crate) fn pieces(sentences: usize) -> String {
    ["The film was good.", "It is not bad.", "A film is it.", "Was it bad?"][..sentences].join(" ")
}

/// The files of a task: names of columns (CoLA's training file has none) and rows.
fn glue(dir: &Path) {
    let write = |file: &str, rows: &[&str]| {
        let path = dir.join("glue").join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, rows.join("\n") + "\n").expect("written");
    };
    let parts = |task: &str, names: &str, rows: &[&str], test: &[&str]| {
        let named = [&[names], rows].concat();
        write(&format!("{task}/train.tsv"), &named);
        write(&format!("{task}/dev.tsv"), &named);
        write(&format!("{task}/test.tsv"), test);
    };
    let rows = ["gj04\t1\t\tThe film was good.", "gj04\t0\t*\tWas film \"the good."];
    write("CoLA/train.tsv", &rows);
    write("CoLA/dev.tsv", &rows);
    write("CoLA/test.tsv", &["index\tsentence", "0\tThe film was bad.", "1\tGood."]);
    let rows = ["the film was good\t1", "a bad film\t0", "it was bad\t0"];
    parts("SST-2", "sentence\tlabel", &rows, &["index\tsentence", "0\tgood"]);
    let names = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String";
    let rows = ["1\t1\t2\tIt is good.\tGood it is.", "0\t3\t4\tIt is bad.\tIt is not bad."];
    let test = ["index\t#1 ID\t#2 ID\t#1 String\t#2 String", "0\t5\t6\tgood\tbad"];
    parts("MRPC", names, &rows, &test);
    let names =
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore";
    let rows =
        ["0\tg\tf\t1\t2\ts\ts\tgood\tgood\t5.000", "1\tg\tf\t1\t2\ts\ts\tit was\tbad film\t0.500"];
    let test = [&names[..names.len() - 6], "0\tg\tf\t1\t2\ts\ts\tgood\tnot bad"];
    parts("STS-B", names, &rows, &test);
    let names = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate";
    let rows = ["0\t1\t2\tIs it good?\tIs it bad?\t0", "1\t3\t4\tWas it?\tWas it?\t1"];
    parts("QQP", names, &rows, &["id\tquestion1\tquestion2", "0\tIs it?\tWas it?"]);
    let names =
        "index\tpromptID\tpairID\tgenre\tp1\tp2\tp3\tp4\tsentence1\tsentence2\tlabel1\tgold_label";
    let row =
        |a: &str, b: &str, label: &str| format!("0\t1\t2\tg\t\t\t\t\t{a}\t{b}\t{label}\t{label}");
    let rows = [
        names.to_owned(),
        row("It is good.", "It is.", "entailment"),
        row("It is good.", "It is bad.", "contradiction"),
        row("It is good.", "The film was good.", "neutral"),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let test = ["index\tpromptID\tpairID\tgenre\tp1\tp2\tp3\tp4\tsentence1\tsentence2"; 1];
    let test = [&test[..], &["0\t1\t2\tg\t\t\t\t\tit is\tit is not"]].concat();
    for (file, rows) in [
        ("train", &rows),
        ("dev_matched", &rows),
        ("dev_mismatched", &rows),
        ("test_matched", &test),
        ("test_mismatched", &test),
    ] {
        write(&format!("MNLI/{file}.tsv"), rows);
    }
    write("AX/AX.tsv", &["index\tsentence1\tsentence2", "0\tIt is.\tIt is not."]);
    for (task, [yes, no]) in [
        ("QNLI", ["entailment", "not_entailment"]),
        ("RTE", ["entailment", "not_entailment"]),
        ("WNLI", ["1", "0"]),
    ] {
        let names = if task == "QNLI" { "index\tquestion\tsentence\tlabel" } else { PAIR };
        let rows =
            [format!("0\tIs it good?\tIt is.\t{yes}"), format!("1\tIt is.\tBad film.\t{no}")];
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let names_of_test = names.strip_suffix("\tlabel").expect("a label");
        parts(task, names, &rows, &[names_of_test, "0\tgood\tbad"]);
    }
}

const PAIR: &str = "index\tsentence1\tsentence2\tlabel";

/// A quick fine-tuning.
fn finetune<'a>(task: &[&'a str], weights: &'a str, steps: &'a str) -> Vec<&'a str> {
    let common = ["--weights", weights, "--steps", steps, "--seeds", "2", "--threads", "1"];
    [&["finetune"], task, &common[..]].concat()
}

fn metrics(result: &Value) -> Vec<(String, usize)> {
    let rows = result["rows"].as_array().expect("rows");
    let one = |row: &Value| {
        let seeds = row["per_seed"].as_array().expect("seeds").len();
        (row["metric"].as_str().expect("a metric").to_owned(), seeds)
    };
    rows.iter().map(one).collect()
}

#[test]
fn every_task_of_glue_is_measured_and_predicted() {
    let dir = tempfile::tempdir().expect("a folder");
    glue(dir.path());
    network(dir.path(), "bert_tf");
    for (task, measured, files) in [
        ("cola", &["dev Matthews correlation", "dev accuracy"][..], &["CoLA.tsv"][..]),
        ("SST2", &["dev accuracy"], &["SST-2.tsv"]),
        ("mrpc", &["dev accuracy", "dev F1"], &["MRPC.tsv"]),
        ("sts-b", &["dev Spearman correlation", "dev Pearson correlation"], &["STS-B.tsv"]),
        ("qqp", &["dev accuracy", "dev F1"], &["QQP.tsv"]),
        (
            "mnli",
            &["matched dev accuracy", "mismatched dev accuracy"],
            &["MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"],
        ),
        ("qnli", &["dev accuracy"], &["QNLI.tsv"]),
        ("rte", &["dev accuracy"], &["RTE.tsv"]),
        ("wnli", &["dev accuracy"], &["WNLI.tsv"]),
    ] {
        let task = ["glue", "--task", task, "--data", "glue", "--max-length", "12"];
        let folder = run_folder(dir.path(), &run(dir.path(), &finetune(&task, "bert_tf", "2")));
        let expected: Vec<_> = measured.iter().map(|&name| (name.to_owned(), 2)).collect();
        assert_eq!(metrics(&result(&folder)), expected, "{task:?}");
        for file in files {
            let path = folder.join("seed-2/predictions/test").join(file);
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            assert!(text.starts_with("index\tprediction\n0\t"), "{file}: {text}");
        }
    }
    // The same recipe is the same run again: nothing is left to do but its report.
    let recipe = fs::read_to_string(dir.path().join("runs/finetune/latest/recipe.toml"));
    assert!(recipe.expect("a recipe").contains("task = \"wnli\""));
}

#[test]
fn a_network_learns_the_task_and_labels_other_texts() {
    let dir = tempfile::tempdir().expect("a folder");
    glue(dir.path());
    network(dir.path(), "electra_tf");
    let texts = |verdict: &str, label: u32, others: &[&str]| -> String {
        others.iter().map(|other| format!("{other} {verdict}\t{label}\n")).collect()
    };
    let train = ["the film was", "it was", "a", "it is", "the", "yes it was"];
    let dev = ["yes a film", "no it is"];
    for (file, others) in [("train", &train[..]), ("dev", &dev[..])] {
        let rows = texts("good", 1, others) + &texts("bad", 0, others);
        let path = dir.path().join(format!("glue/SST-2/{file}.tsv"));
        fs::write(path, format!("sentence\tlabel\n{rows}")).expect("written");
    }
    let task = ["glue", "--task", "sst-2", "--data", "glue", "--max-length", "12"];
    let rates = ["--lr", "1e-3", "--layer-decay", "1.0"];
    let arguments = [&finetune(&task, "electra_tf", "300")[..], &rates[..]].concat();
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    assert_eq!(result(&folder)["rows"][0]["per_seed"], json!([100.0, 100.0]));
    fs::write(dir.path().join("new.csv"), "text\nthe film is good\nthe film is bad\n").expect("it");
    let run_dir = folder.display().to_string();
    run(dir.path(), &["predict", &run_dir, "new.csv", "--out", "labels.csv"]);
    let labels = fs::read_to_string(dir.path().join("labels.csv")).expect("labels");
    let said: Vec<&str> = labels.lines().skip(1).collect();
    assert!(said[0].contains(",1,") && said[1].contains(",0,"), "{labels}");
    // Transformers has no ELECTRA with a linear head.
    let said = refused(dir.path(), &["export", &run_dir, "--hub", "hub"]);
    assert!(said.contains("form = \"electra\"") && said.contains("task.form"), "{said}");
}

/// Questions about two films: one has no answer.
fn squad(dir: &Path) {
    let ask = |id: &str, question: &str, answer: Option<(&str, u32)>| match answer {
        Some((text, start)) => json!({
            "id": id, "question": question, "is_impossible": false,
            "answers": [{"text": text, "answer_start": start}],
        }),
        None => json!({
            "id": id, "question": question, "is_impossible": true, "answers": [],
            "plausible_answers": [{"text": "film", "answer_start": 4}],
        }),
    };
    // Longer than a sequence, so that there are several windows.
    let context = pieces(4) + " No.";
    let asked = [
        ask("q1", "Was it good?", Some(("film was good", 4))),
        ask("q2", "Is it?", Some(("not bad", 25))),
        ask("q3", "A film?", None),
    ];
    let data = json!({"version": "v2.0", "data": [
        {"title": "x", "paragraphs": [{"context": context, "qas": asked}]}]});
    fs::write(dir.join("train-v2.0.json"), data.to_string()).expect("written");
}

const SQUAD: [&str; 7] =
    ["squad", "--train", "train-v2.0.json", "--test", "train-v2.0.json", "--max-length", "12"];

/// Sequences of these tests have no room for questions as long as SQuAD's: half is theirs.
fn short_questions(dir: &Path) -> PathBuf {
    let recipe = run(dir, &[&["check"], &finetune(&SQUAD, "bert_tf", "40")[..]].concat());
    assert!(recipe.contains("question = 6\n") && recipe.contains("stride = 6\n"), "{recipe}");
    let path = dir.join("squad.toml");
    fs::write(&path, with_short_questions(&recipe)).expect("written");
    path
}

/// A recipe for sequences of 12 tokens, whose questions have 5 and whose windows move by 2.
pub(crate) fn with_short_questions(recipe: &str) -> String {
    recipe.replace("question = 6\n", "question = 5\n").replace("stride = 6\n", "stride = 2\n")
}

#[test]
fn questions_are_answered_and_scored_as_the_official_script_does() {
    let dir = tempfile::tempdir().expect("a folder");
    squad(dir.path());
    network(dir.path(), "bert_tf");
    short_questions(dir.path());
    let said = refused(dir.path(), &["run", "squad.toml", "--set", "task.windows.question=64"]);
    assert!(said.contains("task.windows.longest") && said.contains("64 tokens"), "{said}");
    let folder = run_folder(dir.path(), &run(dir.path(), &["run", "squad.toml"]));
    let names: Vec<String> = metrics(&result(&folder)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[0], "test exact match at the best threshold");
    assert!(names.contains(&"test F1, questions without an answer".to_owned()), "{names:?}");
    let read = |name: &str| -> Value {
        let path = folder.join("seed-1/predictions").join(name);
        serde_json::from_str(&fs::read_to_string(path).expect(name)).expect("JSON")
    };
    let (answers, odds, eval) =
        (read("predictions.json"), read("null_odds.json"), read("eval.json"));
    for id in ["q1", "q2", "q3"] {
        // The answer is given in any case: the threshold decides later whether it counts.
        assert!(!answers[id].as_str().expect("an answer").is_empty(), "{answers}");
        assert!(odds[id].as_f64().expect("a number").is_finite(), "{odds}");
    }
    assert_eq!((&eval["total"], &eval["NoAns_total"]), (&json!(3), &json!(1)));
    for key in ["exact", "f1", "HasAns_f1", "best_exact_thresh", "best_f1", "best_f1_thresh"] {
        assert!(eval[key].is_number(), "{key}: {eval}");
    }
    new_questions(dir.path(), &folder);
}

#[test]
fn killed_at_some_moment_it_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    squad(dir.path());
    network(dir.path(), "bert_tf");
    short_questions(dir.path());
    let common = ["run", "squad.toml", "--threads", "1", "--set", "cadence.checkpoint=5", "--out"];
    let whole = [&common[..], &["whole"]].concat();
    let broken = [&common[..], &["broken"]].concat();
    let whole = run_folder(dir.path(), &run(dir.path(), &whole));
    let files = ["seed-1/training/checkpoints/step-", "seed-2/training/checkpoints/step-"];
    killed(dir.path(), &broken, "broken", &files);
    run(dir.path(), &broken);
    let broken = dir.path().join("broken/finetune/latest");
    for file in [
        "seed-1/training/final.safetensors",
        "seed-2/training/final.safetensors",
        "seed-2/predictions/predictions.json",
        "seed-2/predictions/null_odds.json",
    ] {
        let read = |run: &Path| fs::read(run.join(file));
        assert_eq!(read(&whole).expect("whole"), read(&broken).expect("broken"), "{file}");
    }
    assert_eq!(result(&whole)["rows"], result(&broken)["rows"]);
}

/// Seeds of one run have the same data and weights, however often it is started.
#[test]
fn a_run_goes_on_with_the_data_and_weights_that_it_began_with() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    glue(dir);
    network(dir, "bert_tf");
    let task = ["glue", "--task", "sst-2", "--data", "glue", "--max-length", "12"];
    let arguments = finetune(&task, "bert_tf", "2");
    let folder = run_folder(dir, &run(dir, &arguments));
    fs::remove_file(folder.join("result.json")).expect("unfinished");
    let kept = fs::read(folder.join("text/vocabulary/tokenizer.json")).expect("a vocabulary");
    for (file, from, to, what) in [
        ("glue/SST-2/dev.tsv", "a bad film\t0", "a bad film\t1", "examples of SST-2/dev are"),
        ("glue/SST-2/train.tsv", "it was bad\t0\n", "", "examples to learn from are"),
        ("glue/SST-2/test.tsv", "0\tgood", "0\tbad", "examples of SST-2/test are"),
        ("bert_tf/vocab.txt", "yes\nno\n", "no\nyes\n", "weights or their vocabulary are"),
    ] {
        let path = dir.join(file);
        let before = fs::read_to_string(&path).expect(file);
        assert!(before.contains(from), "{before}");
        fs::write(&path, before.replace(from, to)).expect("written");
        let said = refused(dir, &arguments);
        let words = format!("the {what} no longer those with which ");
        assert!(said.contains(&words) && said.contains("--fresh"), "{file}: {said}");
        fs::write(&path, before).expect("written");
    }
    let vocabulary = fs::read(folder.join("text/vocabulary/tokenizer.json")).expect("it");
    assert!(vocabulary == kept, "nothing is written before that");
    // A run that an earlier version began goes on with what is there.
    fs::remove_file(folder.join("began.json")).expect("removed");
    assert_eq!(
        run_folder(dir, &run(dir, &arguments)).canonicalize().ok(),
        folder.canonicalize().ok()
    );
    assert!(folder.join("began.json").is_file());
}

#[test]
fn words_are_tagged() {
    let dir = tempfile::tempdir().expect("a folder");
    network(dir.path(), "electra_tf");
    let sentence = |verdict: &str, tag: &str, others: &[&str]| -> String {
        let words =
            |other: &&str| format!("{other} X O\nfilms NN B-FILM\nwas V O\n{verdict} A {tag}\n\n");
        others.iter().map(words).collect()
    };
    let text = |others: &[&str]| {
        format!("-DOCSTART- -X- O\n\n{}", sentence("good", "B-GOOD", others))
            + &sentence("bad", "O", others)
    };
    fs::write(dir.path().join("eng.train"), text(&["the", "a", "it", "yes"])).expect("written");
    fs::write(dir.path().join("eng.testa"), text(&["no", "the"])).expect("written");
    let task = ["tag", "--train", "eng.train", "--test", "eng.testa", "--max-length", "12"];
    let rates = ["--lr", "1e-3", "--layer-decay", "1.0"];
    let arguments = [&finetune(&task, "electra_tf", "300")[..], &rates[..]].concat();
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let result = result(&folder);
    assert_eq!(result["rows"][0]["metric"], "test F1 of spans");
    assert_eq!(result["rows"][0]["per_seed"], json!([100.0, 100.0]));
    let text = fs::read_to_string(folder.join("seed-1/predictions/predictions.txt")).expect("it");
    assert!(
        text.starts_with("no O O\nfilms B-FILM B-FILM\nwas O O\ngood B-GOOD B-GOOD\n\n"),
        "{text}"
    );
    new_sentences(dir.path(), &folder);
    // A tag that was never learned is a span that is missed.
    let text = "film NN B-NEW\nwas V O\n\nfilms NN B-FILM\n";
    fs::write(dir.path().join("eng.testa"), text).expect("written");
    let folder = run_folder(dir.path(), &run(dir.path(), &finetune(&task, "electra_tf", "1")));
    let result = crate::tutor::result(&folder);
    let notes = result["notes"].to_string();
    assert!(notes.contains("not learned and never predicted, of 1 word: B-NEW"));
    assert!(notes.contains("eng.train: words are from column 1 and tags from the last column"));
    assert!(result["rows"].to_string().contains("test F1 of NEW"), "{}", result["rows"]);
    let text = fs::read_to_string(folder.join("seed-1/predictions/predictions.txt")).expect("it");
    assert!(text.starts_with("film B-NEW "), "{text}");
    // A file without any that was learned is another one.
    fs::write(dir.path().join("eng.testa"), "film NN B-NEW\n").expect("written");
    let said = refused(dir.path(), &finetune(&task, "electra_tf", "1"));
    assert!(said.contains("eng.testa") && said.contains("B-NEW"), "{said}");
}

/// In CoNLL-U numbers stand first, and what is called miscellaneous last.
#[test]
fn words_and_tags_are_in_the_columns_that_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    network(dir.path(), "electra_tf");
    let row =
        |n: u32, word: &str, tag: &str| format!("{n}\t{word}\tx\t{tag}\tX\t_\t0\troot\t_\t_\n");
    let text = format!("# sent_id = 1\n{}{}\n", row(1, "the", "DET"), row(2, "film", "NOUN"));
    fs::write(dir.path().join("en.conllu"), text).expect("written");
    let task = ["tag", "--train", "en.conllu", "--test", "en.conllu", "--max-length", "12"];
    let said = refused(dir.path(), &finetune(&task, "electra_tf", "1"));
    assert!(said.contains("column 1 holds numbers") && said.contains("--word-column 2"), "{said}");
    let columns = ["--word-column", "2", "--tag-column", "4"];
    let named = [&finetune(&task, "electra_tf", "1")[..], &columns].concat();
    let recipe = run(dir.path(), &[&["check"], &named[..]].concat());
    assert!(recipe.contains("word = 1\n") && recipe.contains("tag = 3\n"), "{recipe}");
    let folder = run_folder(dir.path(), &run(dir.path(), &named));
    let notes = result(&folder)["notes"].to_string();
    let said = "words are from column 2 and tags from column 4, such as the with DET";
    assert!(notes.contains(said), "{notes}");
    let same = [&finetune(&task, "electra_tf", "1")[..], &["--tag-column", "1"]].concat();
    let said = refused(dir.path(), &same);
    assert!(said.contains("task.tag: is the column of the words"), "{said}");
}

#[test]
fn what_cannot_work_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    glue(dir.path());
    network(dir.path(), "bert_tf");
    let glue = |task: &'static str, longest: &'static str| {
        ["glue", "--task", task, "--data", "glue", "--max-length", longest]
    };
    let said = refused(dir.path(), &finetune(&glue("squad", "12"), "bert_tf", "1"));
    assert!(said.contains("no task squad") && said.contains("MRPC"), "{said}");
    let said = refused(dir.path(), &finetune(&glue("rte", "13"), "bert_tf", "1"));
    assert!(said.contains("13 tokens") && said.contains("12 positions"), "{said}");
    let said = refused(dir.path(), &finetune(&glue("rte", "12"), "nowhere", "1"));
    assert!(said.contains("nowhere"), "{said}");
    fs::remove_file(dir.path().join("glue/RTE/dev.tsv")).expect("removed");
    let said = refused(dir.path(), &finetune(&glue("rte", "12"), "bert_tf", "1"));
    assert!(said.contains("RTE/dev.tsv"), "{said}");
    // A label that the task does not have, and the way to leave such rows out.
    let path = dir.path().join("glue/WNLI/dev.tsv");
    fs::write(path, format!("{PAIR}\n0\ta\tb\t1\n1\ta\tb\tperhaps\n")).expect("written");
    let said = refused(dir.path(), &finetune(&glue("wnli", "12"), "bert_tf", "1"));
    assert!(said.contains("dev.tsv line 3") && said.contains("perhaps"), "{said}");
    let arguments = [&finetune(&glue("wnli", "12"), "bert_tf", "1")[..], &["--skip-bad"]].concat();
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    assert!(result(&folder)["notes"].to_string().contains("another label"), "the row is counted");
    // New pairs get labels; a pair is no single text.
    let run_dir = folder.display().to_string();
    let predict = ["predict", &run_dir, "new.csv", "--out", "labels.csv"];
    fs::write(dir.path().join("new.csv"), "sentence1,sentence2\na,b\nIt is.,good\n").expect("it");
    run(dir.path(), &predict);
    let labels = fs::read_to_string(dir.path().join("labels.csv")).expect("labels");
    assert_eq!(labels.lines().count(), 3, "{labels}");
    fs::remove_file(dir.path().join("labels.csv")).expect("removed");
    fs::write(dir.path().join("new.csv"), "text\ngood\n").expect("written");
    let said = refused(dir.path(), &predict);
    assert!(said.contains("sentence1"), "{said}");
    // A vocabulary that does not fit.
    fs::write(dir.path().join("bert_tf/vocab.txt"), format!("{TOKENS}more\n")).expect("written");
    let said = refused(dir.path(), &finetune(&glue("wnli", "12"), "bert_tf", "1"));
    assert!(said.contains("21") && said.contains("20"), "{said}");
}
