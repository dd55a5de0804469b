//! Whole sessions in Chromium, by keyboard, with axe-core's checks: see `tests/browser`.
//!
//! They need `node`, `chromium` and `npm ci` in `crates/web-server/browser`; without them
//! the test says that it is skipped. `RATING_PICTURES` names a folder for screenshots.

use crate::chromium::{Programs, programs};
use crate::client::{PASSWORD, items, no_practice};
use eval_ssa::{Guideline, Pair, Turn};
use rating_server::{Endpoint, NewRater, Project, ServeOptions, Settings, serve};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

#[test]
fn whole_sessions_in_chromium() {
    let Some(Programs { node, chromium }) = programs() else { return };
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        name: "Replies & <friends>".into(),
        chat_turns_min: 4,
        chat_turns_max: 8,
        ..Settings::default()
    };
    let path = folder.path().join("study.db");
    let project = Project::create(&path, &settings, None).expect("a project");
    project.add_items(&items(8)).expect("items");
    project.set_password(PASSWORD).expect("a password");
    let add = |new: NewRater| project.add_rater(&new).expect("a rater").token;
    let mut tokens: Vec<String> =
        (0..3).map(|n| add(NewRater::new(format!("rater {n}")))).collect();
    tokens.push(add(NewRater { label: "<i>talker</i>".into(), rates: true, chats: 1 }));
    project.offer_chats("secret-system-one", &Endpoint::GenericBot, 1).expect("a partner");
    let mut options =
        ServeOptions { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServeOptions::default() };
    options.limits.rater_per_second = 1e6;
    options.limits.rater_burst = 1e6;
    let server = serve(project, &options).expect("a server");
    // A study of its own: each rater's order is drawn, and the session above is about items.
    let project = Project::create(&folder.path().join("pairs.db"), &settings, Some(&no_practice()))
        .expect("a project");
    let pair = Pair {
        id: "pair".into(),
        conversation: "pair".into(),
        context: vec![Turn::new("A", "What did you have for dinner?")],
        systems: ["secret-system-one".into(), "secret-system-two".into()],
        responses: ["Soup with dumplings.".into(), "ok".into()],
    };
    project.add_pairs(&[pair]).expect("a pair");
    let token = project.add_rater(&NewRater::new("rater")).expect("a rater").token;
    let pairs = serve(project, &options).expect("a server");
    let plan = json!({
        "url": server.url(), "tokens": tokens, "password": PASSWORD, "chromium": chromium,
        "practice": Guideline::english().practice.len(),
        "pairs": format!("{}/r/{token}", pairs.url()),
        "pictures": std::env::var("RATING_PICTURES").ok(),
    });
    let file = folder.path().join("plan.json");
    std::fs::write(&file, plan.to_string()).expect("a plan");
    let output =
        Command::new(node).arg(scripts.join("session.mjs")).arg(&file).output().expect("node runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(pairs.project().status().expect("a status").votes, 1);
    server.project().check().expect("right counts");
}
