//! Selection: the same rows as in memory, with any number of partitions.

use augment::rng::Rng;
use data_engine::parts::{Row, read, write};
use data_engine::{Columns, Engine, Options, Selected, select};
use data_pipeline::balance::{Rule, Scored, Selection, filter_and_balance};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// In batches that are smaller than the tables here.
fn engine(partitions: usize) -> Engine {
    Engine::new(&Options { partitions, batch: 7, ..Options::default() }).expect("an engine")
}

pub(crate) type Labels<'a> = [(&'a str, &'a str, f32)];

/// What the rule for rows in memory selects of these rows.
pub(crate) fn in_memory(rows: &Labels<'_>, selection: &Selection, seed: u64) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| row.0);
    let mut names: Vec<&str> = rows.iter().map(|row| row.1).collect();
    names.sort_unstable();
    names.dedup();
    let scored = |&(_, label, confidence): &(&str, &str, f32)| {
        let label = names.binary_search(&label).expect("it is one") as u32;
        Scored { label, confidence }
    };
    let scored: Vec<Scored> = rows.iter().map(scored).collect();
    let mut copies: BTreeMap<u32, u32> = BTreeMap::new();
    for row in filter_and_balance(&scored, selection, &mut Rng::new(seed)) {
        *copies.entry(row).or_default() += 1;
    }
    let row = |(row, copies): (u32, u32)| {
        let (id, label, confidence) = rows[row as usize];
        (id.to_owned(), label.to_owned(), confidence, copies)
    };
    copies.into_iter().map(row).collect()
}

/// Writes rows as two files of a new folder.
pub(crate) fn write_parts(rows: &Labels<'_>, tables: &Path) {
    std::fs::create_dir(tables).expect("made");
    let (first, second) = rows.split_at(rows.len() / 3);
    write(&tables.join("a.parquet"), first).expect("written");
    write(&tables.join("b.parquet"), second).expect("written");
}

/// What the engine selects of rows in two files, by id.
fn by_engine(
    rows: &Labels<'_>,
    (partitions, selection, seed): (usize, &Selection, u64),
) -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a folder");
    let (tables, out) = (folder.path().join("tables"), folder.path().join("out"));
    write_parts(rows, &tables);
    let engine = engine(partitions);
    select(&engine, &[tables], &Columns::default(), selection, seed, &out).expect("selected");
    let mut found = read(&out).expect("parts");
    let in_order = |a: &Row, b: &Row| a.1 < b.1 || (a.1 == b.1 && (a.2, &b.0) >= (b.2, &a.0));
    assert!(found.windows(2).all(|pair| in_order(&pair[0], &pair[1])), "{found:?}");
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// How many rows there are, and of what the engine takes none.
fn counts(rows: &Labels<'_>, (partitions, selection): (usize, &Selection)) -> Selected {
    let folder = tempfile::tempdir().expect("a folder");
    let (table, out) = (folder.path().join("t.parquet"), folder.path().join("out"));
    write(&table, rows).expect("written");
    let (engine, columns) = (engine(partitions), Columns::default());
    select(&engine, &[table], &columns, selection, 1, &out).expect("selected")
}

#[test]
fn nothing_that_is_no_confidence_is_selected_and_minus_zero_is_zero() {
    let rows = [
        ("a", "0", 0.9),
        ("b", "0", 0.9),
        ("c", "0", 0.9),
        ("d", "0", 0.5),
        ("e", "1", f32::NAN),
        ("f", "1", 0.8),
        ("g", "1", 0.7),
        // Outside 0 to 1, by however little.
        ("h", "0", f32::INFINITY),
        ("l", "0", 1.01),
        ("m", "1", 2.0),
        ("n", "2", -0.5),
        ("i", "2", -0.0),
        ("j", "2", 0.0),
        ("k", "2", 0.1),
    ];
    let best_two =
        Selection { rule: Rule::Paper, per_class: Some(2), min_confidence: 0.0, duplicate: false };
    for partitions in [1, 2, 16] {
        let ids = |selection: &Selection| -> Vec<String> {
            let found = by_engine(&rows, (partitions, selection, 1));
            found.into_iter().map(|row| row.0).collect()
        };
        assert_eq!(ids(&best_two), ["a", "b", "f", "g", "i", "k"]);
        let above = Selection { per_class: None, min_confidence: 0.3, ..best_two };
        assert_eq!(ids(&above), ["a", "b", "c", "d", "f", "g"]);
        let counted = counts(&rows, (partitions, &above));
        assert_eq!((counted.rows, counted.without, counted.below), (14, 5, 3));
    }
}

#[test]
fn one_value_beside_nan_is_not_taken_for_all() {
    // By a file's statistics all of these are 0.5.
    let rows = [("a", "x", 0.5), ("b", "x", f32::NAN), ("c", "x", 0.5), ("d", "x", f32::NAN)];
    let all = Selection { per_class: None, ..Selection::default() };
    for partitions in [1, 2] {
        let ids: Vec<String> =
            by_engine(&rows, (partitions, &all, 1)).into_iter().map(|row| row.0).collect();
        assert_eq!(ids, ["a", "c"]);
    }
    let (nothing, columns) = (&rows[..1], Columns::default());
    for (fault, selection) in [
        ("no least confidence", Selection { min_confidence: f32::NAN, ..all }),
        ("between 1 and", Selection { per_class: Some(1 << 40), ..all }),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (table, out) = (folder.path().join("t.parquet"), folder.path().join("out"));
        write(&table, nothing).expect("written");
        let found = select(&engine(1), &[table], &columns, &selection, 1, &out);
        assert!(found.expect_err(fault).to_string().contains(fault));
    }
}

