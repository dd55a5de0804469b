//! Files of one table whose columns differ.

use data_engine::parts::{Row, read};
use data_engine::{Columns, Engine, EngineError, Options, describe, select};
use data_pipeline::balance::Selection;
use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array,
    Int8Array, Int32Array, Int64Array, LargeStringArray, NullArray, StringArray, StringViewArray,
    UInt64Array,
};
use datafusion::arrow::datatypes::Int32Type;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::tables::table;

fn engine() -> Engine {
    Engine::new(&Options { partitions: 2, ..Options::default() }).expect("an engine")
}

fn texts(values: [&str; 2]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn numbers(values: [i64; 2]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn confidences() -> ArrayRef {
    Arc::new(Float32Array::from_iter_values([0.9, 0.8]))
}

/// Writes two files with these columns: id, label and confidence.
fn write(folder: &Path, first: [ArrayRef; 3], second: [ArrayRef; 3]) {
    for (name, columns) in [("first.parquet", first), ("second.parquet", second)] {
        let names = ["image", "label", "confidence"];
        table(&folder.join(name), names.into_iter().zip(columns).collect());
    }
}

/// What is selected of these files, by id.
fn selected(folder: &Path, names: &[&str]) -> Result<Vec<Row>, EngineError> {
    let out = tempfile::tempdir().expect("a folder");
    let out = out.path().join("out");
    let files: Vec<_> = names.iter().map(|name| folder.join(name)).collect();
    let (columns, selection) = (Columns::default(), Selection::default());
    select(&engine(), &files, &columns, &selection, 1, &out)?;
    let mut rows = read(&out)?;
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(rows)
}

const ORDERS: [[&str; 2]; 2] =
    [["first.parquet", "second.parquet"], ["second.parquet", "first.parquet"]];

#[test]
fn files_with_other_types_are_refused_in_any_order() {
    let whole = || numbers([1, 2]);
    let text = || texts(["1", "2"]);
    let other = || texts(["c", "d"]);
    let labels: [(ArrayRef, ArrayRef, [&str; 2]); 5] = [
        (whole(), Arc::new(Float64Array::from(vec![1.0, 2.5])), ["Int64", "Float64"]),
        (whole(), Arc::new(BooleanArray::from(vec![true, false])), ["Int64", "Boolean"]),
        (text(), Arc::new(Date32Array::from(vec![1, 2])), ["Utf8", "Date32"]),
        (text(), Arc::new(BinaryArray::from_iter_values([b"x", b"\xff"])), ["Utf8", "Binary"]),
        (text(), whole(), ["Utf8", "Int64"]),
    ];
    for (first, second, kinds) in labels {
        let folder = tempfile::tempdir().expect("a folder");
        let second = [other(), second, confidences()];
        write(folder.path(), [texts(["a", "b"]), first, confidences()], second);
        for names in ORDERS {
            let said = selected(folder.path(), &names).expect_err("refused").to_string();
            for part in names.iter().chain(&kinds).chain(&["column label", "one type in all"]) {
                assert!(said.contains(part), "{part}: {said}");
            }
            let files = names.map(|name| folder.path().join(name));
            let said = describe(&engine(), &files).expect_err("refused").to_string();
            assert!(said.contains("column label holds"), "{said}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ids = [numbers([7, 8]), text(), confidences()];
    write(folder.path(), ids, [texts(["007", "8"]), text(), confidences()]);
    for names in ORDERS {
        let said = selected(folder.path(), &names).expect_err("refused").to_string();
        assert!(said.contains("column image holds"), "{said}");
    }
}

#[test]
fn types_that_differ_and_lose_nothing_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = |names: &[&str]| -> Vec<(String, String)> {
        let rows = selected(folder.path(), names).expect("selected");
        rows.into_iter().map(|(id, label, ..)| (id, label)).collect()
    };
    let dictionary: DictionaryArray<Int32Type> = ["y", "x"].into_iter().collect();
    let strings: [ArrayRef; 3] = [
        Arc::new(LargeStringArray::from_iter_values(["y", "x"])),
        Arc::new(StringViewArray::from_iter_values(["y", "x"])),
        Arc::new(dictionary),
    ];
    let wanted = [("a", "x"), ("b", "y"), ("c", "y"), ("d", "x")];
    for labels in strings {
        let wide: ArrayRef = Arc::new(Float64Array::from(vec![0.7, 0.6]));
        let first = [texts(["a", "b"]), texts(["x", "y"]), confidences()];
        write(folder.path(), first, [texts(["c", "d"]), labels, wide]);
        for names in ORDERS {
            let found = rows(&names);
            assert!(found.iter().map(|(id, label)| (&**id, &**label)).eq(wanted), "{found:?}");
        }
    }
    // Whole numbers, of which one type holds all, or none but text.
    let narrow: ArrayRef = Arc::new(Int8Array::from(vec![1, -2]));
    let naturals: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 1]));
    let labels: ArrayRef = Arc::new(Int32Array::from(vec![300, 1]));
    let first = [narrow.clone(), narrow, confidences()];
    write(folder.path(), first, [naturals, labels, confidences()]);
    let wanted = [("-2", "-2"), ("1", "1"), ("1", "1"), ("18446744073709551615", "300")];
    for names in ORDERS {
        let found = rows(&names);
        assert!(found.iter().map(|(id, label)| (&**id, &**label)).eq(wanted), "{found:?}");
    }
    let files = ORDERS[0].map(|name| folder.path().join(name));
    let ids = &describe(&engine(), &files).expect("described").columns[0];
    let range = [&ids.least, &ids.most].map(|value| value.as_deref());
    assert_eq!(range, [Some("-2"), Some("18446744073709551615")]);
    assert_eq!(ids.distinct, Some(3));
    // A column of nulls alone has no type, and one that no plan takes may have any.
    let nothing: ArrayRef = Arc::new(NullArray::new(2));
    for (name, ids, labels, more) in [
        ("first.parquet", ["a", "b"], texts(["x", "y"]), texts(["1", "2"])),
        ("second.parquet", ["c", "d"], nothing, numbers([1, 2])),
    ] {
        let columns = [("image", texts(ids)), ("label", labels)];
        let others = [("confidence", confidences()), ("more", more)];
        table(&folder.path().join(name), columns.into_iter().chain(others).collect());
    }
    for names in ORDERS {
        let found = rows(&names);
        assert!(found.iter().map(|(id, label)| (&**id, &**label)).eq([("a", "x"), ("b", "y")]));
    }
}

#[test]
fn labels_may_be_truth_values_and_numbers_by_a_dictionary() {
    let folder = tempfile::tempdir().expect("a folder");
    let labels = |names: &[&str]| -> Vec<(String, String)> {
        let rows = selected(folder.path(), names).expect("selected");
        rows.into_iter().map(|(id, label, ..)| (id, label)).collect()
    };
    let own = |rows: [(&str, &str); 4]| rows.map(|(a, b)| (a.to_owned(), b.to_owned()));
    let truth = |values: [bool; 2]| -> ArrayRef { Arc::new(BooleanArray::from(values.to_vec())) };
    let first = [texts(["a", "b"]), truth([true, false]), confidences()];
    write(folder.path(), first, [texts(["c", "d"]), truth([false, false]), confidences()]);
    for names in ORDERS {
        let wanted = [("a", "true"), ("b", "false"), ("c", "false"), ("d", "false")];
        assert_eq!(labels(&names), own(wanted));
    }
    // As pandas writes categories of numbers.
    let numbers = |keys: [i32; 2]| -> ArrayRef {
        let values = Arc::new(Int8Array::from(vec![7, -2]));
        Arc::new(DictionaryArray::new(Int32Array::from(keys.to_vec()), values))
    };
    let plain: ArrayRef = Arc::new(Int32Array::from(vec![300, 7]));
    for (second, last) in [(numbers([0, 0]), ["7", "7"]), (plain, ["300", "7"])] {
        let first = [texts(["a", "b"]), numbers([1, 0]), confidences()];
        write(folder.path(), first, [texts(["c", "d"]), second, confidences()]);
        for names in ORDERS {
            let wanted = [("a", "-2"), ("b", "7"), ("c", last[0]), ("d", last[1])];
            assert_eq!(labels(&names), own(wanted));
        }
    }
}

#[test]
fn what_to_do_about_a_column_of_another_type_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let binary: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"x", b"y"]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    let names = || texts(["a", "b"]);
    let cases = [
        ([binary, names(), confidences()], "write it as text, whole numbers or truth values"),
        ([names(), floats, confidences()], "whole numbers, in pandas by astype(\"Int64\")"),
        ([names(), names(), numbers([1, 0])], "write it as floats of 32 or 64 bits"),
    ];
    for (columns, wanted) in cases {
        write(folder.path(), columns.clone(), columns);
        let said = selected(folder.path(), &ORDERS[0]).expect_err("refused").to_string();
        assert!(said.contains(wanted) && said.contains("name the columns by --id"), "{said}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let columns = || [texts(["a", "b"]), texts(["x", "y"]), confidences()];
    write(folder.path(), columns(), columns());
    let whole = std::fs::read(path("second.parquet")).expect("a file");
    for damaged in [&whole[..whole.len() - 20], &[]] {
        std::fs::write(path("second.parquet"), damaged).expect("written");
        let said = selected(folder.path(), &[""]).expect_err("refused").to_string();
        assert!(said.contains("second.parquet: its footer cannot be read"), "{said}");
        assert!(!said.contains("first.parquet") && said.lines().count() == 1, "{said}");
        assert_eq!(said.matches("Parquet error").count(), 1, "{said}");
    }
    let twice = [("image", texts(["a", "b"])), ("label", texts(["x", "y"]))];
    let more = [("label", numbers([1, 2])), ("confidence", confidences())];
    table(&path("second.parquet"), twice.into_iter().chain(more).collect());
    let said = selected(folder.path(), &[""]).expect_err("refused").to_string();
    assert!(said.contains("second.parquet: two columns are called label"), "{said}");
}

#[test]
fn what_is_not_there_is_said_once() {
    let said = |place: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_data-engine"));
        let ended = command.args(["describe", place]).output().expect("the program starts");
        assert!(!ended.status.success(), "{place}");
        String::from_utf8(ended.stderr).expect("UTF-8")
    };
    let nowhere = said("nowhere");
    assert!(nowhere.starts_with("error: nowhere: "), "{nowhere}");
    assert_eq!(nowhere.matches("No such file").count(), 1, "{nowhere}");
    let web = said("http://host/labels");
    assert!(web.contains("nothing is read from http://") && web.contains("s3://BUCKET"), "{web}");
}
