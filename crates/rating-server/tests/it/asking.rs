//! Chatbots that are asked for responses while they are busy, break off, or say nothing.

use eval_ssa::Context;
use rating_server::{Asking, Endpoint, Error, Names, Project, Settings};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// Serves these bytes, one request a connection, and then nothing more; what it was asked.
fn stub(replies: Vec<String>) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        for reply in replies {
            let mut reader = BufReader::new(listener.accept().expect("a request").0);
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            heard.lock().expect("asked").push(serde_json::from_slice(&body).expect("JSON"));
            reader.get_mut().write_all(reply.as_bytes()).expect("sent");
        }
    });
    (url, asked)
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn says(text: &str) -> String {
    reply("200 OK", "", &json!({ "reply": text }).to_string())
}

fn contexts(ids: &[&str]) -> Vec<Context> {
    let line = |id: &&str| json!({ "id": id, "turns": [format!("{id}?")] }).to_string() + "\n";
    Context::parse(&ids.iter().map(line).collect::<String>()).expect("contexts")
}

/// A study, a stub, and a call of `ask` for the contexts.
fn ask(
    project: &Project,
    url: &str,
    contexts: &[Context],
) -> (rating_server::Result<rating_server::Asked>, Vec<(String, u64)>) {
    let mut waits = Vec::new();
    let endpoint = Endpoint::Http { url: url.to_owned() };
    let asked = project.ask("bot", &endpoint, contexts, None, &mut |asking| {
        if let Asking::Waits { why, wait } = asking {
            waits.push((why.to_owned(), wait.as_secs()));
        }
    });
    (asked, waits)
}

fn project() -> (tempfile::TempDir, Project) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.db");
    let project = Project::create(&path, &Settings::default(), None).expect("new");
    (folder, project)
}

#[test]
fn a_busy_chatbot_is_waited_for_and_no_response_is_lost_or_doubled() {
    let (_folder, project) = project();
    let contexts = contexts(&["one", "two", "three"]);
    let (url, asked) = stub(vec![
        reply("429 Too Many Requests", "Retry-After: 2\r\n", "slower, please"),
        says("1"),
        // A connection that is closed without an answer, one in the middle of it, and a restart.
        String::new(),
        "HTTP/1.1 200 OK\r\ncontent-length: 90\r\nconnection: close\r\n\r\n{\"reply\"".into(),
        reply("503 Service Unavailable", "Retry-After: 0\r\n", ""),
        says("2"),
        says("3"),
    ]);
    let (done, waits) = ask(&project, &url, &contexts);
    assert_eq!(done.expect("all three").new, 3);
    let seconds: Vec<u64> = waits.iter().map(|(_, seconds)| *seconds).collect();
    assert_eq!(seconds, [2, 1, 2, 4], "{waits:?}");
    assert_eq!(waits[0].0, "429 Too Many Requests: slower, please");
    let study = project.study(Names::Own).expect("records");
    let responses: Vec<&str> = study.items.iter().map(|item| item.response.as_str()).collect();
    assert_eq!(responses, ["1", "2", "3"]);
    let asked = asked.lock().expect("asked");
    let turns: Vec<&Value> = asked.iter().map(|body| &body["turns"][0]).collect();
    assert_eq!(turns, ["one?", "one?", "two?", "two?", "two?", "two?", "three?"]);
}

#[test]
fn what_waiting_does_not_mend_ends_at_once_and_goes_on_later() {
    let (_folder, project) = project();
    let contexts = contexts(&["one", "two"]);
    let (url, _) = stub(vec![
        says("1"),
        reply("429 Too Many Requests", "Retry-After: 86400\r\n", "tomorrow"),
        reply("401 Unauthorized", "", "no such key"),
        says("2"),
    ]);
    let (limited, waits) = ask(&project, &url, &contexts);
    let said = limited.expect_err("no day is waited for").to_string();
    assert!(waits.is_empty() && said.contains("wait for 86400 s"), "{said}");
    assert!(said.contains("again later") && said.contains("\"two\""), "{said}");
    let said = ask(&project, &url, &contexts).0.expect_err("no key").to_string();
    assert!(said.contains("401 Unauthorized: no such key"), "{said}");
    assert_eq!(ask(&project, &url, &contexts).0.expect("the second").new, 1);
    // Where nobody has ever answered, the address may be wrong.
    let nobody = ask(&project, "http://127.0.0.1:9/", &self::contexts(&["three"]));
    assert!(matches!(nobody.0, Err(Error::Chat(_))) && nobody.1.is_empty());
}

