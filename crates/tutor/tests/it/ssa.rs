//! The rubric, simulated raters and published numbers.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::tutor::{refused, result, run, run_folder};

#[test]
fn rubric_raters_and_published_numbers() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("data/meena-transcripts");
    fs::create_dir_all(&folder).expect("a folder");
    let text = "Meena Conversation 1\nHuman: Hi!\nMeena: Hello!\nHuman: Bye.\n";
    fs::write(folder.join("meena.txt"), text).expect("a file");
    let quick = ["run", "ssa", "--quick"];
    let with =
        run_folder(dir.path(), &run(dir.path(), &[&quick[..], &["--data", "data"]].concat()));
    let read = |folder: &std::path::Path, name: &str| {
        fs::read_to_string(folder.join(name)).expect("a report")
    };
    let text = read(&with, "report.md");
    assert!(text.contains("| Butterfly stroke | 1 | 1 | 1.0 |"), "{text}");
    assert!(text.contains("| meena.txt | 1 | 3 | 3, 3, 3 | 0 | 1 |"), "{text}");
    assert!(text.contains("| DialoGPT 762M | 48 N |") && text.contains("| 0.93 | P |"), "{text}");
    let page = read(&with, "report.html");
    assert!(page.contains("SSA as published") && !page.contains("NaN"));

    // The same seed gives the same numbers, and no data is no error.
    let without = run_folder(dir.path(), &run(dir.path(), &[&quick[..], &["--fresh"]].concat()));
    assert_eq!(result(&with)["rows"], result(&without)["rows"]);
    assert!(read(&without, "report.md").contains("--data names a folder"));
    assert!(read(&without, "report.md").contains("no models of ours have been trained for it yet"));
    let seeds = [&quick[..], &["--fresh", "--seeds", "2"]].concat();
    let two = result(&run_folder(dir.path(), &run(dir.path(), &seeds)));
    let rows = two["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 14, "three systems by labels and raters; four sizes, two intervals");
    let values = |row: usize| rows[row]["per_seed"].as_array().expect("values").clone();
    assert_ne!(values(0)[0], values(0)[1], "each seed draws its own study");
    let said = refused(
        dir.path(),
        &["run", "ssa", "--set", "raters.votes=4", "--set", "coverage.likeness=2"],
    );
    assert!(said.contains("raters.votes") && said.contains("coverage.likeness"), "{said}");
}

/// A study of made-up answers: one vote an item, `small` half as specific as `large`.
fn rated(dir: &Path) {
    // The votes are not the default, which a folder of the export has to say.
    run(dir, &["rate", "init", "rated.db", "--votes", "1"]);
    for (system, labels) in [("small", ["sensible", "specific"]), ("large", ["specific"; 2])] {
        let rows = ["a", "b"].map(|context| {
            json!({ "item": format!("{system}/{context}"), "context": [context], "response": "r" })
                .to_string()
                + "\n"
        });
        fs::write(dir.join("rows.jsonl"), rows.concat()).expect("a file");
        run(dir, &["rate", "import", "rated.db", "rows.jsonl", "--system", system]);
        let lines = [("a", labels[0]), ("b", labels[1])].map(|(context, label)| {
            let labels = if label == "specific" { vec!["sensible", label] } else { vec![label] };
            json!({ "id": 1, "item": format!("{system}/{context}"), "label": labels }).to_string()
                + "\n"
        });
        fs::write(dir.join("kim.jsonl"), lines.concat()).expect("a file");
        run(dir, &["rate", "import", "rated.db", "--from", "doccano", "kim.jsonl"]);
    }
}

#[test]
fn a_sweep_of_models_is_drawn_where_one_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    rated(dir);
    // Numbers made up for this test. The line over the four: y = 1 - x / 50.
    let models = r#"{"name": "tiny", "perplexity": 40, "measures": {"distinct-2": 0.2}}
{"name": "small", "perplexity": 30, "measures": {"distinct-2": 0.4}, "project": "../rated.db"}
{"name": "middle", "perplexity": 20, "measures": {"distinct-2": 0.6, "mean words": 7.5}}

