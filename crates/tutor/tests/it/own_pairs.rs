//! `tutor fit --text` on pairs of texts: whether both speak of the same is told by neither alone.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::own_texts::SMALL;
use crate::rate_imports::study;
use crate::tutor::{call, refused, result, run, run_folder};

const TOPICS: [[&str; 6]; 2] = [
    ["sea", "beach", "sand", "wave", "boat", "harbour"],
    ["bread", "oven", "flour", "baker", "dough", "crust"],
];

/// A text of its own for each number, about one of the topics.
fn says(topic: usize, i: usize) -> String {
    let word = |n: usize| TOPICS[topic][n % 6];
    format!("Number {i}: the {} and the {} of the {}.", word(i), word(i / 6 + i + 1), word(i + 2))
}

/// Two texts and whether they are about the same. Each text stands as often in either class.
fn pair(i: usize) -> [String; 3] {
    let (topic, is_same) = (i / 2 % 2, i.is_multiple_of(2));
    let other = if is_same { topic } else { 1 - topic };
    let label = if is_same { "same" } else { "other" };
    [says(topic, i / 2), says(other, 7 * i + 3), label.to_owned()]
}

/// A table of pairs whose columns have these names, in the form that its ending says.
fn table(path: &Path, names: [&str; 3], numbers: std::ops::Range<usize>) {
    let rows: Vec<[String; 3]> = numbers.map(pair).collect();
    let ending = path.extension().and_then(|ending| ending.to_str());
    let between = |delimiter: u8| {
        let mut builder = csv::WriterBuilder::new();
        let mut writer = builder.delimiter(delimiter).from_path(path).expect("a table");
        writer.write_record(names).expect("a row");
        rows.iter().for_each(|row| writer.write_record(row).expect("a row"));
        writer.flush().expect("written");
    };
    match ending {
        Some("csv") => between(b','),
        Some("tsv") => between(b'\t'),
        Some("jsonl") => {
            let [a, b, y] = names;
            let line = |row: &[String; 3]| {
                format!("{}\n", serde_json::json!({a: row[0], b: row[1], y: row[2]}))
            };
            fs::write(path, rows.iter().map(line).collect::<String>()).expect("written");
        }
        _ => {
            let fields = names.map(|name| format!("required binary {name} (UTF8);")).concat();
            let schema = parse_message_type(&format!("message pairs {{ {fields} }}"));
            let file = fs::File::create(path).expect("a file");
            let properties = Arc::new(WriterProperties::builder().build());
            let schema = Arc::new(schema.expect("a schema"));
            let mut writer = SerializedFileWriter::new(file, schema, properties).expect("begun");
            let mut group = writer.next_row_group().expect("a group");
            for place in 0..3 {
                let cells: Vec<ByteArray> =
                    rows.iter().map(|row| ByteArray::from(row[place].as_str())).collect();
                let mut column = group.next_column().expect("a column").expect("a column");
                let typed = column.typed::<ByteArrayType>();
                typed.write_batch(&cells, None, None).expect("cells");
                column.close().expect("closed");
            }
            group.close().expect("closed");
            writer.close().expect("closed");
        }
    }
}

const NAMES: [&str; 3] = ["a", "b", "y"];

/// Labelled, unlabelled and test pairs.
fn pairs(dir: &Path) {
    table(&dir.join("pairs.csv"), NAMES, 0..40);
    table(&dir.join("more.tsv"), ["a", "b", "none"], 200..280);
    table(&dir.join("test.jsonl"), NAMES, 100..140);
}

fn fit<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let first = ["fit", "--text", "pairs.csv", "--label-column", "y"];
    [&first[..], &["--text-column", "a", "--text-column", "b"], more].concat()
}

const ALL: [&str; 6] = ["--unlabeled", "more.tsv", "--test", "test.jsonl", "--minutes", "0.1"];

/// The rows of a CSV file, with its first line.
fn rows(path: &Path) -> Vec<csv::StringRecord> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).from_path(path).expect("a CSV file");
    reader.records().map(|row| row.expect("a row")).collect()
}

