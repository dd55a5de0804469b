//! What was acknowledged is on disk.

use crate::client::{Study, answer, items, no_practice, send};
use rating_server::{Names, Project, Settings};
use rating_server::{NewRater, ServeOptions, serve};
use rusqlite::{Connection, TransactionBehavior};
use serde_json::Value;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

#[test]
fn o_33_a_lock_makes_the_request_wait_and_then_says_try_again() {
    let study = Study::new(&Settings::default(), 2, 1);
    let token = &study.raters[0].token;
    let state = study.begin(token);
    let mut other = Connection::open(study.folder.path().join("study.db")).expect("the database");
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock");
    let given = answer(&state, "n", true);
    let begun = Instant::now();
    let refused = study.rater(token, "POST", "/api/answer", &given);
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(begun.elapsed() > Duration::from_secs(4));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| study.rater(token, "POST", "/api/answer", &given).status);
        std::thread::sleep(Duration::from_secs(1));
        drop(lock);
        assert_eq!(waiting.join().expect("no panic"), 200);
    });
}

#[test]
fn a_full_disk_is_an_error_for_the_rater_and_loses_nothing() {
    let study = Study::new(&Settings::default(), 40, 1);
    let token = &study.raters[0].token;
    let mut state = study.begin(token);
    study.server.project().limit_growth(0).expect("no room");
    let mut kept = 0;
    let mut refused = None;
    for index in 0..40 {
        let mut given = answer(&state, &format!("n{index}"), true);
        given["comment"] = "x".repeat(2000).into();
        let reply = study.rater(token, "POST", "/api/answer", &given);
        if reply.status == 507 {
            refused = Some(given);
            break;
        }
        assert_eq!(reply.status, 200, "{}", reply.text);
        state = reply.json()["state"].clone();
        kept += 1;
    }
    let refused = refused.expect("the disk was full at last");
    let votes = || study.server.project().status().expect("a status").votes;
    assert_eq!(votes(), kept);
    study.server.project().limit_growth(1000).expect("room again");
    // The page sends the same answer again.
    assert_eq!(study.rater(token, "POST", "/api/answer", &refused).status, 200);
    assert_eq!(votes(), kept + 1);
    study.server.project().check().expect("sound");
}

#[test]
fn stopping_in_order_keeps_everything() {
    let study = Study::new(&Settings::default(), 2, 1);
    let state = study.begin(&study.raters[0].token);
    study.rater(&study.raters[0].token, "POST", "/api/answer", &answer(&state, "n", true));
    let Study { server, folder, .. } = study;
    server.stop();
    let project = Project::open(&folder.path().join("study.db")).expect("the project");
    assert_eq!(project.study(Names::Own).expect("records").ratings.len(), 1);
}

/// Names the database of the server that [`a_server_to_be_killed`] runs, in a process of its own.
const DATABASE: &str = "RATING_TEST_DATABASE";

#[test]
fn a_server_to_be_killed() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let path = Path::new(&path);
    let mut options =
        ServeOptions { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServeOptions::default() };
    options.limits.rater_per_second = 1e6;
    options.limits.rater_burst = 1e6;
    let server = serve(Project::open(path).expect("the project"), &options).expect("a server");
    atomic_file::write(&path.with_extension("address"), server.address().to_string().as_bytes())
        .expect("a file");
    std::thread::sleep(Duration::from_secs(120));
}

/// A process that is killed, at the latest when its test is over.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(path: &Path) -> (Victim, SocketAddr) {
    let file = path.with_extension("address");
    let _ = std::fs::remove_file(&file);
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "durability::a_server_to_be_killed"])
        .env(DATABASE, path)
        .stdout(std::process::Stdio::null());
    let child = Victim(command.spawn().expect("a process"));
    let begun = Instant::now();
    loop {
        if let Ok(address) = std::fs::read_to_string(&file) {
            return (child, address.parse().expect("an address"));
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the server does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Answers until the server is gone; the places whose answers were acknowledged.
fn answer_until_killed(address: SocketAddr, token: &str, round: usize) -> Vec<i64> {
    let bearer = format!("Bearer {token}");
    let ask = |method: &str, path: &str, body: &str| {
        let ask = || send(address, method, path, &[("authorization", &bearer)], body);
        // A refused or broken connection panics in `send`: the server was killed.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).ok()
    };
    let mut kept = Vec::new();
    let Some(reply) = ask("POST", "/api/guideline", "{}") else { return kept };
    let mut state: Value = reply.json()["state"].clone();
    while state["stage"] == "item" {
        let nonce = format!("{round}-{}", state["place"]);
        let Some(reply) = ask("POST", "/api/answer", &answer(&state, &nonce, true).to_string())
        else {
            break;
        };
        assert_eq!(reply.status, 200, "{}", reply.text);
        kept.push(state["place"].as_i64().expect("a place"));
        state = reply.json()["state"].clone();
    }
    kept
}

#[test]
fn killed_under_load_it_loses_no_acknowledged_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.db");
    let settings = Settings { votes: 9, ..Settings::default() };
    let project = Project::create(&path, &settings, Some(&no_practice())).expect("a project");
    project.add_items(&items(3000)).expect("items");
    let raters: Vec<_> =
        (0..8).map(|_| project.add_rater(&NewRater::new("killed")).expect("a rater")).collect();
    drop(project);
    let mut acknowledged = HashSet::new();
    for round in 0..3 {
        let (child, address) = start(&path);
        std::thread::scope(|scope| {
            let threads: Vec<_> = raters
                .iter()
                .map(|rater| {
                    (rater, scope.spawn(move || answer_until_killed(address, &rater.token, round)))
                })
                .collect();
            std::thread::sleep(Duration::from_millis(1200));
            drop(child); // SIGKILL
            for (rater, thread) in threads {
                let places = thread.join().expect("no panic");
                acknowledged.extend(places.into_iter().map(|place| (rater.rater.clone(), place)));
            }
        });
        let project = Project::open(&path).expect("the project");
        project.check().expect("right counts");
        let ratings = project.study(Names::Own).expect("records").ratings;
        let kept: HashSet<(String, i64)> = ratings
            .iter()
            .map(|r| (r.rater.clone(), i64::from(r.position.expect("a place")) + 1))
            .collect();
        assert_eq!(kept.len(), ratings.len(), "none is doubled");
        assert!(acknowledged.is_subset(&kept), "{:?}", acknowledged.difference(&kept));
        // At most the answer on its way was kept without its rater hearing of it.
        assert!(kept.len() <= acknowledged.len() + raters.len() * (round + 1));
    }
    assert!(acknowledged.len() > 100, "{} answers are no load", acknowledged.len());
}

#[cfg(unix)]
#[test]
fn nobody_else_on_the_machine_reads_a_study() {
    use std::os::unix::fs::PermissionsExt;
    let study = Study::new(&Settings::default(), 1, 1);
    let copy = study.folder.path().join("copy.db");
    study.server.project().backup(&copy).expect("a copy");
    for path in
        [copy, study.folder.path().join("study.db"), study.folder.path().join("study.db-wal")]
    {
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
}
