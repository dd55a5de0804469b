//! Tables larger than the memory that is given.

use augment::rng::Rng;
use data_engine::parts::{read, write};
use data_engine::{Columns, Engine, Options, select};
use data_pipeline::balance::{Rule, Scored, Selection, filter_and_balance};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn too_little_memory_is_refused() {
    let asked = Options { memory: 1 << 20, ..Options::default() };
    let said = Engine::new(&asked).err().map(|error| error.to_string()).expect("refused");
    assert!(said.contains("64 MiB are the least"), "{said}");
    let asked = Options { partitions: 1 << 20, ..Options::default() };
    let said = Engine::new(&asked).err().map(|error| error.to_string()).expect("refused");
    assert!(said.contains("4,096 partitions at most"), "{said}");
}

/// The bytes of all files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let of = |path: PathBuf| match path.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&path),
        Ok(meta) => meta.len(),
        // It has gone meanwhile.
        Err(_) => 0,
    };
    entries.flatten().map(|entry| of(entry.path())).sum()
}

/// Runs something; gives with it the most bytes that were seen below a folder meanwhile.
fn watched<T>(folder: &Path, work: impl FnOnce() -> T) -> (T, u64) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                most = most.max(bytes_below(folder));
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        (done, watch.join().expect("it watched"))
    })
}

#[test]
fn what_does_not_fit_into_memory_goes_to_files_and_comes_to_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    // Some 150 MiB of ids, of which all are sorted, beside 64 MiB of memory.
    let ids: Vec<String> = (0..1_000_000u64)
        .map(|i| format!("{:0>120}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let mut rows: Vec<(&str, &str, f32)> = ids
        .iter()
        .enumerate()
        .map(|(i, id)| (id.as_str(), ["a", "b", "c"][i % 3], (i % 1009) as f32 / 1009.0))
        .collect();
    write(&path("t.parquet"), &rows).expect("written");
    let selection = Selection { rule: Rule::Paper, min_confidence: 0.0, ..Selection::default() };
    let selection = Selection { per_class: Some(400_000), ..selection };
    std::fs::create_dir(path("spill")).expect("made");
    let run = |memory: u64| {
        let spill = Some(path("spill"));
        let options = Options { memory, partitions: 2, spill, ..Options::default() };
        let engine = Engine::new(&options).expect("an engine");
        let (out, columns) = (path(&memory.to_string()), Columns::default());
        let work = || select(&engine, &[path("t.parquet")], &columns, &selection, 1, &out);
        let (found, spilled) = watched(&path("spill"), work);
        found.expect("selected");
        (read(&out).expect("parts"), spilled)
    };
    let ((small, spilled), (large, _)) = (run(64 << 20), run(2 << 30));
    assert!(spilled > 64 << 20, "{spilled} bytes went to files");
    assert_eq!(bytes_below(&path("spill")), 0, "temporary files are left");
    assert!(small == large, "other rows than in memory");

    // What the rule finds in memory.
    rows.sort_unstable_by_key(|row| row.0);
    let class = |label: &str| u32::from(label.as_bytes()[0] - b'a');
    let scored = |row: &(&str, &str, f32)| Scored { label: class(row.1), confidence: row.2 };
    let scored: Vec<Scored> = rows.iter().map(scored).collect();
    let mut copies = vec![0; rows.len()];
    for row in filter_and_balance(&scored, &selection, &mut Rng::new(1)) {
        copies[row as usize] += 1;
    }
    assert_eq!(copies.iter().sum::<u32>(), 1_200_000);
    let mut found = small;
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let taken = rows.iter().zip(copies).filter(|(_, copies)| *copies > 0);
    let wanted = taken.map(|(row, copies)| (row.0, row.1, row.2, copies));
    assert!(found.iter().map(|row| (&*row.0, &*row.1, row.2, row.3)).eq(wanted));
}
