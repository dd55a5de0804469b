//! Items without a majority: which are listed, what is decided on them, and what that changes.

use crate::client::{Study, answer};
use rating_server::{Names, Project, Settings, Which};
use rusqlite::Connection;
use serde_json::{Value, json};

fn three() -> Settings {
    Settings { votes: 3, ..Settings::default() }
}

/// Each rater's answer about the one item; `None` skips.
fn rate(study: &Study, answers: &[Option<(bool, bool)>]) {
    for (rater, given) in study.raters.iter().zip(answers) {
        let state = study.begin(&rater.token);
        let body = match given {
            None => json!({ "place": state["place"], "nonce": "n", "skip": "language" }),
            Some((sensible, specific)) => {
                let mut body = answer(&state, "n", *sensible);
                if *sensible {
                    body["specific"] = json!(specific);
                }
                body
            }
        };
        let reply = study.rater(&rater.token, "POST", "/api/answer", &body);
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
}

fn key_on(page: &str) -> String {
    let key = page.split("name=\"item\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    key.unwrap_or_else(|| panic!("no item on the page: {page}")).to_owned()
}

#[test]
fn skipped_items_are_decided_shown_both_ways_and_taken_back() {
    let study = Study::new(&three(), 1, 3);
    rate(&study, &[None, Some((true, true)), Some((false, false))]);
    let cookie = study.log_in();
    let key = key_on(&study.admin(&cookie, "/admin/undecided").text);
    let fields = format!("item={key}&label=sensible&note=%3Cb%3Eclear&by=Kim");
    assert_eq!(study.form(&cookie, "/admin/undecided", &fields).status, 303);
    let page = study.admin(&cookie, "/admin/undecided").text;
    assert!(page.contains("There are none.") && page.contains("&lt;b&gt;clear"), "{page}");

    let project = study.server.project();
    let records = project.study(Names::Own).expect("records");
    assert_eq!(records.outcomes()[0].label, None, "a decision is no vote");
    let made = &records.adjudications[0];
    assert_eq!((&*made.by, &*made.item), ("Kim", "secret-system-one-0"));
    let results = study.admin(&cookie, "/admin/results").text;
    assert!(results.contains("SSA with decisions") && results.contains("50.0 %"), "{results}");
    assert!(!results.contains("secret-system"), "still blind");
    let export = study.admin(&cookie, "/admin/export/adjudications.jsonl").text;
    let line: Value = serde_json::from_str(&export).expect("a line");
    assert_eq!((line["by"].as_str(), line["item"].as_str()), (Some("Kim"), Some(&*key)));
    let labels = study.admin(&cookie, "/admin/export/labels.jsonl").text;
    assert!(labels.contains("\"decided_by\":\"adjudication\""), "{labels}");

    // A rater cannot change an answer that was decided on, until the decision is taken back.
    let token = &study.raters[1].token;
    let before = study.rater(token, "GET", "/api/before/99", &Value::Null);
    assert_eq!(before.status, 404, "{}", before.text);
    let fields = format!("item={key}&label=withdraw");
    assert_eq!(study.form(&cookie, "/admin/undecided", &fields).status, 303);
    assert_eq!(study.form(&cookie, "/admin/undecided", &fields).status, 404, "there is none");
    assert_eq!(study.rater(token, "GET", "/api/before/99", &Value::Null).status, 200);
    assert!(!study.admin(&cookie, "/admin/results").text.contains("SSA with decisions"));
    let log = project.audit(10).expect("a log");
    assert!(log.iter().any(|entry| entry.what == "decision withdrawn"));
}

#[test]
fn an_item_whose_sense_alone_is_decided_is_undecided() {
    // Two of three find sense; of specificity there is one yes and one no. No label follows.
    let study = Study::new(&three(), 1, 3);
    rate(&study, &[Some((true, true)), Some((true, false)), None]);
    let list = study.server.project().undecided(Which::Settled, 10).expect("a list");
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].votes.sensible.yes, list[0].votes.specific.yes), (2, 1));
}

#[test]
fn items_of_raters_who_stopped_are_listed_when_asked_for() {
    let study = Study::new(&three(), 1, 2);
    rate(&study, &[Some((true, true)), Some((false, false))]);
    let project = study.server.project();
    assert_eq!(project.undecided(Which::Settled, 10).expect("a list"), []);
    let list = project.undecided(Which::All, 10).expect("a list");
    assert_eq!(list.len(), 1);
    let cookie = study.log_in();
    assert!(study.admin(&cookie, "/admin/undecided").text.contains("There are none."));
    key_on(&study.admin(&cookie, "/admin/undecided?all=yes").text);
}

#[test]
fn what_votes_decide_is_not_decided_again() {
    let study = Study::new(&three(), 1, 2);
    rate(&study, &[Some((true, true)), Some((true, true))]);
    let cookie = study.log_in();
    let items = study.admin(&cookie, "/admin/export/items.jsonl").text;
    let item: Value = serde_json::from_str(&items).expect("a line");
    let fields = format!("item={}&label=specific&by=&note=", item["id"].as_str().expect("an id"));
    let refused = study.form(&cookie, "/admin/undecided", &fields);
    assert_eq!((refused.status, refused.text.contains("decide it already")), (422, true));
    let fields = "item=nothing&label=specific";
    assert_eq!(study.form(&cookie, "/admin/undecided", fields).status, 404);
    let long = format!("item=x&label=specific&by={}", "x".repeat(200));
    assert!(matches!(study.form(&cookie, "/admin/undecided", &long).status, 404 | 422));
}

#[test]
fn decisions_of_older_projects_are_the_researchers() {
    let study = Study::new(&three(), 1, 3);
    rate(&study, &[None, Some((true, true)), Some((false, false))]);
    let key = study.server.project().undecided(Which::Settled, 1).expect("one")[0].key.clone();
    let Study { server, folder, .. } = study;
    server.stop();
    let path = folder.path().join("study.db");
    let db = Connection::open(&path).expect("the database");
    db.execute_batch(&format!(
        "ALTER TABLE adjudicated DROP COLUMN decided_by; PRAGMA user_version = 2;
         INSERT INTO adjudicated (item, sensible, specific, note, made_at)
         SELECT id, 1, 0, 'old', 7 FROM item WHERE key = '{key}';"
    ))
    .expect("a project of version 2");
    drop(db);
    let project = Project::open(&path).expect("brought up to date");
    let made = project.adjudications(Names::Own).expect("one");
    assert_eq!((&*made[0].by, made[0].made_at), ("researcher", Some(7)));

    // What is exported can be imported elsewhere.
    let other = Project::create(&folder.path().join("b.db"), &three(), None).expect("new");
    let records = project.study(Names::Own).expect("records");
    assert!(other.add_adjudications(&records.adjudications).is_err(), "no such item");
    other.add_items(&records.items).expect("items");
    other.add_adjudications(&records.adjudications).expect("decisions");
    assert_eq!(other.adjudications(Names::Own).expect("one"), made);
}
