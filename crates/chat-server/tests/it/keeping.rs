//! What is kept of a chat: nothing, unless a file is named.

use crate::client::{Served, completion, options};
use chat_server::{ServeOptions, serve};
use eval_ssa::{Item, Mode};
use serde_json::json;
use std::path::Path;

/// Writes a file that its owner alone may read.
fn own(file: &Path, text: &str) {
    std::fs::write(file, text).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let owner = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(file, owner).expect("its owner's");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kept.jsonl");
    for mode in [0o644, 0o620, 0o604] {
        own(&file, "");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode");
        let options = ServeOptions { keep: Some(file.clone()), ..options() };
        let refused = serve(vec![crate::stub::Stub::default().maker()], &options);
        let error = refused.err().expect("refused").to_string();
        assert!(error.contains("kept.jsonl") && error.contains("chmod 600"), "{error}");
    }
}

#[test]
fn what_is_said_is_kept_as_items_where_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kept.jsonl");
    // A process that was killed left half a line.
    own(&file, "{\"id\": \"ha");
    let leave_out_system = true;
    let keep = Some(file.clone());
    let served = Served::with(0, &ServeOptions { keep, leave_out_system, ..options() });
    assert_eq!(served.get("/api/about").json()["kept"], true);
    let body =
        json!({ "turns": ["Hi", "Hello", "How\nare you?"], "conversation": "c-1", "seed": 7 });
    served.post("/api/chat", &body);
    served.complete("a b", &json!({ "n": 2, "stream": true }));
    // Who said what is told by the roles, not by the order.
    let message = |role: &str, text: &str| json!({ "role": role, "content": text });
    let messages = [
        message("system", "Be kind."),
        message("assistant", "Hello!"),
        message("user", "Hi"),
        message("user", "Are you there?"),
    ];
    served.complete("", &json!({ "messages": messages }));
    let named = json!({ "conversation": "c-1", "top_k": -1, "max_tokens": 5.0, "seed": 1.0 });
    served.complete("a b", &named);
    // What is no name of a conversation is something else of OpenAI's clients, and ignored.
    let others = [json!({ "id": "x" }), json!("a b"), json!("a@b"), json!("x".repeat(65))];
    for other in &others {
        let reply = served.complete("a b", &json!({ "conversation": other }));
        assert_eq!(reply.status, 200, "{other}");
    }
    served.complete("an awful word", &json!({}));
    served.complete("fail", &json!({}));
    let text = std::fs::read_to_string(&file).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4 + others.len(), "{text}");
    let fourth = serde_json::from_str::<Item>(lines[3]).expect("an item");
    assert_eq!((&*fourth.conversation, fourth.seed), ("c-1", Some(1)));
    let item = |line: &str| -> Item { serde_json::from_str(line).expect("an item") };
    assert!(lines[4..].iter().map(|line| item(line)).all(|item| item.conversation == item.id));
    let (first, second) = (item(lines[0]), item(lines[1]));
    assert_eq!((first.mode, &*first.conversation, first.turn), (Mode::Interactive, "c-1", 3));
    assert_eq!((&*first.response, first.seed), ("How\nare you?", Some(7)));
    let speakers: Vec<&str> = first.context.iter().map(|turn| turn.speaker.as_str()).collect();
    assert_eq!(speakers, ["A", "B", "A"]);
    let by_role = item(lines[2]).context;
    let said: Vec<(&str, &str)> = by_role.iter().map(|t| (&*t.speaker, &*t.text)).collect();
    assert_eq!(said, [("B", "Hello!"), ("A", "Hi"), ("A", "Are you there?")]);
    assert_eq!(first.likelihood.expect("a score").nll, 0.5 * 2.0);
    assert_eq!(second.conversation, second.id);
    assert_ne!(first.id, second.id);
    drop(served);

    // A reply that nobody heard is not kept.
    let kept = folder.path().join("other.jsonl");
    let served = Served::with(20, &ServeOptions { keep: Some(kept.clone()), ..options() });
    let reading = served.read_until(
        "/v1/chat/completions",
        &completion("count", &json!({ "stream": true })),
        "2 ",
    );
    drop(reading);
    served.soon("a free model", |served| served.server.status().free == 1);
    assert_eq!(std::fs::read_to_string(&kept).expect("a file"), "");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&kept).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn nothing_is_kept_otherwise() {
    let served = Served::new(0);
    served.complete("hello", &json!({}));
    assert_eq!(served.get("/api/about").json()["kept"], false);
}
