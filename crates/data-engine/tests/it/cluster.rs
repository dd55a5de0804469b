//! The same rows from a cluster of processes, also when one of them is killed.

use data_engine::parts::{Row, read};
use data_engine::{Columns, Engine, Options, describe, select};
use data_pipeline::balance::{Rule, Selection};
use data_pipeline::text::duplicates::MinHash;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::select::{in_memory, write_parts};
use crate::{dialogs, duplicates};

/// Processes that end with the test.
struct Cluster {
    scheduler: Child,
    executors: Vec<Child>,
    /// The folders of what executors hand on.
    works: Vec<PathBuf>,
    url: String,
    _folder: tempfile::TempDir,
}

/// A port of this machine that nobody listens on; the one behind it too.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|found| found.local_addr());
        let port = port.expect("a port").port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_data-engine"));
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

impl Cluster {
    fn new(executors: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("127.0.0.1:{}", free_port());
        let scheduler = start(&["scheduler", "--address", &address, "--gone-after", "3"]);
        let begin = Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(60), "the scheduler does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let executor = |number: usize| {
            let own = format!("127.0.0.1:{}", free_port());
            let work = folder.path().join(number.to_string());
            std::fs::create_dir(&work).expect("made");
            let work = work.to_str().expect("UTF-8");
            let how = ["--address", &own, "--work", work, "--cores", "2", "--memory", "256M"];
            start(&[&["executor", "--scheduler", &address][..], &how].concat())
        };
        let works = (0..executors).map(|number| folder.path().join(number.to_string())).collect();
        let executors = (0..executors).map(executor).collect();
        let url = format!("http://{address}");
        Self { scheduler, executors, works, url, _folder: folder }
    }

    fn engine(&self, partitions: usize) -> Engine {
        let cluster = Some(self.url.clone());
        Engine::new(&Options { partitions, cluster, ..Options::default() }).expect("an engine")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.executors.iter_mut().chain([&mut self.scheduler]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn selected(engine: &Engine, tables: &Path, selection: &Selection) -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, columns) = (folder.path().join("out"), Columns::default());
    select(engine, &[tables.to_owned()], &columns, selection, 7, &out).expect("selected");
    let mut rows = read(&out).expect("parts");
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

/// Rows of 40 classes, some of whose confidences are none.
fn rows(count: usize) -> Vec<(String, String, f32)> {
    let row = |i: usize| {
        let confidence = match i % 97 {
            0 => f32::NAN,
            1 => -0.0,
            _ => (i.wrapping_mul(7919) % 1009) as f32 / 1009.0,
        };
        (format!("{:07}", (i * 67) % count), format!("class {}", (i * i) % 40), confidence)
    };
    (0..count).map(row).collect()
}

#[test]
fn a_cluster_selects_what_memory_does() {
    let rows = rows(20_011);
    let rows: Vec<(&str, &str, f32)> =
        rows.iter().map(|(id, label, p)| (id.as_str(), label.as_str(), *p)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let tables = folder.path().join("tables [x]");
    write_parts(&rows, &tables);
    for executors in [1, 2] {
        let cluster = Cluster::new(executors);
        for (partitions, rule) in [(1, Rule::Paper), (2, Rule::ReleasedCode), (16, Rule::Paper)] {
            let selection =
                Selection { rule, min_confidence: 0.0, per_class: Some(400), duplicate: true };
            let engine = cluster.engine(partitions);
            let found = selected(&engine, &tables, &selection);
            assert!(found == in_memory(&rows, &selection, 7), "{executors}, {partitions}");
            let here = Engine::new(&Options::default()).expect("an engine");
            let [far, near] = [&engine, &here].map(|e| describe(e, std::slice::from_ref(&tables)));
            assert_eq!(far.expect("described"), near.expect("described"));
        }
    }
}

#[test]
fn a_cluster_makes_the_pairs_and_keeps_the_texts_that_memory_does() {
    let (messages, options) = (dialogs::many(6000), dialogs::options());
    let wanted = dialogs::in_memory(&messages, &options);
    let how = MinHash { threshold: 0.5, ..MinHash::default() };
    let texts: duplicates::Texts =
        messages.iter().map(|m| (format!("{}/{}", m.conversation, m.id), m.text.clone())).collect();
    let stay = duplicates::in_memory(&texts, how);
    assert!(stay.1.near_duplicates > 0 && stay.1.duplicates > 0, "{:?}", stay.1);
    for (executors, partitions) in [(1, vec![2]), (2, vec![1, 2, 16])] {
        let cluster = Cluster::new(executors);
        for partitions in partitions {
            let engine = cluster.engine(partitions);
            let which = (executors, partitions);
            assert!(dialogs::by_engine(&engine, &messages, &options) == wanted, "{which:?}");
            assert!(duplicates::by_engine(&engine, &texts, how) == stay, "{which:?}");
        }
    }
}

/// An adaptive planner would make one after the other here, for ever.
#[test]
fn stages_without_rows_end() {
    // No line is so frequent that it counts.
    let (messages, mut options) = (dialogs::many(400), dialogs::options());
    options.filters.max_occurrences = 1000;
    let wanted = dialogs::in_memory(&messages, &options);
    assert!(!wanted.0.is_empty(), "{:?}", wanted.1);
    let cluster = Cluster::new(1);
    assert!(dialogs::by_engine(&cluster.engine(2), &messages, &options) == wanted);
}

#[test]
fn an_executor_that_is_killed_costs_no_row() {
    let rows = rows(400_009);
    let rows: Vec<(&str, &str, f32)> =
        rows.iter().map(|(id, label, p)| (id.as_str(), label.as_str(), *p)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let tables: PathBuf = folder.path().join("tables");
    write_parts(&rows, &tables);
    let selection = Selection { min_confidence: 0.0, per_class: None, ..Selection::default() };
    let wanted = in_memory(&rows, &selection, 7);
    let mut cluster = Cluster::new(2);
    let engine = cluster.engine(16);
    // Until both have done something.
    let begin = Instant::now();
    while cluster.works.iter().any(|work| files_below(work) == 0) {
        assert!(begin.elapsed() < Duration::from_secs(60), "one has nothing to do");
        assert!(selected(&engine, &tables, &selection) == wanted);
    }
    let (mut victim, work) = (cluster.executors.pop().expect("two"), cluster.works[1].clone());
    let before = files_below(&work);
    let killer = std::thread::spawn(move || {
        let begin = Instant::now();
        while files_below(&work) <= before && begin.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let worked = files_below(&work) > before;
        victim.kill().expect("killed");
        victim.wait().expect("gone");
        worked
    });
    let found = selected(&engine, &tables, &selection);
    assert!(killer.is_finished(), "it was killed after the end");
    assert!(killer.join().expect("killed"), "it had no part in this");
    assert!(found == wanted, "{} rows, not {}", found.len(), wanted.len());
    assert!(selected(&engine, &tables, &selection) == wanted, "by the other alone");
}

fn files_below(folder: &Path) -> usize {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let count = |path: PathBuf| if path.is_dir() { files_below(&path) } else { 1 };
    entries.flatten().map(|entry| count(entry.path())).sum()
}

#[test]
fn a_cluster_without_executors_is_named() {
    let cluster = Cluster::new(0);
    let options = Options { cluster: Some(cluster.url.clone()), ..Options::default() };
    let said = Engine::new(&options).err().map(|error| error.to_string()).expect("refused");
    assert!(said.contains("has no executor"), "{said}");
    let spill = Some(PathBuf::from("/tmp"));
    let said = Engine::new(&Options { spill, ..options }).err().map(|error| error.to_string());
    assert!(said.expect("refused").contains("temporary files of their own"));
    let nowhere = format!("127.0.0.1:{}", free_port());
    for (arguments, what) in [
        (&["executor", "--scheduler", &nowhere][..], "no scheduler answers at 127.0.0.1"),
        (&["executor", "--address", "0.0.0.0:50051"], "name its --host"),
        (&["executor", "--memory", "64M", "--cores", "2"], "64 MiB are the least for each task"),
        (&["scheduler", "--gone-after", "2"], "in 3 seconds"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_data-engine"));
        let ended = command.args(arguments).output().expect("the program starts");
        let said = String::from_utf8(ended.stderr).expect("UTF-8");
        assert!(!ended.status.success() && said.contains(what), "{said}");
    }
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let options = Options { cluster: Some(nowhere.clone()), ..Options::default() };
    let said = Engine::new(&options).err().map(|error| error.to_string()).expect("refused");
    assert!(said.contains(&nowhere), "{said}");
}
