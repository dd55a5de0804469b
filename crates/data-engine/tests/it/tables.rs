//! What tables may be, and what they must not be.

use data_engine::parts::{read, write};
use data_engine::{Columns, Engine, EngineError, Options, describe, select};
use data_pipeline::balance::{Rule, Selection};
use datafusion::arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::metadata::KeyValue;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn engine(partitions: usize) -> Engine {
    Engine::new(&Options { partitions, batch: 3, ..Options::default() }).expect("an engine")
}

pub(crate) fn table(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    );
    let batch = batch.expect("columns of one length");
    let mut writer =
        ArrowWriter::try_new(File::create(path).expect("made"), batch.schema(), None).expect("it");
    writer.write(&batch).expect("written");
    writer.close().expect("whole");
}

/// The ids that are selected of the tables in a folder.
fn ids(
    tables: &Path,
    partitions: usize,
    selection: &Selection,
) -> Result<Vec<String>, EngineError> {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let (engine, columns) = (engine(partitions), Columns::default());
    select(&engine, &[tables.to_owned()], &columns, selection, 1, &out)?;
    Ok(read(&out)?.into_iter().map(|row| row.0).collect())
}

#[test]
fn null_nan_and_minus_zero_are_ordered_as_the_rule_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let labels = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2].map(Some).into_iter().chain([None]);
    let p = |p: f64| Some(p);
    let confidences = [
        p(0.9),
        p(0.9),
        p(0.9),
        p(0.5),
        p(f64::NAN),
        p(0.8),
        p(0.7),
        None,
        p(-0.0),
        p(0.0),
        p(0.1),
        p(0.9),
    ];
    // Names as a dictionary, labels as numbers, confidences in 64 bits: as other programs write.
    let names: DictionaryArray<Int32Type> = letters.into_iter().map(Some).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("image", Arc::new(names)),
        ("label", Arc::new(labels.collect::<Int64Array>())),
        ("confidence", Arc::new(confidences.into_iter().collect::<Float64Array>())),
    ];
    let tables = folder.path().join("labels [1*?]");
    std::fs::create_dir(&tables).expect("made");
    table(&tables.join("t [a] 100%*.parquet"), columns);
    let two =
        Selection { rule: Rule::Paper, per_class: Some(2), min_confidence: 0.0, duplicate: false };
    let above = Selection { per_class: None, min_confidence: 0.3, ..two };
    for partitions in [1, 2, 16] {
        let found = ids(&tables, partitions, &two).expect("selected");
        assert_eq!(found, ["a", "b", "f", "g", "k", "i"]);
        let found = ids(&tables, partitions, &above).expect("selected");
        assert_eq!(found, ["a", "b", "c", "d", "f", "g"]);
    }
    let out = folder.path().join("out");
    let found =
        select(&engine(2), std::slice::from_ref(&tables), &Columns::default(), &above, 1, &out);
    let found = found.expect("selected");
    assert_eq!((found.rows, found.without, found.below), (12, 3, 3));
    let described = describe(&engine(2), &[tables]).expect("described");
    let nulls: Vec<u64> = described.columns.iter().map(|column| column.nulls).collect();
    assert_eq!(nulls, [0, 1, 1]);
}

#[test]
fn tables_that_are_not_whole_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let refused = || {
        let said = ids(folder.path(), 2, &Selection::default()).expect_err("refused");
        said.to_string()
    };
    // As `tutor predict --shard` writes them.
    let part = |number: usize| path(&format!("part-{number:05}-of-00003.parquet"));
    write(&part(1), &[("a", "x", 0.9)]).expect("written");
    write(&part(3), &[("c", "x", 0.7)]).expect("written");
    let said = refused();
    assert!(said.contains("there is no part-00002-of-00003.parquet"), "{said}");
    write(&part(2), &[("b", "x", 0.8)]).expect("written");
    assert_eq!(ids(folder.path(), 2, &Selection::default()).expect("all"), ["a", "b", "c"]);
    // As others count, from 0.
    let from_0 = |number: usize| path(&format!("train-{number:05}-of-00002.parquet"));
    write(&from_0(1), &[("f", "x", 0.9)]).expect("written");
    assert!(refused().contains("there is no train-00002-of-00002.parquet"));
    write(&from_0(0), &[("e", "x", 0.9)]).expect("written");
    assert_eq!(ids(folder.path(), 2, &Selection::default()).expect("all").len(), 5);
    // One name, no number of another set.
    write(&path("more-of-them.parquet"), &[("d", "x", 0.6)]).expect("written");
    assert_eq!(ids(folder.path(), 1, &Selection::default()).expect("all").len(), 6);

    let columns: Vec<(&str, ArrayRef)> = vec![
        ("image", Arc::new(StringArray::from_iter_values(["e"]))),
        ("other", Arc::new(Float32Array::from_iter_values([0.9]))),
    ];
    table(&path("other.parquet"), columns);
    let said = refused();
    assert!(said.contains("other.parquet: there is no column label, which other"), "{said}");
}

/// A part of labels with one row, as `tutor predict --shard` writes it: with what all parts are of
/// in its footer, or, as earlier versions, without.
fn part_of_labels(path: &Path, labelling: Option<&str>) {
    let name = path.display().to_string();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("image", Arc::new(StringArray::from_iter_values([name]))),
        ("label", Arc::new(StringArray::from_iter_values(["x"]))),
        ("confidence", Arc::new(Float32Array::from_iter_values([0.9]))),
    ];
    let rows = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let file = File::create(path).expect("made");
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).expect("it");
    writer.write(&rows).expect("written");
    if let Some(of) = labelling {
        writer.append_key_value_metadata(KeyValue::new("tutor.parts".to_owned(), of.to_owned()));
    }
    writer.close().expect("whole");
}

