//! What was acknowledged is on disk.

use crate::client::{Study, answer};
use rating_server::{Names, Project, Settings};
use rusqlite::{Connection, TransactionBehavior};
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