#[test]
fn pairs_become_a_classifier_that_reads_both_texts() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    pairs(dir);
    let plan = call(dir, &[&["check"], &fit(&ALL)[..]].concat());
    assert!(plan.success, "{}", plan.err);
    for part in [
        "data: 40 labelled pairs of 2 classes (20 each), 80 unlabelled, 40 test",
        "columns `a`, `b` and `y`",
        "measured on the 40 test pairs",
    ] {
        assert!(plan.err.contains(part), "{part}: {}", plan.err);
    }
    let recipe = plan.out;
    assert!(recipe.contains("text_column = \"a\"\npair_column = \"b\"\n"), "{recipe}");
    assert!(recipe.contains("keep = \"start\""), "{recipe}");

    let folder = run_folder(dir, &run(dir, &fit(&ALL)));
    let found = result(&folder);
    for row in ["words", "latent-semantic"] {
        let all = found["rows"].as_array().expect("rows");
        let accuracy = all.iter().find(|r| r["name"] == row && r["metric"] == "test accuracy");
        let accuracy = accuracy.expect("its row")["per_seed"][0].as_f64().expect("a number");
        assert!(accuracy >= 90.0, "{row}: {accuracy} % where chance is 50 %");
    }
    let notes = found["notes"].to_string();
    assert!(notes.contains("of each text of a pair, of both, and how alike"), "{notes}");
    let report = fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(
        report.contains("Pairs to label next") && report.contains("| or | a | b |"),
        "{report}"
    );

    // The list has both texts under the names of their columns.
    let next = rows(&folder.join("seed-1/label-next.csv"));
    assert_eq!(next[0], ["id", "predicted", "or", "probability", "margin", "a", "b"][..]);
    assert_eq!(next.len(), 81);
    for row in &next[1..] {
        let line: usize = row[0].strip_prefix("more.tsv/").expect("its file").parse().expect("it");
        assert_eq!([&row[5], &row[6]], pair(200 + line - 2)[..2]);
    }

    // New pairs in every form are labelled alike, and rightly.
    let run_path = folder.to_str().expect("UTF-8");
    let mut said = Vec::new();
    for ending in ["csv", "tsv", "jsonl", "parquet"] {
        let name = format!("new.{ending}");
        table(&dir.join(&name), ["a", "b", "none"], 300..340);
        let out = format!("labels-{ending}.csv");
        run(dir, &["predict", run_path, &name, "--out", &out]);
        let labels = rows(&dir.join(out));
        assert_eq!(labels[0].iter().take(3).collect::<Vec<_>>(), ["id", "label", "confidence"]);
        let labels: Vec<String> = labels[1..].iter().map(|row| row[1].to_owned()).collect();
        let right = labels.iter().zip(300..).filter(|(label, i)| **label == pair(*i)[2]).count();
        assert!(right >= 36, "{ending}: {right} of 40");
        said.push(labels);
    }
    assert!(said.windows(2).all(|two| two[0] == two[1]), "{said:?}");
    let scored = run(dir, &["eval", run_path, "test.jsonl"]);
    assert!(scored.contains("% of 40 pairs"), "{scored}");
    // The recipe is the same run again.
    let recipe = folder.join("recipe.toml");
    let again = run(dir, &["check", recipe.to_str().expect("UTF-8")]);
    assert_eq!(again.trim(), fs::read_to_string(recipe).expect("it").trim());
}

#[test]
fn nets_of_pairs_see_both_texts_and_are_read_by_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    pairs(dir);
    // Usual names need not be said.
    table(&dir.join("pairs.csv"), ["sentence1", "sentence2", "label"], 0..40);
    table(&dir.join("more.csv"), ["sentence1", "sentence2", "none"], 200..240);
    table(&dir.join("test.csv"), ["sentence1", "sentence2", "label"], 100..120);
    let asked = ["check", "fit", "--text", "pairs.csv", "--unlabeled", "more.csv"];
    let plan = run(dir, &[&asked[..], &["--minutes", "60"]].concat());
    assert!(plan.contains("pair_column = \"sentence2\""), "{plan}");
    fs::write(dir.join("recipe.toml"), plan).expect("written");
    let mut arguments = vec!["run", "recipe.toml", "--threads=1"];
    let own = ["data.test=test.csv", "pretraining.train.steps=20"];
    for key in own.into_iter().chain(SMALL) {
        arguments.extend(["--set", key]);
    }
    let folder = run_folder(dir, &run(dir, &arguments));
    let rows_of = |found: &serde_json::Value| -> Vec<String> {
        let rows = found["rows"].as_array().expect("rows").iter();
        let accuracies = rows.filter(|row| row["metric"] == "test accuracy");
        accuracies.filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(
        rows_of(&result(&folder)),
        [
            "words",
            "latent-semantic",
            "labels-alone",
            "pre-trained",
            "student",
            "uda",
            "always `other`"
        ]
    );

    // What a net says changes with the second text alone.
    let run_path = folder.to_str().expect("UTF-8");
    let text = says(0, 1);
    for (name, second) in [("one.csv", says(0, 5)), ("two.csv", says(1, 5))] {
        let table = format!("sentence1,sentence2\n{text},{second}\n");
        fs::write(dir.join(name), table).expect("written");
    }
    let probability = |model: &str, name: &str| {
        run(dir, &["predict", run_path, name, "--model", model, "--out", "labels.csv"]);
        rows(&dir.join("labels.csv"))[1][2].to_owned()
    };
    for model in ["labels-alone", "student", "uda"] {
        assert_ne!(probability(model, "one.csv"), probability(model, "two.csv"), "{model}");
    }

    // A folder for others is read back as published weights, and shown both texts.
    let scored = run(dir, &["eval", run_path, "test.csv", "--model", "student"]);
    run(dir, &["export", run_path, "--model", "student", "--hub", "hub"]);
    let published = run(dir, &["eval", "--weights", "hub", "test.csv"]);
    let after_name = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned());
    assert!(scored.contains("of 20 pairs"), "{scored}");
    assert_eq!(after_name(&published), after_name(&scored));
}