#[test]
fn what_is_no_reply_is_not_shown_to_raters() {
    let (_folder, project) = project();
    let (html, json) =
        ("Content-Type: text/html; charset=utf-8\r\n", "Content-Type: application/json\r\n");
    for (answer, fault) in [
        (reply("200 OK", html, "<html>log in</html>"), "web page"),
        (reply("200 OK", json, "\"hello\""), "`reply`"),
    ] {
        let (url, _) = stub(vec![answer]);
        let said = ask(&project, &url, &contexts(&["one"])).0.expect_err(fault).to_string();
        assert!(said.contains(fault), "{said}");
    }
    let (url, _) = stub(vec![says("1")]);
    assert_eq!(ask(&project, &url, &contexts(&["one"])).0.expect("nothing was kept").new, 1);
}

#[test]
fn a_chatbot_that_says_nothing_does_not_hold_up_the_others() {
    let (_folder, project) = project();
    let contexts = contexts(&["one", "two", "three"]);
    let (url, _) = stub(vec![says("1"), says(" \n"), says("3"), says("2")]);
    let asked = ask(&project, &url, &contexts).0.expect("two answers");
    assert_eq!((asked.new, asked.empty), (2, vec!["two".to_owned()]));
    let asked = ask(&project, &url, &contexts).0.expect("the third");
    assert_eq!((asked.new, asked.empty.len()), (1, 0));
}

/// What servers of OpenAI's shape put beside a reply is not shown to raters, and counted.
#[test]
fn replies_are_taken_out_of_a_completion_as_people_would_read_them() {
    let (_folder, project) = project();
    let choice = |index: u64, content: Value, finish: &str| {
        let message = json!({ "content": content });
        json!({ "index": index, "message": message, "finish_reason": finish })
    };
    let parts = json!([{ "type": "text", "text": "in " }, { "type": "text", "text": "parts" }]);
    let bodies = [
        json!([choice(1, "second".into(), "stop"), choice(0, "first".into(), "stop")]),
        json!([choice(0, parts, "length")]),
        json!([choice(0, "<think>What do I say?</think>\n\nYes.".into(), "stop")]),
        json!([choice(0, "\u{200b}".into(), "stop")]),
        json!([]),
        json!([choice(0, "She said</think>I will".into(), "content_filter")]),
    ];
    let replies = bodies.map(|all| reply("200 OK", "", &json!({ "choices": all }).to_string()));
    let (url, _) = stub(replies.to_vec());
    let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
    let contexts = contexts(&["a", "b", "c", "d", "e", "z"]);
    let asked = project.ask("bot", &endpoint, &contexts, None, &mut |_| ()).expect("four");
    assert_eq!((asked.new, asked.cut, asked.filtered, asked.had_thoughts), (4, 1, 1, 2));
    assert_eq!(asked.empty, ["d", "e"]);
    let study = project.study(Names::Own).expect("records");
    let responses: Vec<&str> = study.items.iter().map(|item| item.response.as_str()).collect();
    assert_eq!(responses, ["first", "in parts", "Yes.", "I will"]);
    // What went wrong may come as an answer, with or without a list of choices.
    let error = json!({ "message": "the model is not loaded" });
    let empty = json!([choice(0, Value::Null, "error")]);
    for body in [
        json!({ "error": error }),
        json!({ "choices": [], "error": error }),
        json!({ "choices": empty, "error": error }),
    ] {
        let (url, _) = stub(vec![reply("200 OK", "", &body.to_string())]);
        let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
        let said =
            project.ask("other", &endpoint, &contexts, None, &mut |_| ()).expect_err("an error");
        assert!(said.to_string().contains("the model is not loaded"), "{said}");
    }
    let elsewhere = reply("308 Permanent Redirect", "Location: http://x.example/v2\r\n", "");
    let (url, _) = stub(vec![elsewhere]);
    let said = ask(&project, &url, &self::contexts(&["f"])).0.expect_err("moved").to_string();
    assert!(said.contains("sends on to http://x.example/v2"), "{said}");
}

