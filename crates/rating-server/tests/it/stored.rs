//! What is in the database's files, how it gets there, and what comes into a backup.

use crate::client::{PASSWORD, Study, answer, items, no_practice, send, serve_here};
use crate::needed::{program, skip};
use eval_ssa::Item;
use rating_server::{NewRater, Project, Settings};
use rusqlite::Connection;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Names the database of a test that runs in a process of its own.
const DATABASE: &str = "RATING_TEST_STORED";

/// In memory where there is a file system for that: what is counted here is not the disk's time.
fn fast_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn number(path: &Path, sql: &str) -> i64 {
    let db = Connection::open(path).expect("the database");
    db.busy_timeout(Duration::from_secs(60)).expect("a limit");
    db.query_row(sql, [], |row| row.get(0)).expect("a number")
}

/// All bytes of the files in a folder.
fn bytes(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).expect("a folder");
    files.flat_map(|file| std::fs::read(file.expect("an entry").path()).expect("a file")).collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn secrets_are_in_no_file_but_as_hashes() {
    let study = Study::new(&Settings { votes: 1, ..Settings::default() }, 3, 2);
    let cookie = study.log_in();
    let page = study.form(&cookie, "/admin/raters", "labels=Ada&rates=yes&chats=0").text;
    let invited = page.split("/r/").nth(1).map(|rest| rest[..26].to_owned()).expect("a link");
    let raters = study.server.project().raters().expect("raters");
    let ada = raters.iter().find(|rater| rater.label == "Ada").expect("a rater");
    let path = format!("/admin/raters/{}", ada.key);
    let page = study.form(&cookie, &path, "action=renew").text;
    let renewed = page.split("/r/").nth(1).map(|rest| rest[..26].to_owned()).expect("a link");
    let session = cookie.split_once('=').expect("a value").1.to_owned();
    for token in [&study.raters[0].token, &study.raters[1].token, &renewed] {
        let state = study.begin(token);
        study.rater(token, "POST", "/api/answer", &answer(&state, "nonce", true));
    }
    let check = || {
        let bytes = bytes(study.folder.path());
        // What is there is found.
        assert!(holds(&bytes, b"label 0") && holds(&bytes, study.raters[0].rater.as_bytes()));
        for token in [&study.raters[0].token, &study.raters[1].token, &renewed, &session] {
            assert!(holds(&bytes, &web_server::secret::hash(token)), "the hash is there");
        }
        for secret in [
            &*study.raters[0].token,
            &*study.raters[1].token,
            &*invited,
            &*renewed,
            &*session,
            PASSWORD,
        ] {
            assert_eq!(secret.len(), if secret == PASSWORD { PASSWORD.len() } else { 26 });
            assert!(!holds(&bytes, secret.as_bytes()), "{secret} is in a file");
            let upper = secret.to_uppercase();
            assert!(!holds(&bytes, upper.as_bytes()), "{upper} is in a file");
        }
    };
    // With the write-ahead log as it is, and when all of it is in the database.
    check();
    let database = study.folder.path().join("study.db");
    assert_eq!(number(&database, "PRAGMA wal_checkpoint(TRUNCATE)"), 0, "nobody is in the way");
    let log = std::fs::metadata(database.with_extension("db-wal")).expect("the log");
    assert_eq!(log.len(), 0);
    check();
}

#[test]
fn the_journal_is_a_write_ahead_log_also_in_a_backup_that_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let mode = |path: &Path| -> String {
        let db = Connection::open(path).expect("the database");
        db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode")
    };
    let path = folder.path().join("study.db");
    let project = Project::create(&path, &Settings::default(), None).expect("a project");
    assert_eq!(mode(&path), "wal");
    let copy = folder.path().join("copy.db");
    project.backup(&copy).expect("a backup");
    assert_eq!(mode(&copy), "delete", "a copy is one file");
    let copied = Project::open(&copy).expect("a project");
    assert_eq!(mode(&copy), "wal");
    copied.add_rater(&NewRater::new("Ada")).expect("a rater");
}

/// How many changes are made one after another, and acknowledged.
const CHANGES: usize = 40;

#[test]
fn a_study_that_is_changed() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let project = Project::open(Path::new(&path)).expect("the project");
    for index in 0..CHANGES {
        project.add_rater(&NewRater::new(format!("rater {index}"))).expect("a rater");
    }
}

/// What `synchronous = FULL` is for: with `NORMAL` the log is flushed only before it is emptied.
#[test]
fn each_acknowledged_change_is_flushed_to_the_disk() {
    let Some(strace) = program(&["strace"]) else {
        return skip("no strace to see when files are flushed");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.db");
    drop(Project::create(&path, &Settings::default(), None).expect("a project"));
    let calls = folder.path().join("calls");
    let output = Command::new(strace)
        .args(["-f", "-y", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&calls)
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "stored::a_study_that_is_changed"])
        .env(DATABASE, &path)
        .output()
        .expect("strace runs");
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && said.to_lowercase().contains("ptrace") {
        return skip("strace may not look into processes here");
    }
    assert!(output.status.success(), "{said}");
    assert_eq!(number(&path, "SELECT COUNT(*) FROM rater"), CHANGES as i64);
    let calls = std::fs::read_to_string(&calls).expect("what was called");
    let flushed = calls.lines().filter(|line| line.contains("study.db-wal>")).count();
    assert!(flushed >= CHANGES, "{flushed} flushes for {CHANGES} changes:\n{calls}");
}

