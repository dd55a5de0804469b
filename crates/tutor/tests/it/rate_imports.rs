//! Ratings that were given in other tools, in the form in which the tools export them, and a
//! classifier of texts as judge.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::tutor::{refused, run, run_folder};

const CONTEXTS: [&str; 3] = ["Do you swim?", "I have a cat.", "Where do you live?"];
const REPLIES: [&str; 3] = ["Yes, every Sunday", "What's its name?", "ok"];

/// A study with three responses of one system, `one/1` to `one/3`, and one vote each.
pub(crate) fn study(dir: &Path) {
    let row = |(context, response): (&str, &str)| {
        json!({ "context": [context], "response": response }).to_string() + "\n"
    };
    let rows: String = CONTEXTS.into_iter().zip(REPLIES).map(row).collect();
    fs::write(dir.join("one.jsonl"), rows).expect("a file");
    run(dir, &["rate", "init", "study.db", "--votes", "1"]);
    run(dir, &["rate", "import", "study.db", "one.jsonl", "--system", "one"]);
}

/// The three answers by item: specific, sensible only, no sense.
fn check(dir: &Path, rater: &str, comment: Option<&str>) {
    run(dir, &["rate", "export", "study.db", "--out", "out", "--names"]);
    let text = fs::read_to_string(dir.join("out/ratings.jsonl")).expect("ratings");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (item, sensible, specific) in
        [("one/1", true, Some(true)), ("one/2", true, Some(false)), ("one/3", false, None)]
    {
        let line = lines.iter().find(|line| line["item"] == item).expect("the item");
        assert_eq!(line["sensible"], sensible, "{line}");
        assert_eq!(line.get("specific").and_then(Value::as_bool), specific, "{line}");
    }
    assert!(comment.is_none_or(|comment| text.contains(comment)), "{text}");
    assert!(!text.contains(rater), "a name given elsewhere stays out of the records");
    run(dir, &["rate", "report", "study.db", "--out", "r.html", "--names"]);
    let report = fs::read_to_string(dir.join("r.md")).expect("a report");
    // (1, 1), (1, 0) and (0, 0): sensible 2 of 3, specific 1 of 3.
    assert!(report.contains("| one | static | 50.0 ["), "{report}");
}

#[test]
fn label_studios_export_comes_in_by_the_program() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    study(dir);
    // As Label Studio 1.13 writes it, with fields that are of no use here.
    let choice = |name: &str, choice: &str| {
        json!({ "value": { "choices": [choice] }, "id": "q4_Xk2", "from_name": name,
                "to_name": "response", "type": "choices", "origin": "manual" })
    };
    let note = json!({ "value": { "text": ["an odd one"] }, "id": "Zt", "from_name": "comment",
                       "to_name": "response", "type": "textarea", "origin": "manual" });
    let results = [
        json!([choice("sensible", "Yes"), choice("specific", "Yes")]),
        json!([choice("sensible", "Yes"), choice("specific", "No"), note]),
        json!([choice("sensible", "No")]),
    ];
    let task = |(index, result): (usize, Value)| {
        json!({
            "id": 40 + index,
            "annotations": [{
                "id": 70 + index, "completed_by": { "id": 2, "email": "ada@example.org",
                "first_name": "Ada", "last_name": "" }, "result": result, "was_cancelled": false,
                "ground_truth": false, "created_at": "2026-05-02T11:20:31.123456Z",
                "updated_at": "2026-05-02T11:20:31.123479Z", "draft_created_at": null,
                "lead_time": 12.25, "prediction": {}, "result_count": 2, "unique_id": "f1c0",
                "import_id": null, "last_action": null, "bulk_created": false, "task": 40 + index,
                "project": 3, "updated_by": 2, "parent_prediction": null,
                "parent_annotation": null, "last_created_by": null
            }],
            "file_upload": "9a8b-tasks.json", "drafts": [], "predictions": [],
            "data": { "item": format!("one/{}", index + 1), "response": REPLIES[index],
                      "context": [{ "author": "user", "text": CONTEXTS[index] }] },
            "meta": {}, "created_at": "2026-05-02T11:00:00.000000Z",
            "updated_at": "2026-05-02T11:20:31.200000Z", "inner_id": index + 1,
            "total_annotations": 1, "cancelled_annotations": 0, "total_predictions": 0,
            "comment_count": 0, "unresolved_comment_count": 0, "last_comment_updated_at": null,
            "project": 3, "updated_by": 2, "comment_authors": []
        })
    };
    let tasks: Vec<Value> = results.into_iter().enumerate().map(task).collect();
    fs::write(dir.join("project-3.json"), json!(tasks).to_string()).expect("a file");
    let import = ["rate", "import", "study.db", "--from", "label-studio", "project-3.json"];
    let said = run(dir, &import);
    assert!(said.contains("3 added, 3 were there already"), "the responses were there: {said}");
    check(dir, "Ada", Some("an odd one"));
    assert!(run(dir, &import).contains("0 added, 6 were there already"));
    // Responses that are not there yet come with it, and may be given a system.
    run(dir, &["rate", "init", "other.db"]);
    let other = ["rate", "import", "other.db", "--from", "label-studio", "project-3.json"];
    let said = run(dir, &[&other[..], &["--system", "one"]].concat());
    assert!(said.contains("6 added"), "{said}");
    assert!(!said.contains("without a system"), "{said}");
    // An id with another response is a mistake, and then nothing is added.
    let changed = json!(tasks).to_string().replace("What's its name?", "Meow");
    fs::write(dir.join("changed.json"), changed).expect("a file");
    let wrong = ["rate", "import", "study.db", "--from", "label-studio", "changed.json"];
    assert!(refused(dir, &wrong).contains("other contents"));
    // JSON-MIN does not say who answered.
    let min =
        r#"[{"id": 40, "item": "one/1", "response": "x", "sensible": "Yes", "annotator": 2}]"#;
    fs::write(dir.join("min.json"), min).expect("a file");
    let wrong = ["rate", "import", "study.db", "--from", "label-studio", "min.json"];
    let said = refused(dir, &wrong);
    assert!(said.contains("export the project as JSON, not as JSON-MIN"), "{said}");
}