/// Templates of many chat models take no conversation that the user does not begin.
#[test]
fn a_context_that_begins_with_the_systems_turn_has_a_way_out() {
    let (_folder, project) = project();
    let line = json!({ "id": "two", "turns": ["Do you ski?", "Yes."] }).to_string();
    let contexts = Context::parse(&line).expect("a context");
    let roles = r#"{"message": "Conversation roles must alternate user/assistant/..."}"#;
    // Some servers say so by a status that stands for trouble of their own.
    for status in ["400 Bad Request", "500 Internal Server Error"] {
        let (url, _) = stub(vec![reply(status, "", roles)]);
        let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
        let mut waits = 0;
        let asked = project.ask("bot", &endpoint, &contexts, None, &mut |_| waits += 1);
        let said = asked.expect_err("refused").to_string();
        assert!(said.contains("roles must alternate") && said.contains("--opening"), "{said}");
        assert_eq!(waits, 0);
    }
    // What has another cause, or cannot be its cause, is not explained so.
    let (url, _) = stub(vec![reply("401 Unauthorized", "", "no key")]);
    let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
    let said = project.ask("bot", &endpoint, &contexts, None, &mut |_| ()).expect_err("no key");
    assert!(!said.to_string().contains("--opening"), "{said}");
    let (url, _) = stub(vec![reply("400 Bad Request", "", "too long")]);
    let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
    let one = self::contexts(&["one"]);
    let said = project.ask("bot", &endpoint, &one, None, &mut |_| ()).expect_err("too long");
    assert!(!said.to_string().contains("--opening"), "{said}");

    let body = json!({ "choices": [{ "message": { "content": "ok" } }] }).to_string();
    let (url, asked) = stub(vec![reply("200 OK", "", &body), reply("200 OK", "", &body)]);
    let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
    let both = [contexts, one].concat();
    let done = project.ask("bot", &endpoint, &both, Some("Hi!"), &mut |_| ()).expect("both");
    assert_eq!(done.new, 2);
    let heard = asked.lock().expect("asked");
    let sent = |at: usize| -> Vec<String> {
        let messages = heard[at]["messages"].as_array().expect("messages");
        messages.iter().map(|m| format!("{} {}", m["role"], m["content"])).collect()
    };
    let two = [r#""user" "Hi!""#, r#""assistant" "Do you ski?""#, r#""user" "Yes.""#];
    assert_eq!(
        (sent(0), sent(1)),
        (two.map(str::to_owned).to_vec(), vec![r#""user" "one?""#.into()])
    );
    // Raters see the context as it is.
    let study = project.study(Names::Own).expect("records");
    assert_eq!(study.items[0].context.len(), 2);
    assert!(project.ask("bot", &endpoint, &both, Some(" "), &mut |_| ()).is_err());
}

#[test]
fn a_judge_is_waited_for_and_may_say_nothing() {
    let (_folder, project) = project();
    let (url, _) = stub(vec![says("1"), says("2")]);
    ask(&project, &url, &contexts(&["one", "two"])).0.expect("two responses");
    let says = |text: Value| {
        let body = json!({ "choices": [{ "message": { "content": text } }] }).to_string();
        reply("200 OK", "", &body)
    };
    let (url, _) = stub(vec![
        reply("429 Too Many Requests", "Retry-After: 1\r\n", ""),
        says(Value::Null),
        says("Sensible and specific".into()),
    ]);
    let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
    let mut waits = 0;
    let judged = project.judge("judge", &endpoint, &mut |asking| {
        waits += usize::from(matches!(asking, Asking::Waits { .. }));
    });
    let judged = judged.expect("both");
    assert_eq!((judged.judged, judged.unread, waits), (1, 1, 1));
    assert_eq!(judged.example.as_deref(), Some(""));
    let labels: Vec<bool> = project
        .study(Names::Own)
        .expect("records")
        .judgments
        .iter()
        .map(|judgment| judgment.label.is_some())
        .collect();
    assert_eq!(labels.iter().filter(|read| **read).count(), 1, "{labels:?}");
    // What could not be read is asked for again, and nothing else.
    let (url, _) = stub(vec![says("In short: not sensible.".into())]);
    let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
    let judged = project.judge("judge", &endpoint, &mut |_| ()).expect("the other");
    assert_eq!((judged.judged, judged.unread), (1, 0));
    let judgments = project.study(Names::Own).expect("records").judgments;
    assert!(judgments.len() == 2 && judgments.iter().all(|judgment| judgment.label.is_some()));
}