#[test]
fn parts_of_different_labellings_are_no_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let part = |number: usize| format!("part-{number:05}-of-00003.parquet");
    let rows = |files: &[PathBuf]| describe(&engine(2), files).map(|found| found.rows);
    for name in ["first", "second"] {
        std::fs::create_dir(path(name)).expect("made");
        for number in 1..=3 {
            part_of_labels(&path(name).join(part(number)), Some(name));
        }
    }
    // Whole folders may be joined, as labels of different samples are.
    assert_eq!(rows(&[path("first"), path("second")]).expect("a table"), 6);
    let refused = |files: &[PathBuf], other: &Path, first: &Path| {
        let said = rows(files).expect_err("refused").to_string();
        let (other, first) = (other.display(), first.display());
        let wanted = format!("{other}: this part is of another labelling than {first}, which");
        assert!(said.contains(&wanted) && said.contains("in a new folder"), "{said}");
    };
    let mixed = [path("first").join(part(1)), path("second").join(part(2))];
    refused(&mixed, &mixed[1], &mixed[0]);
    let other = path("first").join(part(3));
    part_of_labels(&other, Some("second"));
    refused(&[path("first")], &other, &mixed[0]);
    let said = ids(&path("first"), 2, &Selection::default()).expect_err("refused").to_string();
    assert!(said.contains("another labelling"), "{said}");
    // Parts of earlier versions do not say it, and files that are no parts need not.
    part_of_labels(&other, None);
    part_of_labels(&path("first").join("more.parquet"), Some("second"));
    assert_eq!(rows(&[path("first")]).expect("a table"), 4);
}

#[test]
fn files_are_told_by_their_ending_in_any_letters() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    write(&path("a.parquet"), &[("a", "x", 0.9)]).expect("written");
    write(&path("B.PARQUET"), &[("b", "x", 0.9)]).expect("written");
    assert_eq!(ids(folder.path(), 2, &Selection::default()).expect("both"), ["a", "b"]);
    write(&path("part-00002-of-00002.PARQUET"), &[("c", "x", 0.9)]).expect("written");
    let said = ids(folder.path(), 2, &Selection::default()).expect_err("refused").to_string();
    assert!(said.contains("there is no part-00001-of-00002.parquet"), "{said}");
}

#[test]
fn sub_folders_with_tables_are_noted_and_partitions_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    write(&path("a.parquet"), &[("a", "x", 0.9)]).expect("written");
    for name in ["notes", "_temporary", "day=2"] {
        std::fs::create_dir(path(name)).expect("made");
        std::fs::write(path(name).join("readme"), "no table").expect("written");
    }
    write(&path("_temporary/b.parquet"), &[("b", "x", 0.9)]).expect("written");
    let engine = engine(2);
    let rows = || describe(&engine, &[folder.path().to_owned()]).map(|found| found.rows);
    assert_eq!(rows().expect("a table"), 1);
    assert!(engine.notes().is_empty(), "{:?}", engine.notes());
    write(&path("notes/b.parquet"), &[("b", "x", 0.9)]).expect("written");
    for _ in 0..2 {
        assert_eq!(rows().expect("a table"), 1);
        let notes = engine.notes();
        assert_eq!(notes.len(), 1, "{notes:?}");
        let wanted = format!("{}: Parquet files of its sub-folders", folder.path().display());
        assert!(notes[0].starts_with(&wanted) && notes[0].contains("(notes)"), "{notes:?}");
    }
    std::fs::create_dir(path("day=2/hour=3")).expect("made");
    write(&path("day=2/hour=3/c.parquet"), &[("c", "x", 0.9)]).expect("written");
    let said = rows().expect_err("refused").to_string();
    assert!(said.contains("day=2 is a partition of a table"), "{said}");
}

#[test]
fn an_empty_label_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = [("a", "x", 0.9), ("b", "", 0.9), ("c", "", 0.2), ("d", " ", 0.8)];
    write(&folder.path().join("t.parquet"), &rows).expect("written");
    for partitions in [1, 2] {
        let (tables, out) = ([folder.path().to_owned()], tempfile::tempdir().expect("a folder"));
        let (columns, selection) = (Columns::default(), Selection::default());
        let out = out.path().join("out");
        let found = select(&engine(partitions), &tables, &columns, &selection, 1, &out);
        let found = found.expect("selected");
        assert_eq!((found.rows, found.without, found.below), (4, 2, 0));
        let classes: Vec<&str> = found.classes.iter().map(|class| class.label.as_str()).collect();
        assert_eq!(classes, [" ", "x"]);
    }
}

#[test]
fn rows_without_an_id_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("image", Arc::new(StringArray::from(vec![Some("a"), None, Some("c"), None, Some("e")]))),
        ("label", Arc::new(StringArray::from(vec![Some("x"), Some("x"), None, None, Some("y")]))),
        ("confidence", Arc::new(Float32Array::from(vec![0.9, 0.8, 0.7, 0.1, f32::NAN]))),
    ];
    table(&folder.path().join("t.parquet"), columns);
    let above = |min_confidence| Selection { min_confidence, ..Selection::default() };
    // Whether they are taken, or nothing is.
    for selection in [above(0.0), above(0.95)] {
        let said = ids(folder.path(), 2, &selection).expect_err("refused").to_string();
        assert!(said.contains("2 rows have no id"), "{said}");
    }
}

/// Ballista has returned wrong rows for these.
#[test]
fn no_plan_has_a_set_operation() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            for call in [".union", ".intersect", ".except", "UNION ", "INTERSECT ", "EXCEPT "] {
                assert!(!text.contains(call), "{}: {call}", path.display());
            }
            files += 1;
        }
    }
    assert!(files > 10);
}
