//! Labels by several processes, each of which writes a part.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use crate::afterwards::trained;
use crate::tutor::{call, command, refused, run};

/// Name, label, confidence.
type Row = (String, String, f32);

fn rows(file: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(file).expect("a part")).expect("Parquet");
    let rows = reader.get_row_iter(None).expect("rows").map(|row| {
        let row = row.expect("a row");
        let columns: Vec<&Field> = row.get_column_iter().map(|(_, value)| value).collect();
        match columns[..3] {
            [Field::Str(id), Field::Str(label), Field::Float(confidence)] => {
                (id.clone(), label.clone(), *confidence)
            }
            _ => panic!("{columns:?}"),
        }
    });
    rows.collect()
}

/// The rows of all parts of a folder, one part after another.
fn parts(folder: &Path, count: usize) -> Vec<Row> {
    let mut names: Vec<_> =
        folder.read_dir().expect("it").map(|entry| entry.expect("it").file_name()).collect();
    names.sort();
    assert_eq!(names.remove(0), "_parts.json", "which readers of Parquet leave out");
    let name = |i: usize| OsString::from(format!("part-{i:05}-of-{count:05}.parquet"));
    assert_eq!(names, (1..=count).map(name).collect::<Vec<_>>());
    names.iter().flat_map(|name| rows(&folder.join(name))).collect()
}

#[track_caller]
fn assert_same(found: &[Row], wanted: &[Row]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!((&found.0, &found.1), (&wanted.0, &wanted.1));
        assert!((found.2 - wanted.2).abs() < 1e-5, "{found:?} {wanted:?}");
    }
}

#[test]
fn parts_are_the_whole_and_are_done_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let latest = trained(dir);
    run(dir, &["predict", latest, "unlabeled", "--out", "whole.parquet"]);
    let whole = rows(&dir.join("whole.parquet"));
    assert_eq!(whole.len(), 40);
    let predict = ["predict", latest, "unlabeled"];
    let shard = |shard: &'static str| [&predict[..], &["--shard", shard]].concat();

    run(dir, &shard("3/3"));
    // As if it had been killed on its way: what cannot be written to its place leaves all that was
    // said, of which some lines are taken.
    let first = dir.join("labels/part-00001-of-00003.parquet");
    fs::create_dir(&first).expect("made");
    call(dir, &shard("1/3"));
    fs::remove_dir(&first).expect("removed");
    let said = first.with_extension("parquet.part");
    let lines = fs::read_to_string(&said).expect("what was said");
    let some: Vec<&str> = lines.lines().take(6).collect();
    fs::write(&said, some.join("\n") + "\n{\"said\"").expect("written");
    let called = call(dir, &shard("1/3"));
    assert!(called.success && called.err.contains("5 of 13 images were done"), "{}", called.err);
    run(dir, &shard("2/3"));
    let labels = dir.join("labels");
    assert_same(&parts(&labels, 3), &whole);

    let second = labels.join("part-00002-of-00003.parquet");
    let written = || second.metadata().and_then(|meta| meta.modified()).expect("a file");
    let before = written();
    let said = run(dir, &shard("2/3"));
    assert!(said.contains("part-00002-of-00003.parquet: done before"), "{said}");
    assert_eq!(written(), before);

    // More parts than pictures: some have no rows.
    for number in 1..=41 {
        let shard = format!("{number}/41");
        // Those before this one are done; the ends and some between are enough.
        if matches!(number, 1 | 2 | 40 | 41) {
            let out = ["--shard", &shard, "--out", "many"];
            run(dir, &[&predict[..], &out].concat());
        }
    }
    let many: Vec<usize> = [1, 2, 40, 41]
        .map(|i| rows(&dir.join(format!("many/part-{i:05}-of-00041.parquet"))).len())
        .to_vec();
    assert_eq!(many, [0, 1, 1, 1]);

    // What is not a part of the same work is not joined to it.
    let refused = |more: &[&str], what: &str| {
        let said = refused(dir, &[&predict[..], more].concat());
        assert!(said.contains(what) && said.contains("name another folder"), "{said}");
    };
    refused(&["--shard", "1/2"], "one of another number of parts");
    for number in 1..=3 {
        let file = format!("labels/part-{number:05}-of-00003.parquet");
        fs::rename(dir.join(&file), dir.join(file.replace("labels/", ""))).expect("moved");
    }
    refused(&["--shard", "1/2"], "another number of parts");
    for number in 1..=3 {
        let file = format!("part-{number:05}-of-00003.parquet");
        fs::rename(dir.join(&file), labels.join(&file)).expect("moved back");
    }
    refused(&["--shard", "2/3", "--threshold", "0.5"], "labels with another --threshold");
    let picture = |name: &str| dir.join("unlabeled").join(name);
    fs::copy(picture("02.png"), picture("00.png")).expect("changed");
    refused(&["--shard", "1/3"], "labels of samples that have changed since");
    fs::copy(picture("02.png"), picture("zz.png")).expect("one more");
    refused(&["--shard", "1/3"], "labels of other samples");
    fs::copy(dir.join("whole.parquet"), labels.join("other.parquet")).expect("copied");
    fs::remove_file(picture("zz.png")).expect("removed");
    for number in 1..=3 {
        fs::remove_file(labels.join(format!("part-{number:05}-of-00003.parquet"))).expect("gone");
    }
    refused(&["--shard", "1/3"], "something else than a part of labels");
    let said = call(dir, &[&predict[..], &["--shard", "1/3", "--out", "whole.parquet"]].concat());
    assert!(said.err.contains("--out is the folder of their Parquet files"), "{}", said.err);
    let said = call(dir, &shard("0/3")).err;
    assert!(said.contains("write 1/N to N/N"), "{said}");
}