{"name": "big", "perplexity": 10, "measures": {"distinct-2": 0.8}, "project": "../rated.db", "system": "large"}
"#;
    fs::create_dir(dir.join("sweep")).expect("a folder");
    fs::write(dir.join("sweep/models.jsonl"), models).expect("a file");
    let quick = ["run", "ssa", "--quick"];
    let with = |sweep: &str| [&quick[..], &["--set", &format!("sweep={sweep}")]].concat().join(" ");
    let call = |sweep: &str| with(sweep).split(' ').map(str::to_owned).collect::<Vec<_>>();
    let words = call("sweep");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let folder = run_folder(dir, &run(dir, &words));
    let recipe = fs::read_to_string(folder.join("recipe.toml")).expect("the recipe");
    let path = fs::canonicalize(dir).expect("a folder").join("sweep");
    assert!(recipe.contains(&format!("sweep = \"{}\"", path.display())), "{recipe}");
    // So it can be run from elsewhere, as short as it was.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let again = folder.join("recipe.toml").display().to_string();
    run(elsewhere.path(), &["run", &again]);
    let said = refused(elsewhere.path(), &["run", &again, "--quick"]);
    assert!(said.contains("has no table [quick]"), "{said}");
    let text = fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(text.contains("| distinct-2 | 4 | 1.000 | -0.0200 | 1.0000 |"), "{text}");
    assert!(text.contains("| big | 10.00 | 0.800 | – | 100.0 ["), "{text}");
    assert!(text.contains("| small | 30.00 | 0.400 | – | 75.0 ["), "{text}");
    assert!(text.contains("| tiny | 40.00 | 0.200 | – | – | – |"), "{text}");
    for measure in ["SSA", "sensibleness", "specificity"] {
        assert!(text.contains(&format!("| {measure} (static), % | 2 |")), "{text}");
    }
    let page = fs::read_to_string(folder.join("report.html")).expect("a report");
    assert!(page.contains("Distinct-2 over perplexity") && page.contains("SSA (static), %"));
    // An export says the same as the study, and without its number of votes nothing.
    run(dir, &["rate", "export", "rated.db", "--out", "exported", "--names"]);
    let of_export = models.replace("../rated.db", "../exported");
    fs::write(dir.join("sweep/models.jsonl"), of_export).expect("a file");
    let fresh = [&words[..], &["--fresh"]].concat();
    let folder = run_folder(dir, &run(dir, &fresh));
    let exported = fs::read_to_string(folder.join("report.md")).expect("a report");
    for line in text.lines().filter(|line| line.contains("| small |") || line.contains("| big |")) {
        assert!(exported.contains(line), "{line} is not in {exported}");
    }
    fs::remove_file(dir.join("exported/study.json")).expect("removed");
    let said = refused(dir, &fresh);
    assert!(said.contains("exported") && said.contains("no study.json"), "{said}");
    let faults = [
        (r#"{"name": "a", "perplexity": 3, "measures": {"static SSA": 1}}"#, "cannot be called"),
        (r#"{"name": "a", "perplexity": 3, "measures": {"Specificity": 1}}"#, "cannot be called"),
        (r#"{"name": "a", "perplexity": 0.5}"#, "1 or more"),
        (r#"{"name": "a", "perplexity": 3, "system": "b"}"#, "not given"),
        (r#"{"name": "a", "perplexity": 3, "project": "../rated.db"}"#, "but large, small"),
        (r#"{"name": "a", "perplexity": 3, "project": "../none.db"}"#, "none.db"),
        (r#"{"name": "a", "perplexity": 3, "colour": 1}"#, "colour"),
        ("", "no models"),
    ];
    for (line, part) in faults {
        fs::write(dir.join("sweep/models.jsonl"), line).expect("a file");
        let words = call("sweep/models.jsonl");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = refused(dir, &words);
        assert!(said.contains(part) && said.contains("models.jsonl"), "{part:?}: {said}");
    }
}
