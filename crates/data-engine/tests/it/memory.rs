//! Tables larger than the memory that is given.

use data_engine::parts::{read, write};
use data_engine::{Columns, Engine, EngineError, Options, select};
use data_pipeline::balance::{Rule, Selection};

#[test]
fn too_little_memory_is_refused() {
    let asked = Options { memory: 1 << 20, ..Options::default() };
    let said = Engine::new(&asked).err().map(|error| error.to_string()).expect("refused");
    assert!(said.contains("64 MiB are the least"), "{said}");
}

#[test]
fn what_does_not_fit_into_memory_goes_to_files_and_comes_to_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("t.parquet");
    // Some 150 MiB of ids, of which all are sorted, beside 64 MiB of memory.
    let ids: Vec<String> = (0..1_000_000u64)
        .map(|i| format!("{:0>120}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let rows: Vec<(&str, &str, f32)> = ids
        .iter()
        .enumerate()
        .map(|(i, id)| (id.as_str(), ["a", "b", "c"][i % 3], (i % 1009) as f32 / 1009.0))
        .collect();
    write(&table, &rows).expect("written");
    let selection = Selection { rule: Rule::Paper, min_confidence: 0.0, ..Selection::default() };
    let selection = Selection { per_class: Some(400_000), ..selection };
    let run = |memory: u64| -> Result<_, EngineError> {
        let engine = Engine::new(&Options { memory, partitions: 2, spill: None })?;
        let out = folder.path().join(memory.to_string());
        let columns = Columns::default();
        select(&engine, std::slice::from_ref(&table), &columns, &selection, 1, &out)?;
        read(&out)
    };
    let (small, large) = (run(64 << 20).expect("by files"), run(2 << 30).expect("in memory"));
    assert_eq!(large.iter().map(|row| u64::from(row.3)).sum::<u64>(), 1_200_000);
    assert!(small == large, "other rows than in memory");
}