/// What a study exports is known to it, and two systems' tasks with the same context are compared.
#[test]
fn an_export_adds_nothing_to_its_own_study_and_tasks_of_two_systems_meet() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let task = |(id, system): (usize, &str)| {
        let context = CONTEXTS[id % 2];
        let choice = json!({ "from_name": "sensible", "value": { "choices": ["No"] } });
        json!({
            "id": id, "data": { "response": "ok", "context": [context], "system": system },
            "annotations": [{ "completed_by": 2, "result": [choice],
                "updated_at": "2026-05-02T11:20:31Z" }]
        })
    };
    let systems = ["one", "one", "two", "two"];
    let tasks: Vec<Value> = systems.into_iter().enumerate().map(task).collect();
    fs::write(dir.join("tasks.json"), json!(tasks).to_string()).expect("a file");
    run(dir, &["rate", "init", "study.db", "--votes", "1"]);
    run(dir, &["rate", "import", "study.db", "--from", "label-studio", "tasks.json"]);
    run(dir, &["rate", "report", "study.db", "--names"]);
    let report: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("report.json")).expect("a report"))
            .expect("JSON");
    let comparison = &report["comparisons"][0];
    assert_eq!(comparison["unpaired_units"], 0, "{comparison}");
    assert_eq!(comparison["difference"]["units"], json!([2, 2]), "{comparison}");
    assert!(run(dir, &["rate", "pair", "study.db", "one", "two"]).contains("2 pairs added"));

    let before = run(dir, &["rate", "status", "study.db"]);
    run(dir, &["rate", "export", "study.db", "--out", "out", "--names"]);
    let names = ["items", "pairs", "systems", "ratings", "preferences", "judgments"];
    for file in names.map(|name| format!("out/{name}.jsonl")) {
        let said = run(dir, &["rate", "import", "study.db", &file]);
        assert!(said.contains(": 0 added"), "{said}");
    }
    assert_eq!(run(dir, &["rate", "status", "study.db"]), before);
    let said = refused(dir, &["rate", "import", "study.db", "out/labels.jsonl"]);
    assert!(said.contains("tutor fit --text"), "{said}");
}

#[test]
fn potatos_output_comes_in_by_the_program() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    study(dir);
    // annotation_output/RATER/annotated_instances.jsonl: the folder says who it was.
    let labels = [
        json!({ "sensible": { "Yes": "true" }, "specific": { "Yes": "true" } }),
        json!({ "sensible": { "Yes": "true" }, "specific": { "No": "true" },
                "comment": { "text_box": "an odd one" } }),
        json!({ "sensible": { "No": "true" } }),
    ];
    let line = |(index, labels): (usize, Value)| {
        json!({ "id": format!("one/{}", index + 1), "displayed_text": REPLIES[index],
                "label_annotations": labels, "span_annotations": {},
                "behavioral_data": { "time_string": "Time spent: 0d 0h 0m 7s " } })
        .to_string()
            + "\n"
    };
    let lines: String = labels.into_iter().enumerate().map(line).collect();
    let folder = dir.join("annotation_output/ada@example.org");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("annotated_instances.jsonl"), lines).expect("a file");
    let file = "annotation_output/ada@example.org/annotated_instances.jsonl";
    let import = ["rate", "import", "study.db", "--from", "potato", file];
    assert!(run(dir, &import).contains("3 added"));
    check(dir, "ada@example.org", Some("an odd one"));
    let state = json!({ "user_id": "ben", "instance_id_ordering": ["one/9"], "current_instance_index": 0,
        "instance_id_to_label_to_value": { "one/9": [[{ "schema": "sensible", "name": "Yes" }, true]] } });
    fs::write(dir.join("user_state.json"), state.to_string()).expect("a file");
    let unknown = ["rate", "import", "study.db", "--from", "potato", "user_state.json"];
    let said = refused(dir, &unknown);
    assert!(said.contains("one/9") && said.contains("import the responses first"), "{said}");
}

