//! Files of other tools in, tables out, and the study's own folder.

use eval_ssa::bootstrap::Bootstrap;
use eval_ssa::export::{csv, escaped, parquet, unescaped};
use eval_ssa::import::{
    Defaults, ImportError, Imported, Mapping, doccano, label_studio, potato, responses_csv,
    responses_json, responses_jsonl,
};
use eval_ssa::score::scores;
use eval_ssa::simulate::Simulation;
use eval_ssa::{Answer, FileError, Item, Label, Mode, Rating, Study, Turn};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use proptest::prelude::*;

const SPECIFIC: Answer = Answer::Sensible { specific: Some(true) };
const VAGUE: Answer = Answer::Sensible { specific: Some(false) };

fn answers(imported: &Imported) -> Vec<(&str, &str, &Answer)> {
    imported.ratings.iter().map(|r| (&*r.item, &*r.rater, &r.answer)).collect()
}

#[track_caller]
fn fault(result: Result<Imported, ImportError>, parts: &[&str]) {
    let error = result.unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is missing in {error:?}");
    }
}

#[test]
fn label_studios_export_is_read() {
    let json = r#"[
        {"id": 7, "data": {"response": "Butterfly", "system": "s", "context": ["Do you swim?", "yes", "How?"]},
         "annotations": [
            {"completed_by": 3, "was_cancelled": false, "lead_time": 4.2, "created_at": "2021-03-09T22:16:08.728353Z",
             "result": [
                {"from_name": "sensible", "type": "choices", "value": {"choices": ["Yes"]}},
                {"from_name": "specific", "type": "choices", "value": {"choices": ["No"]}},
                {"from_name": "note", "type": "textarea", "value": {"text": ["odd", "but fine"]}}]},
            {"completed_by": {"id": 4, "email": "a@b.c"}, "result": [
                {"from_name": "rating", "type": "choices", "value": {"choices": ["Not sensible"]}}]},
            {"completed_by": {"email": "secret@example.com"}, "was_cancelled": true, "result": []},
            {"completed_by": 5, "result": []}]},
        {"id": 8, "data": {"item": "x-8", "response": "ok", "context": [{"author": "A", "text": "Hi!"}]},
         "annotations": [{"completed_by": 3, "result": [
                {"from_name": "label", "type": "choices", "value": {"choices": ["specific"]}}]}]}
    ]"#;
    let found = label_studio(json, &Mapping::default()).unwrap();
    let skipped = Answer::Skipped { reason: "cancelled".into() };
    assert_eq!(
        answers(&found),
        [
            ("7", "user 3", &VAGUE),
            ("7", "user 4", &Answer::NotSensible),
            ("7", "rater 1", &skipped),
            ("x-8", "user 3", &SPECIFIC),
        ]
    );
    let first = &found.ratings[0];
    assert_eq!(first.answered_at, Some(1_615_328_168_728));
    assert_eq!(
        (first.duration_ms(), first.comment.as_deref()),
        (Some(4200), Some("odd\nbut fine"))
    );
    assert_eq!(found.items[0].context[2], Turn::new("A", "How?"));
    assert_eq!((found.items[0].turn, &*found.items[1].system), (3, "unknown"));
    // As in tables: whoever answers the same turns answers in the same conversation.
    assert_eq!(found.items[0].conversation, "Do you swim? / yes / How?");
    assert_eq!(found.items[1].conversation, "Hi!");
    let named = json.replace("\"item\": \"x-8\"", "\"item\": \"x-8\", \"conversation\": \"c\"");
    let named = label_studio(&named, &Mapping::default()).unwrap();
    assert_eq!(named.items[1].conversation, "c");
    let bare = r#"[{"id": 9, "data": {"response": "x", "conversation": ""}, "annotations": []}]"#;
    assert_eq!(label_studio(bare, &Mapping::default()).unwrap().items[0].conversation, "9");
    let notes = [
        "1 annotation without an answer was left out",
        "1 rater without a number got a name instead",
    ];
    assert_eq!(found.notes, notes);
    assert!(!format!("{found:?}").contains("example.com"));
    let study = Study { items: found.items, ratings: found.ratings, ..Study::default() };
    study.check().unwrap();

    let mapping = Mapping::default();
    fault(label_studio("{}", &mapping), &["no list of tasks"]);
    fault(
        label_studio(r#"[{"id": 1, "data": {"text": "x"}}]"#, &mapping),
        &["task 1", "\"response\""],
    );
    fault(label_studio(r#"[{"id": 1, "data": {"response": "x"}}]"#, &mapping), &["JSON-MIN"]);
    fault(
        label_studio(r#"[{"id": 1, "response": "x", "sensible": "Yes"}]"#, &mapping),
        &["JSON-MIN"],
    );
    let odd = json.replace("[\"Yes\"]", "[\"maybe\"]");
    fault(label_studio(&odd, &mapping), &["task 7", "\"maybe\"", "neither yes nor no"]);
    let both = json.replace("[\"Yes\"]", "[\"Yes\", \"No\"]");
    fault(label_studio(&both, &mapping), &["contradict"]);
}

/// Of what one user said of a task twice, the newest counts; what the project holds for true is no
/// vote.
#[test]
fn label_studios_corrections_and_ground_truths_are_no_further_votes() {
    let says = |by: &str, choice: &str, more: &str| {
        format!(
            r#"{{"completed_by": {by}, {more} "result": [
                {{"from_name": "x", "value": {{"choices": ["{choice}"]}}}}]}}"#
        )
    };
    let at = |time: &str| format!(r#""updated_at": "2021-03-0{time}T10:00:00Z","#);
    let tasks = [
        vec![says("3", "specific", &at("9")), says("3", "not sensible", &at("8"))],
        vec![says("3", "specific", ""), says("4", "sensible", ""), says("3", "not sensible", "")],
        vec![says("1", "specific", r#""ground_truth": true,"#), says("4", "specific", "")],
    ];
    let task = |(id, all): (usize, &Vec<String>)| {
        let all = all.join(",");
        format!(r#"{{"id": {id}, "data": {{"response": "ok"}}, "annotations": [{all}]}}"#)
    };
    let tasks: Vec<String> = (1..).zip(&tasks).map(task).collect();
    let found = label_studio(&format!("[{}]", tasks.join(",")), &Mapping::default()).unwrap();
    let sensible = Answer::Sensible { specific: None };
    assert_eq!(
        answers(&found),
        [
            ("1", "user 3", &SPECIFIC),
            ("2", "user 3", &Answer::NotSensible),
            ("2", "user 4", &sensible),
            ("3", "user 4", &SPECIFIC),
        ]
    );
    // A correction changes an annotation where it stands: it is answered when it was updated.
    assert_eq!(found.ratings[0].answered_at, Some(1_615_284_000_000));
    let notes = [
        "2 annotations of a task that the same user annotated anew were left out",
        "1 annotation marked as ground truth was left out",
    ];
    assert_eq!(found.notes, notes);
}

#[test]
fn potatos_three_forms_are_read() {
    let instances = r#"{"id": "a", "displayed_text": "x", "label_annotations": {"sensible": {"yes": "true"}, "specific": {"no": "true"}}, "span_annotations": {}}
{"id": "b", "label_annotations": {"sensible": {"no": "true"}, "comment": {"text_box": "off"}}}
{"id": "c", "label_annotations": {}}"#;
    let mapping = Mapping::default();
    let found = potato(instances, Some("kim"), &mapping).unwrap();
    assert_eq!(answers(&found), [("a", "kim", &VAGUE), ("b", "kim", &Answer::NotSensible)]);
    assert_eq!(found.ratings[1].comment.as_deref(), Some("off"));
    assert_eq!(found.notes, ["c: kim gave no answer"]);
    let state = r#"{"user_id": "lee", "instance_id_to_label_to_value": {
        "a": [[{"schema": "sensible", "name": "Yes"}, true], [{"schema": "specific", "name": "Yes"}, "Yes"]],
        "b": {"sensible": {"Yes": "true"}, "specific": {"Yes": false, "No": true}}}}"#;
    let found = potato(state, None, &mapping).unwrap();
    assert_eq!(answers(&found), [("a", "lee", &SPECIFIC), ("b", "lee", &VAGUE)]);
    let export = r#"{"instance_id": "a", "user_id": "kim", "labels": {"sensible": {"Yes": 1}}, "spans": {}}"#;
    let found = potato(export, None, &mapping).unwrap();
    assert_eq!(answers(&found), [("a", "kim", &Answer::Sensible { specific: None })]);
    fault(potato(instances, None, &mapping), &["line 1", "name the rater"]);
    fault(potato("{\"id\": 1}", Some("kim"), &mapping), &["line 1", "label_annotations"]);
    fault(potato("nothing", Some("kim"), &mapping), &["line 1", "no JSON"]);
}

#[test]
fn doccanos_labels_are_check_boxes() {
    let jsonl = r#"{"id": 1, "text": "x", "item": "a", "label": ["sensible", "specific"], "Comments": ["nice"]}
{"id": 2, "text": "y", "label": ["Sensible"], "Comments": []}
{"id": 3, "text": "z", "label": ["not_sensible"]}
{"id": 4, "text": "z", "label": []}
{"id": 5, "text": "z", "label": ["skip"]}"#;
    let found = doccano(jsonl, "kim", &Mapping::default()).unwrap();
    let skipped = Answer::Skipped { reason: String::new() };
    assert_eq!(
        answers(&found),
        [
            ("a", "kim", &SPECIFIC),
            ("2", "kim", &VAGUE),
            ("3", "kim", &Answer::NotSensible),
            ("5", "kim", &skipped),
        ]
    );
    assert_eq!(found.ratings[0].comment.as_deref(), Some("nice"));
    assert_eq!(found.notes, ["4: no label that says anything"]);
    let wrong = r#"{"id": 1, "label": ["not sensible", "specific"]}"#;
    fault(doccano(wrong, "kim", &Mapping::default()), &["line 1", "cannot be specific"]);
    let spans = r#"{"id": 1, "label": "sensible"}"#;
    fault(doccano(spans, "kim", &Mapping::default()), &["line 1", "text classification"]);
}

#[test]
fn tables_of_responses_become_items() {
    let csv = "\u{feff}response,context_1,context_2,system,model size\n\
        Butterfly,Do you swim?,How?,one,1B\n\
        \"I, too\",Hi!,,one,1B\n\
        ok,Do you swim?,How?,two,2B\n";
    let (defaults, mapping) = (Defaults::default(), Mapping::default());
    let found = responses_csv(csv, &defaults, &mapping).unwrap();
    assert_eq!(found.items.len(), 3);
    assert_eq!(found.items[0].context, [Turn::new("B", "Do you swim?"), Turn::new("A", "How?")]);
    assert_eq!((&*found.items[1].response, found.items[1].turn), ("I, too", 1));
    // Two systems' answers to the same context are a pair.
    assert_eq!(found.items[0].conversation, found.items[2].conversation);
    assert_eq!(found.notes, ["the field \"model size\" was left out"]);
    let study = Study { items: found.items, ..Study::default() };
    study.check().unwrap();
    // Spaces around a name make no further system.
    let spaced = "system,context,response\n one ,Hi!,a\none,Ho!,b\n";
    let both = responses_csv(spaced, &defaults, &mapping).unwrap();
    assert!(both.items.iter().all(|item| item.system == "one"));
    let nameless = format!("{spaced} ,Hi!,c\n");
    fault(responses_csv(&nameless, &defaults, &mapping), &["line 4", "\"system\""]);

    let given = Defaults { system: Some("mine".into()), mode: Mode::Interactive };
    let csv =
        "context,response\n\"[\"\"Hi!\"\",\"\"Yo\"\",\"\"So?\"\"]\",\"'=1+1\"\n\"Hi!\nYo\",x\n";
    let found = responses_csv(csv, &given, &mapping).unwrap();
    assert_eq!((found.items[0].turn, found.items[1].turn), (3, 2));
    // Marks before formulas are taken away from our own tables alone.
    assert_eq!((&*found.items[0].response, found.items[0].mode), ("'=1+1", Mode::Interactive));
    assert_eq!((&*found.items[0].id, &found.numbered[..]), ("mine/1", &[0, 1][..]));
    fault(responses_csv(csv, &defaults, &mapping), &["line 2", "\"system\"", "--system"]);
    let open = "context,response\r\nHi!,x\r\nHi,\"unclosed\r\nfoo,bar\r\n";
    fault(responses_csv(open, &given, &mapping), &["line 3", "quote"]);
    let wanted = ["the header", "\"response\"", "\"a\", \"b;c\""];
    fault(responses_csv("a,b;c\n1,2\n", &given, &mapping), &wanted);
    fault(responses_csv("response\nx\n", &given, &mapping), &["neither a context"]);
    let twice = "context,response,response\nHi!,a,b\n";
    fault(responses_csv(twice, &given, &mapping), &["two columns", "\"response\""]);
    let notes = "context,response,note,note\nHi!,a,b,c\n";
    assert_eq!(responses_csv(notes, &given, &mapping).unwrap().items.len(), 1);
    fault(responses_csv("response,context\nx\n", &given, &mapping), &["line 2", "1 cell"]);

    // As spreadsheets of other languages write it, and with a system that once said nothing.
    for csv in [
        "context;response\nHi!;a, b\nHo!;\n",
        "sep=;\r\ncontext;response\r\nHi!;a, b\r\nHo!;\r\n",
        "context\tresponse\r\nHi!\ta, b\r\nHo!\t\r\n",
    ] {
        let found = responses_csv(csv, &given, &mapping).unwrap();
        let texts: Vec<&str> = found.items.iter().map(|item| item.response.as_str()).collect();
        assert_eq!(texts, ["a, b", ""]);
        assert_eq!(found.notes, ["1 response is empty, and is shown to raters so"]);
    }

    let jsonl =
        r#"{"item":"i1","context":[{"speaker":"A","text":"Hi!"}],"response":"Hey","system":"s"}"#;
    let found = responses_jsonl(jsonl, &defaults, &mapping).unwrap();
    assert_eq!((&*found.items[0].id, found.items[0].context.len()), ("i1", 1));
    let list = format!("[{jsonl},\n{jsonl}]");
    let found = responses_json(&list, &defaults, &mapping).unwrap();
    assert_eq!((found.items.len(), &*found.items[1].response), (2, "Hey"));
    fault(responses_json("[{}]", &defaults, &mapping), &["object 1", "\"response\""]);
    fault(responses_json("{}", &defaults, &mapping), &["no list"]);
    // Space around a turn makes no other context, whatever it is written as.
    let table = "context,response,system\nWhere do you live?,By the sea,one\n";
    let spaced = [
        r#"{"context":[" Where do you live? "],"response":"Here","system":"two"}"#,
        r#"{"context":[{"role":"user","content":"Where do you live?\n"}],"response":"Here","system":"two"}"#,
    ];
    for line in spaced {
        let mut both = responses_csv(table, &defaults, &mapping).unwrap().items;
        both.extend(responses_jsonl(line, &defaults, &mapping).unwrap().items);
        assert_eq!(both[0].conversation, both[1].conversation, "{line}");
        assert_eq!(eval_ssa::pairs(&both, ["one", "two"]).len(), 1, "{line}");
    }
    let prompted = r#"{"context":[{"role":"system","content":"You are Bob"},
        {"role":"user","content":"Hi!"}],"response":"Hey","system":"s"}"#
        .replace('\n', "");
    let found = responses_jsonl(&prompted, &defaults, &mapping).unwrap();
    assert_eq!(found.items[0].context, [Turn::new("user", "Hi!")]);
    let agent = prompted.replace("user", "system").replacen("system", "user", 1);
    let found_agent = responses_jsonl(&agent, &defaults, &mapping).unwrap();
    assert_eq!(found_agent.items[0].context.len(), 2, "an agent of that role has turns");
    assert!(found.notes[0].contains("1 context begins with a prompt"), "{:?}", found.notes);
    fault(responses_jsonl("[]", &given, &mapping), &["line 1"]);
    let nested = r#"{"context":7,"response":"Hey"}"#;
    fault(responses_jsonl(nested, &given, &mapping), &["line 1", "\"context\""]);
}

