//! Pairs from trees of messages: those of the rules in memory, whatever the partitions.

use data_engine::{DialogOptions, Engine, Options, dialogs};
use data_pipeline::dialog::{
    Checks, DialogPart, Dialogs, Filters, Funnel, Message, SafetyWords, words_as_subwords,
};
use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array, StringArray};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::tables::table;

/// Conversation, id, part, context, response.
pub(crate) type Row = (String, String, String, Vec<String>, String);

pub(crate) fn options() -> DialogOptions {
    let filters = Filters { max_occurrences: 3, max_turns: 3, ..Filters::default() };
    DialogOptions { filters, ..DialogOptions::default() }
}

/// What the rules in memory make of messages.
pub(crate) fn in_memory(messages: &[Message], options: &DialogOptions) -> (Vec<Row>, Funnel) {
    let all = Dialogs::new(messages.to_vec(), &options.split).expect("conversations");
    let safety = SafetyWords::shipped();
    let checks = Checks { subwords: &words_as_subwords, safety: &safety };
    let mut selected = all.select(&options.filters, &checks).expect("pairs");
    selected.remove_near_duplicates();
    let row = |pair: &data_pipeline::dialog::Pair| {
        let context = pair.context.iter().map(|turn| turn.to_string()).collect();
        let part = pair.part.name().to_owned();
        (
            pair.conversation.to_string(),
            pair.id.to_string(),
            part,
            context,
            pair.response.to_string(),
        )
    };
    (selected.pairs.iter().map(row).collect(), selected.funnel)
}

pub(crate) fn write_messages(path: &Path, messages: &[Message]) {
    let column = |of: &dyn Fn(&Message) -> Option<String>| -> ArrayRef {
        Arc::new(messages.iter().map(of).collect::<StringArray>())
    };
    table(
        path,
        vec![
            ("conversation", column(&|m| Some(m.conversation.clone()))),
            ("id", column(&|m| Some(m.id.clone()))),
            ("parent", column(&|m| m.parent.clone())),
            ("author", column(&|m| Some(m.author.clone()))),
            ("text", column(&|m| Some(m.text.clone()))),
            ("part", column(&|m| m.part.map(|part| part.name().to_owned()))),
        ],
    );
}

/// The rows of a folder of pairs, in order.
pub(crate) fn read_pairs(folder: &Path) -> Vec<Row> {
    let mut names: Vec<_> = folder.read_dir().expect("it").map(|e| e.expect("it").path()).collect();
    names.sort();
    let mut rows = Vec::new();
    for name in names {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(name).expect("a part"));
        for batch in reader.expect("Parquet").build().expect("rows") {
            let batch = batch.expect("rows");
            let text = |i: usize| batch.column(i).as_string::<i32>();
            let contexts = batch.column(3).as_list::<i32>();
            rows.extend((0..batch.num_rows()).map(|i| {
                let turns = contexts.value(i);
                let turns = turns.as_string::<i32>().iter().map(|t| t.expect("it").to_owned());
                let [conversation, id, part, response] =
                    [0, 1, 2, 4].map(|column| text(column).value(i).to_owned());
                (conversation, id, part, turns.collect(), response)
            }));
        }
    }
    rows
}

/// What an engine makes of messages in two files.
pub(crate) fn by_engine(
    engine: &Engine,
    messages: &[Message],
    options: &DialogOptions,
) -> (Vec<Row>, Funnel) {
    let folder = tempfile::tempdir().expect("a folder");
    let (tables, out) = (folder.path().join("tables"), folder.path().join("out"));
    std::fs::create_dir(&tables).expect("made");
    let (first, second) = messages.split_at(messages.len() / 3);
    write_messages(&tables.join("a.parquet"), first);
    write_messages(&tables.join("b.parquet"), second);
    let funnel = dialogs(engine, &[tables], options, &out).expect("pairs");
    (read_pairs(&out), funnel)
}

/// How many messages went for each reason, without examples.
fn counts(funnel: &Funnel) -> Funnel {
    let mut counts = funnel.clone();
    counts.dropped.values_mut().for_each(|dropped| dropped.examples.clear());
    counts
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let sentences = prop::sample::select(vec![
        "Have you seen the new film about the sea?",
        "Yes, it was great.",
        "I like it too!",
        "see http://x.org now",
        "It was long, and not a good one, we left before the end.",
        "It was long and not a good one: we left before the end!",
        "shut up",
        "12345 67890",
        "What a day it was.",
        "Do you know how to swim?",
        "She said: “Yes, it was great.” I do not think so.",
        "a",
        "",
    ]);
    let message = (
        prop::sample::select(vec!["a", "b", "conversation c", "é", ""]),
        0u8..14,
        prop::option::of(0u8..14),
        prop::sample::select(vec!["anna", "helpbot"]),
        (sentences, prop::option::of(0u8..40)),
        prop::option::weighted(0.1, prop::sample::select(DialogPart::ALL.to_vec())),
    );
    let message = message.prop_map(|(conversation, id, parent, author, (text, number), part)| {
        // Most texts are there once.
        let text = number.map_or(text.to_owned(), |number| format!("{text} {}", words(number)));
        Message {
            conversation: conversation.to_owned(),
            id: id.to_string(),
            parent: parent.map(|parent| parent.to_string()),
            author: author.to_owned(),
            text,
            part,
        }
    });
    prop::collection::vec(message, 1..90)
}