/// As `o_32` of the database, through two servers of one study: nine raters for six seats.
#[test]
fn o_32_three_votes_an_item_when_more_raters_ask_at_once_than_there_are_seats() {
    let folder = fast_folder();
    let (template, racers, seats) = (folder.path().join("template.db"), 9, 6);
    let settings = Settings { votes: 3, ..Settings::default() };
    let project = Project::create(&template, &settings, Some(&no_practice())).expect("a project");
    project.add_items(&items(2)).expect("items");
    let tokens: Vec<String> = (0..racers)
        .map(|n| project.add_rater(&NewRater::new(format!("rater {n}"))).expect("a rater").token)
        .collect();
    drop(project);
    for repetition in 0..40 {
        let path = folder.path().join(format!("study-{repetition}.db"));
        std::fs::copy(&template, &path).expect("a copy");
        let servers = [(); 2].map(|()| serve_here(Project::open(&path).expect("the project")));
        let barrier = Barrier::new(racers);
        let stages: Vec<Value> = std::thread::scope(|scope| {
            let ask = |index: usize| {
                let (barrier, address) = (&barrier, servers[index % 2].address());
                let bearer = format!("Bearer {}", tokens[index]);
                scope.spawn(move || {
                    barrier.wait();
                    let headers = [("authorization", &*bearer)];
                    let reply = send(address, "POST", "/api/guideline", &headers, "{}");
                    assert_eq!(reply.status, 200, "{}", reply.text);
                    reply.json()["state"]["stage"].clone()
                })
            };
            let threads: Vec<_> = (0..racers).map(ask).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let count = |stage: &str| stages.iter().filter(|found| *found == stage).count();
        assert_eq!((count("item"), count("nothing")), (seats, racers - seats), "{repetition}");
        assert_eq!(number(&path, "SELECT COUNT(*) FROM seat WHERE state = 'open'"), seats as i64);
        assert_eq!(number(&path, "SELECT COUNT(*) FROM item WHERE taken = 3"), 2);
        servers[0].project().check().expect("right counts");
    }
}

#[test]
fn a_writer_beside_a_backup() {
    let Some(path) = std::env::var_os(DATABASE).map(PathBuf::from) else { return };
    let project = Project::open(&path).expect("the project");
    let begun = Instant::now();
    // It is killed; the limit is for the case that nobody is left to do that.
    while begun.elapsed() < Duration::from_secs(120) {
        project.add_rater(&NewRater::new("writes on and on")).expect("a rater");
    }
}

/// A process that is killed, at the latest when its test is over.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// SQLite's backup begins anew when another connection writes between two of its steps. Three
/// times, with two writers, so that no backup ends because writers had no turn on a busy machine.
#[test]
fn o_34_backups_end_while_other_processes_write_all_the_time() {
    let folder = fast_folder();
    let path = folder.path().join("study.db");
    let project = Project::create(&path, &Settings::default(), None).expect("a project");
    let long: Vec<Item> =
        items(4000).into_iter().map(|item| Item { response: "x".repeat(19_000), ..item }).collect();
    project.add_items(&long).expect("items");
    assert!(number(&path, "PRAGMA page_count") > 19_000, "many times what is copied in a step");
    let raters = || number(&path, "SELECT COUNT(*) FROM rater");
    let writers = [(); 2].map(|()| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args(["--exact", "stored::a_writer_beside_a_backup"])
            .env(DATABASE, &path)
            .stdout(Stdio::null());
        Writer(command.spawn().expect("a process"))
    });
    let begun = Instant::now();
    while raters() < 100 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the writers do not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let copies = ["first.db", "second.db", "third.db"].map(|name| folder.path().join(name));
    let (done, backups) = channel();
    let start = raters();
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            for copy in &copies {
                let before = raters();
                let result = project.backup(copy);
                // Nobody listens when it took too long.
                let _ = done.send((copy, before, result, raters()));
            }
        });
        let limit = Instant::now() + Duration::from_secs(60);
        let left = || limit.saturating_duration_since(Instant::now());
        let ended: Vec<_> =
            copies.iter().map_while(|_| backups.recv_timeout(left()).ok()).collect();
        // When nobody writes any more, a backup ends in any case.
        drop(writers);
        ended
    });
    let written = raters() - start;
    assert_eq!(ended.len(), 3, "backups within 60 s, in which {written} rows were written");
    for (copy, before, result, after) in ended {
        result.expect("a backup");
        // It holds one state of the study, between those before and after.
        let copied = number(copy, "SELECT COUNT(*) FROM rater");
        assert!((before..=after).contains(&copied), "{before} {copied} {after}");
        assert!(after > before, "nothing was written meanwhile");
        assert_eq!(number(copy, "SELECT COUNT(*) FROM audit WHERE what = 'rater added'"), copied);
        assert_eq!(number(copy, "SELECT COUNT(*) FROM item WHERE kind = 'rate'"), 4000);
        Project::open(copy).expect("a project").check().expect("sound");
    }
}