fn with_texts(response: &str, comment: &str) -> Study {
    let item = Item {
        id: "i".into(),
        system: "s".into(),
        conversation: "c".into(),
        turn: 1,
        context: vec![Turn::new("A", "=1+1"), Turn::new("B", "x")],
        response: response.into(),
        ..Item::default()
    };
    let mut rating = Rating::new("i", "r", Answer::Skipped { reason: "@SUM(A1)".into() });
    rating.comment = Some(comment.into());
    rating.shown_at = Some(-5);
    Study { items: vec![item], ratings: vec![rating], ..Study::default() }
}

#[test]
fn no_cell_of_a_table_is_a_formula() {
    for text in ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "＝1", "'=1", "\u{a0}-x", "\n=2"]
    {
        let table = csv(&with_texts(text, "=cmd|'/c calc'!A0"));
        let mut reader = csv::Reader::from_reader(&table[..]);
        let header = reader.headers().unwrap().clone();
        let row = reader.records().next().unwrap().unwrap();
        for (name, cell) in header.iter().zip(&row).filter(|(name, _)| *name != "shown_at") {
            let start = cell.trim_start().chars().next();
            let runs = start.is_some_and(|c| "=+-@\t\r＝＋－＠".contains(c));
            assert!(!runs, "{name}: {cell:?}");
        }
        let of = |name: &str| row[header.iter().position(|h| h == name).unwrap()].to_owned();
        assert_eq!(unescaped(&of("response")), text);
        assert_eq!(
            (of("skipped"), of("sensible"), of("shown_at")),
            ("true".into(), String::new(), "-5".into())
        );
    }
    assert_eq!(
        (escaped("a=b"), escaped("'tis"), escaped("")),
        ("a=b".into(), "'tis".into(), String::new())
    );
}

