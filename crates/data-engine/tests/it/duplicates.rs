//! Texts that say the same: those of the rule in memory go, whatever the partitions.

use data_engine::{Deduplicated, Engine, Options, deduplicate};
use data_pipeline::text::duplicates::{Fate, MinHash, fates};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::tables::table;

pub(crate) type Texts = Vec<(String, String)>;

/// The texts that stay by the rule in memory, by id.
pub(crate) fn in_memory(texts: &Texts, how: MinHash) -> (Texts, Deduplicated) {
    let pairs: Vec<(&str, &str)> = texts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let fates = fates(&pairs, how).expect("fates");
    let count = |fate: Fate| fates.iter().filter(|&&found| found == fate).count() as u64;
    let found = Deduplicated {
        texts: texts.len() as u64,
        duplicates: count(Fate::Duplicate),
        near_duplicates: count(Fate::NearDuplicate),
        kept: count(Fate::Kept),
    };
    let kept = texts.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Kept);
    let mut kept: Texts = kept.map(|(text, _)| text.clone()).collect();
    kept.sort();
    (kept, found)
}

fn write_texts(path: &Path, texts: &[(String, String)]) {
    let column = |of: &dyn Fn(&(String, String)) -> &String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(texts.iter().map(of)))
    };
    table(path, vec![("Id", column(&|text| &text.0)), ("text", column(&|text| &text.1))]);
}

pub(crate) fn by_engine(engine: &Engine, texts: &Texts, how: MinHash) -> (Texts, Deduplicated) {
    let folder = tempfile::tempdir().expect("a folder");
    let (tables, out) = (folder.path().join("tables"), folder.path().join("out"));
    std::fs::create_dir(&tables).expect("made");
    let (first, second) = texts.split_at(texts.len() / 2);
    write_texts(&tables.join("a.parquet"), first);
    write_texts(&tables.join("b.parquet"), second);
    let found = deduplicate(engine, &[tables], ("Id", "text"), &how, &out).expect("texts");
    let file = File::open(out.join("part-00000.parquet")).expect("a part");
    let mut kept = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).expect("it").build().expect("rows")
    {
        let batch = batch.expect("rows");
        let [ids, texts] = [0, 1].map(|i| batch.column(i).as_string::<i32>());
        kept.extend((0..ids.len()).map(|i| (ids.value(i).to_owned(), texts.value(i).to_owned())));
    }
    (kept, found)
}

/// Texts of few words, many of which are alike.
fn texts() -> impl Strategy<Value = Texts> {
    let text = prop_oneof![
        4 => "[ab]( [abc]){3,9}",
        1 => "[ab]( [ab]){0,2}",
        1 => Just("the very same text,  which stands here again and again".to_owned()),
        1 => Just(String::new()),
        1 => Just("?!".to_owned()),
    ];
    prop::collection::vec(text, 1..60).prop_map(|texts| {
        let numbered = texts.into_iter().enumerate();
        numbered.map(|(i, text)| (format!("{:03}", (i * 67) % 211), text)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn texts_that_stay_are_those_of_the_rule_in_memory(texts in texts(), seed: u64) {
        let how = MinHash { shingle_words: 2, rows: 3, threshold: 0.5, seed, ..MinHash::default() };
        let wanted = in_memory(&texts, how);
        for partitions in [1, 2, 16] {
            let options = Options { partitions, batch: 5, ..Options::default() };
            let engine = Engine::new(&options).expect("an engine");
            prop_assert_eq!(&by_engine(&engine, &texts, how), &wanted, "{} partitions", partitions);
        }
    }
}

#[test]
fn texts_without_ids_of_their_own_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let engine = Engine::new(&Options::default()).expect("an engine");
    let how = MinHash::default();
    let refused = |file: &str, names: (&str, &str), how: &MinHash| {
        let found = deduplicate(&engine, &[path(file)], names, how, &path("out"));
        assert!(!path("out").exists());
        found.expect_err("refused").to_string()
    };
    let column = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let twice = vec![Some("a"), Some("a")];
    let texts = vec![Some("one"), Some("two")];
    table(&path("a.parquet"), vec![("id", column(twice)), ("text", column(texts.clone()))]);
    let said = refused("a.parquet", ("id", "text"), &how);
    assert!(said.contains("the id a stands twice"), "{said}");
    // One of two files has texts by another name.
    std::fs::create_dir(path("both")).expect("made");
    let ids = || column(vec![Some("a")]);
    table(&path("both/a.parquet"), vec![("id", ids()), ("text", column(vec![Some("one")]))]);
    table(&path("both/b.parquet"), vec![("id", ids()), ("body", column(vec![Some("two")]))]);
    let said = refused("both", ("id", "text"), &how);
    assert!(said.contains("b.parquet: there is no column text, which other"), "{said}");
    table(&path("b.parquet"), vec![("id", column(vec![Some("a"), None])), ("text", column(texts))]);
    let said = refused("b.parquet", ("id", "text"), &how);
    assert!(said.contains("1 texts have no id"), "{said}");
    let said = refused("b.parquet", ("id", "body"), &how);
    assert!(said.contains("no column body among id, text"), "{said}");
    let said = refused("b.parquet", ("id", "text"), &MinHash { shingle_words: 0, ..how });
    assert!(said.contains("a shingle has 1 word or more"), "{said}");
}