/// A number in letters.
fn words(number: u8) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'k')).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn pairs_are_those_of_the_rules_in_memory(messages in messages()) {
        let options = options();
        let (pairs, funnel) = in_memory(&messages, &options);
        for partitions in [1, 2, 16] {
            let how = Options { partitions, batch: 5, ..Options::default() };
            let engine = Engine::new(&how).expect("an engine");
            let (found, dropped) = by_engine(&engine, &messages, &options);
            prop_assert_eq!(&found, &pairs, "{} partitions", partitions);
            prop_assert_eq!(counts(&dropped), counts(&funnel));
        }
    }
}

/// `count` messages in conversations of 20, each replying to one before. Every fifth conversation
/// says what the one before it says, with other marks.
pub(crate) fn many(count: usize) -> Vec<Message> {
    let message = |i: usize| {
        let (conversation, at) = (i / 20, i % 20);
        let repeats = conversation % 5 == 4;
        let said = if repeats { i - 20 } else { i } * 7919;
        let mark = if repeats { "!" } else { "." };
        let [a, b, c] = [241, 239, 233].map(|n| words((said % n) as u8));
        Message {
            conversation: format!("c{conversation:05}"),
            id: at.to_string(),
            parent: at.checked_sub(1 + said % 2).map(|parent| parent.to_string()),
            author: if said % 50 == 0 { "helpbot" } else { "anna" }.to_owned(),
            text: match said % 11 {
                0 => "Yes, it was great.".to_owned(),
                1 => format!("Have you seen the film called {a}?"),
                _ => format!("I think that {a} and {b} and {c} are right here{mark}"),
            },
            part: None,
        }
    };
    (0..count).map(message).collect()
}

#[test]
fn examples_of_what_was_dropped_are_those_of_the_rules_in_memory() {
    let (messages, options) = (many(4000), options());
    let (pairs, funnel) = in_memory(&messages, &options);
    assert!(pairs.len() > 500 && funnel.near_duplicates > 0, "{} {funnel:?}", pairs.len());
    let (found, dropped) =
        by_engine(&Engine::new(&Options::default()).expect("it"), &messages, &options);
    assert!(found == pairs);
    assert_eq!(dropped, funnel);
}

#[test]
fn messages_without_what_is_needed_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let column = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from_iter_values(texts)) };
    table(&path("few.parquet"), vec![("text", column(&["Hi!"]))]);
    let engine = Engine::new(&Options::default()).expect("an engine");
    let run = |file: &str, options: &DialogOptions| {
        dialogs(&engine, &[path(file)], options, &path("out"))
    };
    let said = run("few.parquet", &options()).expect_err("refused").to_string();
    assert!(said.contains("there is no column id among text"), "{said}");
    table(
        &path("part.parquet"),
        vec![("id", column(&["1"])), ("text", column(&["Hi!"])), ("part", column(&["exam"]))],
    );
    let said = run("part.parquet", &options()).expect_err("refused").to_string();
    assert!(said.contains("\"exam\" is no part: train, validation and test are"), "{said}");
    assert!(said.contains("column part, message \"1\": ") && said.contains("nothing"), "{said}");
    let nobody: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    table(&path("nobody.parquet"), vec![("id", nobody), ("text", column(&["Hi!"]))]);
    let said = run("nobody.parquet", &options()).expect_err("refused").to_string();
    assert!(said.contains("a message has no id"), "{said}");
    let parents: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let texts = [("id", column(&["1"])), ("text", column(&["Hi!"]))];
    table(&path("floats.parquet"), texts.into_iter().chain([("parent", parents)]).collect());
    let said = run("floats.parquet", &options()).expect_err("refused").to_string();
    assert!(said.contains("column parent holds Float64") && said.contains("Int64"), "{said}");
    // Without parents there are no replies.
    table(&path("alone.parquet"), vec![("id", column(&["1"])), ("text", column(&["Hi there!"]))]);
    let funnel = run("alone.parquet", &options()).expect("no pairs");
    assert_eq!((funnel.messages, funnel.kept, funnel.pairs), (1, 1, 0));
    assert!(read_pairs(&path("out")).is_empty());
    let mut wrong = options();
    wrong.split.test = 2.0;
    let said = run("alone.parquet", &wrong).expect_err("refused").to_string();
    assert!(said.contains("shares of"), "{said}");
}

/// As pandas, R and databases write a first message and a part that is not said.
#[test]
fn nothing_is_read_as_the_readers_of_files_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let nothing = ["", "None", "NaN", "nan", "<NA>", "NULL", "null", "NA", "N/A"];
    let row = |(i, parent): (usize, &str)| {
        let conversation = format!("c{i}");
        let said = words(i as u8);
        let first = format!("Have you seen the film called {said}?");
        let reply = format!("I think that {said} was really great.");
        [
            [conversation.clone(), "1".to_owned(), parent.to_owned(), first],
            [conversation, "2".to_owned(), "1.0".to_owned(), reply],
        ]
    };
    let rows: Vec<[String; 4]> = nothing.into_iter().enumerate().flat_map(row).collect();
    let column = |at: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row[at].as_str())))
    };
    let parts: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|_| " ")));
    let names = ["conversation", "id", "parent", "text"];
    let columns = (0..4).map(|at| (names[at], column(at))).chain([("part", parts)]);
    table(&path("t.parquet"), columns.collect());
    let engine = Engine::new(&Options { partitions: 2, ..Options::default() }).expect("it");
    let funnel = dialogs(&engine, &[path("t.parquet")], &options(), &path("out"));
    let funnel = funnel.expect("pairs");
    assert_eq!((funnel.messages, funnel.pairs), (18, 9), "{funnel:?}");
}