#[test]
fn parquet_holds_the_same_table() {
    let (mut study, _) = Simulation { conversations: 3, skips: 0.1, ..Simulation::default() }.run();
    study.ratings[4].comment = Some("=1".into());
    study.ratings[4].shown_at = Some(1_760_000_000_000);
    let file = bytes(parquet(&study).unwrap());
    let reader = SerializedFileReader::new(file).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), study.ratings.len());
    let column = |name: &str| {
        rows[0].get_column_iter().position(|(found, _)| found == name).expect("a column")
    };
    for (row, rating) in rows.iter().zip(&study.ratings) {
        assert_eq!(row.get_string(column("item")).unwrap(), &rating.item);
        match rating.answer.sensible() {
            Some(sensible) => assert_eq!(row.get_bool(column("sensible")).unwrap(), sensible),
            None => assert!(row.get_bool(column("sensible")).is_err()),
        }
    }
    assert_eq!(rows[4].get_string(column("comment")).unwrap(), "=1");
    assert_eq!(rows[4].get_long(column("shown_at")).unwrap(), 1_760_000_000_000);
    assert_eq!(rows[0].get_string(column("mode")).unwrap(), "interactive");
}

fn bytes(file: Vec<u8>) -> std::fs::File {
    use std::io::Write;
    let mut out = tempfile::tempfile().unwrap();
    out.write_all(&file).unwrap();
    out
}