#[test]
fn doccanos_export_comes_in_by_the_program() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    study(dir);
    let labels: [&[&str]; 3] = [&["Sensible", "Specific"], &["Sensible"], &["Not sensible"]];
    let line = |(index, labels): (usize, &[&str])| {
        json!({ "id": 900 + index, "text": REPLIES[index], "item": format!("one/{}", index + 1),
                "label": labels, "Comments": ["an odd one"] })
        .to_string()
            + "\n"
    };
    let lines: String = labels.into_iter().enumerate().map(line).collect();
    fs::write(dir.join("admin.jsonl"), lines).expect("a file");
    let import = ["rate", "import", "study.db", "--from", "doccano", "admin.jsonl"];
    assert!(run(dir, &import).contains("3 added"));
    check(dir, "admin", Some("an odd one"));
}

/// Texts to train a judge on: what the label is shows in the words.
fn texts(dir: &Path) {
    let words = [
        ("not-sensible", "purple engine window"),
        ("sensible", "ok sure fine"),
        ("specific", "the pool on Sunday"),
    ];
    let text = |i: usize| format!("{} number {i}\nDo you swim?", words[i % 3].1);
    let row = |i: usize| json!({ "text": text(i), "label": words[i % 3].0 }).to_string() + "\n";
    fs::write(dir.join("labels.jsonl"), (0..36).map(row).collect::<String>()).expect("a file");
    let more: String = (100..160).map(|i| text(i).replace('\n', " ") + "\n").collect();
    fs::write(dir.join("more.txt"), more).expect("a file");
}

/// A run of few steps with a small net among its rows.
fn judge_run(dir: &Path) -> String {
    texts(dir);
    let fit = ["fit", "--text", "labels.jsonl", "--unlabeled", "more.txt", "--minutes", "60"];
    fs::write(dir.join("recipe.toml"), run(dir, &[&["check"], &fit[..]].concat())).expect("a file");
    let mut arguments = vec!["run", "recipe.toml", "--threads=1"];
    for key in [
        "net.layers=1",
        "net.vocabulary=100",
        "train.steps=14",
        "train.batch=4",
        "student.steps=14",
        "pretraining.train.steps=20",
        "pretraining.train.batch=4",
        "cadence.checkpoint=20",
        "cadence.evaluate=0",
    ] {
        arguments.extend(["--set", key]);
    }
    run_folder(dir, &run(dir, &arguments)).to_str().expect("a path").to_owned()
}

#[test]
fn a_classifier_of_texts_judges_as_a_run_and_as_a_folder_of_the_hub() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    study(dir);
    let folder = judge_run(dir);
    let folder = folder.as_str();
    let net = ["--run", folder, "--model", "labels-alone"];
    let judge = ["rate", "judge", "study.db"];
    let said = run(dir, &[&judge[..], &["own-1"], &net].concat());
    assert!(said.contains("own-1 has judged 3 responses"), "{said}");
    let said = run(dir, &[&judge[..], &["own-1"], &net].concat());
    assert!(said.contains("judged 0 responses"), "{said}");
    run(dir, &["export", folder, "--model", "labels-alone", "--hub", "hub"]);
    run(dir, &[&judge[..], &["hub-1", "--weights", "hub"]].concat());
    run(dir, &["rate", "export", "study.db", "--out", "out", "--names"]);
    let text = fs::read_to_string(dir.join("out/judgments.jsonl")).expect("judgements");
    let said: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(said.len(), 6);
    // What the run keeps, a linear classifier or a net, judges as well.
    let kept = run(dir, &[&judge[..], &["kept-1", "--run", folder]].concat());
    assert!(kept.contains("kept-1 has judged 3 responses"), "{kept}");
    let of = |judge: &str| -> Vec<(&Value, &Value)> {
        let own = said.iter().filter(|line| line["judge"] == judge);
        own.map(|line| (&line["item"], &line["label"])).collect()
    };
    assert_eq!(of("own-1"), of("hub-1"), "the same network says the same");
    assert!(text.contains("not-sensible 0.") || text.contains("not-sensible 1."), "{text}");
    let neither = refused(dir, &[&judge[..], &["nobody"]].concat());
    assert!(neither.contains("--run"), "{neither}");
    let twice = [&judge[..], &["two", "--run", folder, "--weights", "hub"]].concat();
    refused(dir, &twice);
    let wrong = [&judge[..], &["three", "--weights", "hub", "--class", "good=specific"]].concat();
    let said = refused(dir, &wrong);
    assert!(said.contains("no such class but not-sensible, sensible, specific"), "{said}");
}