/// What the footer of a part says of all parts.
fn labelling(part: &Path) -> String {
    let reader = SerializedFileReader::new(File::open(part).expect("a part")).expect("Parquet");
    let entries = reader.metadata().file_metadata().key_value_metadata().expect("entries");
    let entry = entries.iter().find(|entry| entry.key == "tutor.parts").expect("of all parts");
    entry.value.clone().expect("a digest")
}

#[test]
fn a_part_of_another_labelling_is_neither_joined_nor_taken_for_done() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let latest = trained(dir);
    let shard = |shard: &'static str, more: &[&'static str]| {
        [&["predict", latest, "unlabeled", "--shard", shard], more].concat()
    };
    run(dir, &shard("1/2", &["--out", "a"]));
    run(dir, &shard("2/2", &["--out", "a"]));
    run(dir, &shard("1/2", &["--out", "b", "--threshold", "0.9"]));
    let part = |folder: &str, number: u8| {
        dir.join(folder).join(format!("part-{number:05}-of-00002.parquet"))
    };
    let [first, second, other] =
        [part("a", 1), part("a", 2), part("b", 1)].map(|part| labelling(&part));
    assert_eq!(first, second);
    assert_ne!(first, other);
    // As if it had come there by hand, without what stands beside it.
    fs::copy(part("b", 1), part("a", 1)).expect("copied");
    let said = refused(dir, &shard("1/2", &["--out", "a"]));
    assert!(said.contains("a part of another labelling"), "{said}");
    assert!(said.contains("name another folder by --out, or remove it"), "{said}");
    run(dir, &shard("2/2", &["--out", "a"]));
    fs::remove_file(dir.join("a/_parts.json")).expect("removed");
    let said = refused(dir, &shard("2/2", &["--out", "a"]));
    assert!(said.contains("part-00001-of-00002.parquet holds a part of another"), "{said}");
}

#[test]
fn processes_of_a_launcher_take_a_part_each() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let latest = trained(dir);
    run(dir, &["predict", latest, "unlabeled", "--out", "whole.parquet"]);
    let whole = rows(&dir.join("whole.parquet"));
    let predict = ["predict", latest, "unlabeled"];
    let launch = ["launch", "--nproc", "2", "--"];
    let one = ["launch", "--nproc", "1", "--"];
    run(dir, &[&one[..], &predict, &["--out", "alone.parquet"]].concat());
    assert_same(&rows(&dir.join("alone.parquet")), &whole);
    // A batch script of Slurm is none of its tasks.
    let variables = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")];
    let mut script = command(dir, &[&predict[..], &["--out", "script.parquet"]].concat());
    assert!(script.envs(variables).output().expect("started").status.success());
    assert_same(&rows(&dir.join("script.parquet")), &whole);
    let said = refused(dir, &[&launch[..], &predict, &["--out", "labels.csv"]].concat());
    assert!(said.contains("--out is the folder"), "{said}");
    assert!(!dir.join("labels.csv").exists());
    run(dir, &[&launch[..], &predict, &["--out", "launched"]].concat());
    assert_same(&parts(&dir.join("launched"), 2), &whole);
    let said = refused(dir, &[&launch[..], &predict, &["--shard", "1/2"]].concat());
    assert!(said.contains("take a part each without it"), "{said}");

    // As an indexed job of Kubernetes; its pods do not know of each other.
    for index in ["1", "0"] {
        let variables = [("JOB_COMPLETION_INDEX", index), ("WORLD_SIZE", "2")];
        let ended = command(dir, &predict).envs(variables).output().expect("started");
        assert!(ended.status.success(), "{ended:?}");
    }
    assert_same(&parts(&dir.join("labels"), 2), &whole);
    // One that does not know how many there are would label everything, as the others do.
    let mut pod = command(dir, &predict);
    let ended = pod.env("JOB_COMPLETION_INDEX", "1").output().expect("started");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("WORLD_SIZE: is missing"), "{said}");
}
