//! What tables may be, and what they must not be.

use data_engine::parts::{read, write};
use data_engine::{Columns, Engine, EngineError, Options, describe, select};
use data_pipeline::balance::{Rule, Selection};
use datafusion::arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::parquet::arrow::ArrowWriter;
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
