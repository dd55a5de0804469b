//! Conversations with a system, and rating them.

use crate::client::Study;
use rating_server::{Endpoint, Names, NewRater, Settings};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

fn settings() -> Settings {
    Settings { votes: 1, chat_turns_min: 4, chat_turns_max: 6, ..Settings::default() }
}

fn say(study: &Study, token: &str, turn: usize, text: &str) -> Value {
    let reply = study.rater(token, "POST", "/api/chat/say", &json!({ "turn": turn, "text": text }));
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

#[test]
fn a_conversation_becomes_items_that_others_rate() {
    let study = Study::new(&settings(), 0, 1);
    let project = study.server.project();
    project.offer_chats("secret-system-one", &Endpoint::GenericBot, 1).expect("a partner");
    let talker = NewRater { label: "talker".into(), rates: true, chats: 2 };
    let talker = project.add_rater(&talker).expect("a rater").token;
    let state = study.begin(&talker);
    assert_eq!((state["stage"].as_str(), state["opening"].as_str()), (Some("chat"), Some("Hi!")));
    let ended = study.rater(&talker, "POST", "/api/chat/end", &json!({}));
    assert_eq!(ended.status, 422, "too short to end");
    let first = say(&study, &talker, 0, "something else");
    assert_eq!(first["state"]["turns"], json!(["Hi!", "ok"]), "it opens with Hi!");
    let again = say(&study, &talker, 0, "Hi!");
    assert_eq!(again["state"]["turns"], first["state"]["turns"], "sent twice, said once");
    let text = "<img src=x onerror=alert(1)> &lt;b&gt; hi<|endoftext|>bye?";
    let second = say(&study, &talker, 2, text);
    assert_eq!(second["state"]["turns"][2], text, "text is text");
    assert_eq!(second["state"]["turns"][3], "I don't know");
    let wrong =
        study.rater(&talker, "POST", "/api/chat/say", &json!({ "turn": 2, "text": "other" }));
    assert_eq!(wrong.status, 409);
    let ended = study.rater(&talker, "POST", "/api/chat/end", &json!({})).json();
    // The system has its one conversation, and nobody rates their own.
    assert_eq!(ended["state"]["stage"], "nothing");
    let state = study.begin(&study.raters[0].token);
    assert_eq!(state["kind"], "rate");
    assert!(!state.to_string().contains("secret-system"));
    let records = project.study(Names::Own).expect("records");
    assert_eq!(records.items.len(), 2);
    assert_eq!(records.items[1].turn, 3);
    assert_eq!(records.items[1].context[2].text, text);
    assert_eq!(records.items[1].system, "secret-system-one");
}

#[test]
fn the_last_turn_ends_the_conversation() {
    let study = Study::new(&settings(), 0, 0);
    let project = study.server.project();
    project.offer_chats("bot", &Endpoint::GenericBot, 5).expect("a partner");
    let talker = NewRater { label: "Tal".to_owned(), rates: false, chats: 1 };
    let talker = project.add_rater(&talker).expect("a rater").token;
    study.begin(&talker);
    say(&study, &talker, 0, "Hi!");
    say(&study, &talker, 2, "One");
    let last = say(&study, &talker, 4, "Two");
    assert_eq!(last["state"]["stage"], "nothing");
    assert_eq!(project.study(Names::Own).expect("records").items.len(), 3);
}

/// A server that answers `count` requests with the given bodies, and gives back what it was asked.
fn stub(answers: Vec<(u16, String)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().expect("a request");
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).expect("bytes");
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let length = text
                    .to_lowercase()
                    .split("content-length: ")
                    .nth(1)
                    .and_then(|rest| rest.split('\r').next()?.parse::<usize>().ok());
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
                if read == 0 || body >= length && length.is_some() {
                    asked.push(text);
                    break;
                }
            }
            let reply = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(reply.as_bytes()).expect("sent");
        }
        asked
    });
    (url, thread)
}

#[test]
fn a_partner_over_http_may_fail_and_is_asked_again() {
    let study = Study::new(&settings(), 0, 0);
    let completion =
        json!({ "choices": [{ "message": { "role": "assistant", "content": " Hello! " } }] });
    let (url, thread) =
        stub(vec![(500, "{}".into()), (200, "no JSON".into()), (200, completion.to_string())]);
    let endpoint = Endpoint::OpenAi { url, model: "m".into(), key_variable: None };
    let project = study.server.project();
    project.offer_chats("web", &endpoint, 1).expect("a partner");
    let talker = NewRater { label: "Tal".to_owned(), rates: false, chats: 1 };
    let talker = project.add_rater(&talker).expect("a rater").token;
    study.begin(&talker);
    for _ in 0..2 {
        let failed = say(&study, &talker, 0, "Hi!");
        assert_eq!((&failed["failed"], &failed["state"]["turns"]), (&json!(true), &json!(["Hi!"])));
    }
    let answered = say(&study, &talker, 0, "Hi!");
    assert_eq!(answered["failed"], false);
    assert_eq!(answered["state"]["turns"], json!(["Hi!", "Hello!"]));
    let asked = thread.join().expect("no panic");
    assert!(asked[2].starts_with("POST /v1/chat/completions"));
    assert!(asked[2].contains(r#""role":"user""#) && asked[2].contains(r#""model":"m""#));
}
