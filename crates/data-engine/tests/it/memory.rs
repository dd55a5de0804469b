//! Tables larger than the memory that is given.

use augment::rng::Rng;
use data_engine::parts::{read, write};
use data_engine::{Columns, Engine, Options, describe, select};
use data_pipeline::balance::{Rule, Scored, Selection, filter_and_balance};
use data_pipeline::text::duplicates::MinHash;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{dialogs, duplicates};

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
        let done = std::panic::catch_unwind(AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        let most = watch.join().expect("it watched");
        (done.unwrap_or_else(|panic| resume_unwind(panic)), most)
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
    let options = Options { memory: 64 << 20, partitions: 2, ..Options::default() };
    let engine = Engine::new(&Options { spill: Some(path("spill")), ..options }).expect("one");
    let (said, spilled) = watched(&path("spill"), || describe(&engine, &[path("t.parquet")]));
    let distinct: Vec<_> = said.expect("described").columns.iter().map(|c| c.distinct).collect();
    assert_eq!(distinct, [Some(1_000_000), Some(3), Some(1009)]);
    assert!(spilled > 64 << 20, "{spilled} bytes of different ids went to files");

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

/// An engine that keeps within so much memory, and the folder of its temporary files.
fn narrow(folder: &Path, memory: u64) -> (Engine, PathBuf) {
    let spill = folder.join("spill");
    std::fs::create_dir(&spill).expect("made");
    let path = Some(spill.clone());
    let options = Options { memory, partitions: 2, spill: path, ..Options::default() };
    (Engine::new(&options).expect("an engine"), spill)
}

#[test]
fn texts_that_do_not_fit_into_memory_are_deduplicated() {
    let folder = tempfile::tempdir().expect("a folder");
    // Some 240 MiB.
    let texts: duplicates::Texts = (0..120_000u64)
        .map(|i| {
            // Every fifth is nearly the one before, every seventh the same.
            let of = if i % 5 == 4 || i % 7 == 6 { i - 1 } else { i };
            let words = (0..200).map(|n| (of * 200 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
            let mut text: Vec<String> = words.map(|word| format!("{word:x}")).collect();
            if i % 5 == 4 {
                text[100] = "other".to_owned();
            }
            (format!("{:06}", i.wrapping_mul(7919) % 120_011), text.join(" "))
        })
        .collect();
    let how = MinHash { bands: 4, rows: 4, ..MinHash::default() };
    let wanted = duplicates::in_memory(&texts, how);
    assert!(wanted.1.duplicates > 5_000 && wanted.1.near_duplicates > 5_000, "{:?}", wanted.1);
    let (engine, spill) = narrow(folder.path(), 128 << 20);
    let (found, spilled) = watched(&spill, || duplicates::by_engine(&engine, &texts, how));
    assert!(spilled > 64 << 20, "{spilled} bytes went to files");
    assert!(found == wanted, "other texts than in memory: {:?}, {:?}", found.1, wanted.1);
}

#[test]
fn messages_that_do_not_fit_into_memory_become_pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    // Some 150 MiB, four times as much with the contexts.
    let mut messages = dialogs::many(150_000);
    for (i, message) in messages.iter_mut().enumerate() {
        let more = (0..100).map(|n| format!(" {:x}", (i * 100 + n).wrapping_mul(0x9e37_79b9) >> 8));
        message.text.extend(more);
    }
    let mut options = dialogs::options();
    options.filters.min_alphabetic = 0.0;
    let wanted = dialogs::in_memory(&messages, &options);
    assert!(wanted.0.len() > 15_000, "{:?}", wanted.1);
    let (engine, spill) = narrow(folder.path(), 256 << 20);
    let (found, spilled) = watched(&spill, || dialogs::by_engine(&engine, &messages, &options));
    assert!(spilled > 64 << 20, "{spilled} bytes went to files");
    assert!(found.1 == wanted.1, "{:?}\n{:?}", found.1, wanted.1);
    assert!(found.0 == wanted.0, "other pairs than in memory");
}
