//! A chat in Chromium, by keyboard, with axe-core's checks: see `tests/browser`.
//!
//! It needs `node`, `chromium` and `npm ci` in `crates/web-server/browser`; without them the test
//! says that it is skipped. `CHAT_PICTURES` names a folder for screenshots.

use crate::chromium::{Programs, programs};
use crate::client::{Served, options};
use chat_server::ServeOptions;
use serde_json::json;
use std::path::Path;
use std::process::Command;

#[test]
fn a_chat_in_chromium() {
    let Some(Programs { node, chromium }) = programs() else { return };
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept.jsonl");
    let served = Served::new(20);
    let guarded =
        ServeOptions { key: Some("a secret".into()), keep: Some(kept.clone()), ..options() };
    let guarded = Served::with(0, &guarded);
    let plan = json!({
        "url": served.server.url(), "guarded": guarded.server.url(), "key": "a secret",
        "name": crate::stub::NAME, "chromium": chromium,
        "pictures": std::env::var("CHAT_PICTURES").ok(),
    });
    let file = folder.path().join("plan.json");
    std::fs::write(&file, plan.to_string()).expect("a plan");
    let output =
        Command::new(node).arg(scripts.join("session.mjs")).arg(&file).output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    served.soon("a free model", |served| served.server.status().free == 1);
    let lines = std::fs::read_to_string(&kept).expect("a file");
    assert_eq!(lines.lines().count(), 2, "{lines}");
}