#[test]
fn a_folder_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(matches!(Study::read(path), Err(FileError::NoStudy(_))));
    let (study, _) = Simulation { conversations: 1, ..Simulation::default() }.run();
    study.write(path).unwrap();
    assert_eq!(Study::read(path).unwrap(), study);
    let fault = || Study::read(path).unwrap_err().to_string();
    std::fs::write(path.join("study.json"), "{\"required\": 4}").unwrap();
    assert!(fault().contains("study.json") && fault().contains("odd number"), "{}", fault());
    std::fs::remove_file(path.join("study.json")).unwrap();
    // The votes that a response gets decide its label: nobody assumes how many these are.
    assert!(matches!(Study::read(path), Err(FileError::NoSettings(_))));
    assert!(
        fault().contains("no study.json") && fault().contains("{\"required\": 5}"),
        "{}",
        fault()
    );
    let unrated = tempfile::tempdir().unwrap();
    std::fs::copy(path.join("items.jsonl"), unrated.path().join("items.jsonl")).unwrap();
    assert_eq!(Study::read(unrated.path()).unwrap().items, study.items);
    std::fs::write(path.join("study.json"), serde_json::to_string(&study.settings()).unwrap())
        .unwrap();
    std::fs::write(path.join("ratings.jsonl"), "\n{\"item\":\"x\",\"rater\":\"r\"}\n").unwrap();
    assert!(
        fault().contains("ratings.jsonl, line 2") && fault().contains("no answer"),
        "{}",
        fault()
    );
    std::fs::write(
        path.join("ratings.jsonl"),
        "{\"item\":\"x\",\"rater\":\"r\",\"sensible\":true}",
    )
    .unwrap();
    assert!(fault().contains("unknown item \"x\""), "{}", fault());
    let nowhere = path.join("nowhere");
    assert!(study.write(&nowhere).unwrap_err().to_string().contains("nowhere"));
}