fn rows() -> impl Strategy<Value = Vec<(String, String, f32)>> {
    let confidence = prop_oneof![
        4 => (0u32..=100).prop_map(|percent| percent as f32 / 100.0),
        4 => 0.0..=1.0f32,
        1 => Just(f32::NAN),
        1 => Just(-0.0f32),
        1 => prop::sample::select(vec![f32::INFINITY, 2.0, 1.01, -0.5, -f32::INFINITY]),
    ];
    let row = (prop::sample::select(vec!["ant", "bee", "Cat", "cat", "é"]), confidence);
    prop::collection::vec(row, 1..200).prop_map(|rows| {
        let numbered = rows.into_iter().enumerate();
        // Not in the order of their ids.
        numbered
            .map(|(i, (label, confidence))| {
                (format!("{:03}", (i * 67) % 211), label.to_owned(), confidence)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_are_those_of_the_rule_in_memory(
        rows in rows(), min in 0.0..1.0f32, per_class in prop::option::of(1usize..60), seed: u64,
        paper: bool, duplicate: bool,
    ) {
        let rule = if paper { Rule::Paper } else { Rule::ReleasedCode };
        let selection = Selection { rule, min_confidence: min, per_class, duplicate };
        let rows: Vec<(&str, &str, f32)> =
            rows.iter().map(|(id, label, p)| (id.as_str(), label.as_str(), *p)).collect();
        let expected = in_memory(&rows, &selection, seed);
        for partitions in [1, 2, 16] {
            let found = by_engine(&rows, (partitions, &selection, seed));
            prop_assert_eq!(&found, &expected, "{} partitions", partitions);
        }
    }
}

/// More rows of one confidence than may wait for each other in 64 MiB, and few: what does not fit
/// into memory is sorted by the engine, by place or by place and id, and is the same.
#[test]
fn what_does_not_fit_into_memory_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = "x".repeat(400);
    let ids: Vec<String> =
        (0..200_000u64).map(|i| format!("{:06}{long}", i * 7919 % 200_003)).collect();
    let selection =
        Selection { rule: Rule::Paper, per_class: Some(150_000), ..Selection::default() };
    for (case, steps) in [("equal", 1), ("few", 50_000)] {
        let row = |(i, id)| {
            let i: usize = i;
            let label = if i.is_multiple_of(4) { "a" } else { "b" };
            (String::as_str(id), label, 1.0 - (i % steps) as f32 / 100_000.0)
        };
        let rows: Vec<(&str, &str, f32)> = ids.iter().enumerate().map(row).collect();
        let table = folder.path().join(format!("{case}.parquet"));
        write(&table, &rows).expect("written");
        let found = [64 << 20, 2 << 30].map(|memory| {
            let options = Options { memory, partitions: 2, batch: 512, ..Options::default() };
            let out = folder.path().join(format!("{case}-{memory}"));
            let (engine, columns) = (Engine::new(&options).expect("one"), Columns::default());
            let files = [table.clone()];
            select(&engine, &files, &columns, &selection, 1, &out).expect("selected");
            read(&out).expect("parts")
        });
        assert_eq!(found[0].len(), 200_000);
        assert!(found[0] == found[1], "{case}");
    }
}

fn refused(rows: &Labels<'_>, columns: &Columns) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (table, out) = (folder.path().join("t.parquet"), folder.path().join("out"));
    write(&table, rows).expect("written");
    let found = select(&engine(2), &[table], columns, &Selection::default(), 1, &out);
    let left: Vec<PathBuf> =
        folder.path().read_dir().expect("it").flatten().map(|entry| entry.path()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    found.expect_err("it cannot be selected").to_string()
}

#[test]
fn what_cannot_be_selected_is_said_and_leaves_nothing() {
    let rows = [("a", "x", 0.9), ("a", "x", 0.9)];
    assert!(refused(&rows, &Columns::default()).contains("the id a stands twice"));
    // Of another label it is another row.
    let other = [("a", "x", 0.9), ("a", "y", 0.9), ("b", "y", 0.8)];
    let all = Selection { per_class: None, ..Selection::default() };
    let taken = by_engine(&other, (2, &all, 1));
    assert_eq!(taken.len(), 3);
    let columns = Columns { id: "file".into(), ..Columns::default() };
    let said = refused(&rows, &columns);
    assert!(said.contains("no column file among image, label, confidence (name"), "{said}");
    let columns = Columns { confidence: "label".into(), ..Columns::default() };
    let said = refused(&rows, &columns);
    assert!(said.contains("column label holds") && said.contains("not floats"), "{said}");

    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let all = |file: &Path| {
        let (columns, selection) = (Columns::default(), Selection::default());
        let found = select(&engine(1), &[file.to_owned()], &columns, &selection, 1, &path("out"));
        found.expect_err("it cannot be selected").to_string()
    };
    let said = all(&path("nowhere.parquet"));
    assert!(said.contains("nowhere.parquet"), "{said}");
    std::fs::write(path("text.parquet"), "no table").expect("written");
    let said = all(&path("text.parquet"));
    assert!(said.contains("text.parquet") && said.lines().count() == 1, "{said}");
    std::fs::create_dir(path("out")).expect("made");
    assert!(all(&path("text.parquet")).contains("is there already"));
}