#[test]
fn what_is_no_table_of_pairs_is_refused_with_a_way_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    pairs(dir);
    let check = |more: &[&str]| refused(dir, &[&["check"], more].concat());
    let error = check(&fit(&["--text-column", "c"]));
    assert!(error.contains("--text-column a, b, c: 3 columns") && error.contains("one or two"));
    let twice = ["fit", "--text", "pairs.csv", "--text-column", "a", "--text-column", "a"];
    let error = check(&twice);
    assert!(error.contains("--text-column a: named twice"), "{error}");
    let missing = ["fit", "--text", "pairs.csv", "--text-column", "a", "--text-column", "c"];
    let error = check(&[&missing[..], &["--label-column", "y"]].concat());
    assert!(error.contains("no column `c` among a, b, y"), "{error}");
    let error = check(&["fit", "--text", "pairs.csv", "--text-column", "a", "--text-column", "y"]);
    assert!(error.contains("`y` cannot hold both texts and labels"), "{error}");
    fs::write(dir.join("lines.txt"), "A line.\nAnother.\n").expect("written");
    let error = check(&fit(&["--unlabeled", "lines.txt"]));
    assert!(error.contains("lines.txt") && error.contains("holds no pairs"), "{error}");
    assert!(error.contains("name a table"), "{error}");
    fs::write(dir.join("single.jsonl"), "{\"a\": \"One.\"}\n").expect("written");
    let error = check(&fit(&["--unlabeled", "single.jsonl"]));
    assert!(error.contains("no column `b` among a"), "{error}");
    // An empty side is a row without text.
    let whole = fs::read_to_string(dir.join("pairs.csv")).expect("it");
    fs::write(dir.join("pairs.csv"), format!("{whole}A text.,,same\n")).expect("written");
    let error = check(&fit(&[]));
    assert!(error.contains("pairs.csv line 42: the column `b` is empty"), "{error}");
    assert!(error.contains("--skip-bad"), "{error}");
    let skipped = call(dir, &[&["check"], &fit(&["--skip-bad"])[..]].concat());
    assert!(skipped.success && skipped.err.contains("40 labelled pairs"), "{}", skipped.err);
    assert!(skipped.err.contains("a row without text (once)"), "{}", skipped.err);
    fs::write(dir.join("pairs.csv"), whole).expect("written");
    // A pair is another one's copy if both texts are.
    let [a, b, _] = pair(0);
    for (name, second, is_copy) in [("same.csv", &b, true), ("other.csv", &says(1, 999), false)] {
        fs::write(dir.join(name), format!("a,b,y\n{a},{second},same\n")).expect("written");
        let found = call(dir, &[&["check"], &fit(&["--test", name])[..]].concat());
        assert_eq!(found.success, !is_copy, "{name}: {}", found.err);
        let told = found.err.contains("1 of the 1 pairs of same are labelled pairs too");
        assert_eq!(told, is_copy, "{name}: {}", found.err);
    }
    // In a recipe.
    let plan = run(dir, &[&["check"], &fit(&[])[..]].concat());
    fs::write(dir.join("recipe.toml"), &plan).expect("written");
    let error = check(&["recipe.toml", "--unset", "data.text_column"]);
    assert!(error.contains("data.text_column: is missing"), "{error}");
    let error = check(&["recipe.toml", "--set", "data.pair_column=a"]);
    assert!(error.contains("data.pair_column: is `a`, as text_column is"), "{error}");
    let error = check(&["recipe.toml", "--set", "data.label_column=b"]);
    assert!(error.contains("data.label_column: is `b`, a column of texts"), "{error}");
    let uda = "uda={batch=2,ratio=2,steps=4,strong={kind='paraphrases',path='p'},method={}}";
    let error = check(&["recipe.toml", "--set", uda]);
    assert!(error.contains("uda.strong.kind") && error.contains("tf-idf"), "{error}");

    // A classifier of pairs reads tables of pairs alone.
    let folder = run_folder(dir, &run(dir, &fit(&["--minutes", "0.05"])));
    let run_path = folder.to_str().expect("UTF-8");
    let error = refused(dir, &["predict", run_path, "lines.txt"]);
    assert!(error.contains("lines.txt") && error.contains("`a` and `b`"), "{error}");
    fs::write(dir.join("text.csv"), "text,a\nOne.,Two.\n").expect("written");
    let error = refused(dir, &["predict", run_path, "text.csv"]);
    assert!(error.contains("no column `b` among text, a"), "{error}");
    study(dir);
    let judge = ["rate", "judge", "study.db", "own", "--run", run_path];
    let meanings = ["--class", "same=specific", "--class", "other=sensible"];
    let error = refused(dir, &[&judge[..], &meanings].concat());
    assert!(error.contains("cannot judge responses, each of which is one text"), "{error}");
}