#[test]
fn further_files_of_a_system_pairs_and_exports_that_replace_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    study(dir);
    // Rows without ids get numbers that are free; a byte-order mark is no part of the text.
    let more = "\u{feff}{\"context\": [\"Do you ski?\"], \"response\": \"Never\"}\n";
    fs::write(dir.join("more.jsonl"), more).expect("a file");
    let import = ["rate", "import", "study.db", "more.jsonl", "--system", "one"];
    assert!(run(dir, &import).contains("more.jsonl: 1 added"));
    assert!(run(dir, &import).contains("0 added, 1 was there already"));
    let two = "context,response\nDo you ski?,'-5' says the thermometer\n";
    fs::write(dir.join("two.csv"), two).expect("a file");
    run(dir, &["rate", "import", "study.db", "two.csv", "--system", "two"]);
    let pair = ["rate", "pair", "study.db", "one", "two"];
    assert!(run(dir, &pair).contains("1 pair added"));
    assert!(run(dir, &pair).contains("0 pairs added, 1 was there already"));
    let refuses = |second| refused(dir, &["rate", "pair", "study.db", "one", second]);
    let there = refuses("three");
    assert!(there.contains("no system three; the study has one, two"), "{there}");
    assert!(refuses("one").contains("one cannot be compared with itself"));
    fs::write(dir.join("four.csv"), "context,response\nWhy do bees row?,No\n").expect("a file");
    run(dir, &["rate", "import", "study.db", "four.csv", "--system", "four"]);
    assert!(refuses("four").contains("one and four have no response to the same turns"));

    // A corrected file brings a second response, and says so.
    let ski = "context,response\nDo you ski?,Never ever\n";
    fs::write(dir.join("corrected.csv"), ski).expect("a file");
    run(dir, &["rate", "init", "corrected.db"]);
    run(dir, &["rate", "import", "corrected.db", "two.csv", "--system", "two"]);
    let corrected = ["rate", "import", "corrected.db", "corrected.csv", "--system", "two"];
    let said = run(dir, &corrected);
    assert!(said.contains("1 added") && said.contains("both responses are rated"), "{said}");
    assert!(!run(dir, &corrected).contains("both responses"), "it is there already");

    fs::create_dir(dir.join("out")).expect("made");
    fs::write(dir.join("out/pairs.jsonl"), "mine").expect("a file");
    let export = ["rate", "export", "study.db", "--out", "out", "--names"];
    let said = refused(dir, &export);
    assert!(said.contains("pairs.jsonl is there already") && said.contains("--replace"), "{said}");
    assert_eq!(fs::read_dir(dir.join("out")).expect("it").count(), 1, "nothing was written");
    run(dir, &[&export[..], &["--replace"]].concat());
    let items = fs::read_to_string(dir.join("out/items.jsonl")).expect("items");
    assert!(items.contains("\"one/4\"") && items.contains("'-5' says"), "{items}");
    let pairs = fs::read_to_string(dir.join("out/pairs.jsonl")).expect("pairs");
    assert!(pairs.contains("\"responses\":[\"Never\",\"'-5' says the thermometer\"]"), "{pairs}");
    // Blind names of one study say nothing of another's.
    run(dir, &["rate", "init", "other.db"]);
    run(dir, &["rate", "import", "other.db", "one.jsonl", "two.csv", "--system", "one"]);
    let blind = |study: &str, out: &str| {
        run(dir, &["rate", "export", study, "--out", out]);
        fs::read_to_string(dir.join(out).join("items.jsonl")).expect("items")
    };
    let ids = |text: &str| -> Vec<Value> {
        let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["id"].clone();
        text.lines().map(line).collect()
    };
    let (first, second) = (ids(&blind("study.db", "blind")), ids(&blind("other.db", "blind-2")));
    assert!(first.iter().all(|id| !second.contains(id)), "{first:?} {second:?}");
    assert!(first.is_sorted_by_key(|id| id.as_str().map(str::to_owned)), "no order of files");
}