#[test]
fn a_blinded_study_names_no_system_and_gives_the_same_scores() {
    let (mut study, _) = Simulation { conversations: 30, ..Simulation::default() }.run();
    study.items[0].decoding = Some("system A, T = 1".into());
    let (blind, legend) = study.blinded(3);
    blind.check().unwrap();
    for table in [csv(&blind), serde_json::to_vec(&blind.items).unwrap()] {
        let text = String::from_utf8(table).unwrap();
        assert!(!["system A", "system B", "system C"].iter().any(|name| text.contains(name)));
    }
    assert_eq!(legend.len(), 3);
    let bootstrap = Bootstrap { resamples: 10, ..Bootstrap::default() };
    let after = scores(&blind, &bootstrap);
    for before in scores(&study, &bootstrap) {
        let same = after.iter().find(|score| legend[&score.system] == before.system).unwrap();
        assert_eq!(same.progress, before.progress);
        let (a, b) = (same.ssa.as_ref().unwrap(), before.ssa.as_ref().unwrap());
        assert!((a.value - b.value).abs() < 1e-12 && a.units == b.units);
    }
    assert_eq!(study.blinded(3).1, legend);
    assert_eq!(Label::Specific.ssa(), 1.0);
}

proptest! {
    /// Whatever a cell holds, it comes back, and is no formula.
    #[test]
    fn marks_against_formulas_come_off_again(text in "[' \t\n;\"=@+a\u{ff1d}\u{200b}-]{0,8}") {
        let shown = escaped(&text);
        prop_assert_eq!(unescaped(&shown), text);
        // Wherever a spreadsheet of another language ends a cell, the next one is no formula.
        for cell in shown.split([';', '\t', '\r', '\n']) {
            let start = cell.trim_start_matches([' ', '"', '\u{200b}']);
            prop_assert!(!start.starts_with(['=', '+', '-', '@', '＝']), "{:?}", shown);
        }
    }
}
