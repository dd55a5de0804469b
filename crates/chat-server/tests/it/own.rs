//! The API of our own.

use crate::client::Served;
use crate::stub::NAME;
use serde_json::{Value, json};

/// The events of a stream, with their data read.
fn told(served: &Served, body: &Value) -> Vec<(String, Value)> {
    let events = served.post("/api/chat", body).events();
    let read = |data: &str| serde_json::from_str(data).unwrap_or_else(|_| panic!("{data}"));
    events.into_iter().map(|(name, data)| (name, read(&data))).collect()
}

#[test]
fn a_single_reply_comes_in_pieces() {
    let served = Served::new(0);
    let about = served.get("/api/about").json();
    assert_eq!((&about["name"], &about["kept"]), (&json!(NAME), &json!(false)));
    assert_eq!(about["limits"]["characters"], 4000);
    let told = told(&served, &json!({ "turns": ["ok 🐙! 來 here"], "stream": true, "seed": 5 }));
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["start", "begin", "piece", "piece", "piece", "piece", "done"]);
    assert_eq!((&told[0].1["seed"], &told[0].1["waiting"]), (&json!(5), &json!(0)));
    let pieces: Vec<&str> = told.iter().filter_map(|(_, data)| data["text"].as_str()).collect();
    assert_eq!(pieces, ["ok ", "🐙! ", "來 ", "here"]);
    let done = &told[6].1;
    assert_eq!((&done["reply"], &done["finish"]), (&json!("ok 🐙! 來 here"), &json!("end")));
    assert_eq!(done["candidates"][0]["score"], -0.5);
    // The whole is the same, but for its name.
    let whole = served.post("/api/chat", &json!({ "turns": ["ok 🐙! 來 here"], "seed": 5 })).json();
    assert_ne!(whole["id"], done["id"]);
    for key in ["reply", "finish", "candidates", "read", "seed"] {
        assert_eq!(whole[key], done[key], "{key}");
    }
}

#[test]
fn of_several_candidates_the_best_is_given_and_all_are_shown() {
    let served = Served::new(0);
    let body = json!({ "turns": ["a b c"], "candidates": 3, "stream": true });
    let told = told(&served, &body);
    let pieces: Vec<&Value> =
        told.iter().filter(|(name, _)| name == "piece").map(|(_, data)| data).collect();
    assert_eq!(pieces.len(), 3, "tokens are counted");
    assert!(pieces.iter().all(|data| data["text"] == ""), "no text before all are ranked");
    let done = &told.last().expect("the end").1;
    assert_eq!(
        (&done["reply"], done["candidates"].as_array().map(Vec::len)),
        (&json!("a b c"), Some(3))
    );
    let refused = served.post("/api/chat", &json!({ "turns": ["an awful word"] })).json();
    assert_eq!((&refused["reply"], &refused["finish"]), (&Value::Null, &json!("nothing")));
    assert_eq!(refused["candidates"][0]["dropped"]["unsafe_text"], true);
    assert_eq!(refused["candidates"][0]["text"], "");
    let completion = served.complete("an awful word", &json!({ "candidates": 2 }));
    assert!(!completion.text.contains("awful"), "{}", completion.text);
}

#[test]
fn a_stop_at_the_very_beginning_leaves_nothing() {
    let served = Served::new(0);
    let body = json!({ "turns": ["a b"], "candidates": 2, "stop": ["a"] });
    let reply = served.post("/api/chat", &body).json();
    assert_eq!((&reply["reply"], &reply["finish"]), (&Value::Null, &json!("nothing")));
    assert_eq!(reply["candidates"][1]["dropped"]["why"], "says nothing");
}

#[test]
fn seeds_are_those_asked_for_or_told() {
    let served = Served::new(0);
    let ask = |body: Value| served.post("/api/chat", &body).json();
    assert_eq!(ask(json!({ "turns": ["seed"], "seed": u64::MAX }))["reply"], u64::MAX.to_string());
    let (a, b) = (ask(json!({ "turns": ["seed"] })), ask(json!({ "turns": ["seed"] })));
    assert_ne!(a["seed"], b["seed"]);
    assert_eq!(a["reply"], a["seed"].to_string());
    assert!(a["seed"].as_u64().expect("a number") < 1 << 53, "JavaScript can send it back");
}

#[test]
fn what_is_not_read_is_told() {
    let served = Served::new(0);
    let turns = ["1", "2", "3", "4", "5", "six"];
    let reply = served.post("/api/chat", &json!({ "turns": turns })).json();
    assert_eq!((&reply["reply"], &reply["read"]["turns_left_out"]), (&json!("six"), &json!(2)));
    let body = json!({ "messages": turns.iter().enumerate().map(|(i, turn)| json!({
        "role": if i % 2 == 1 { "user" } else { "assistant" }, "content": turn,
    })).collect::<Vec<_>>() });
    let completion = served.post("/v1/chat/completions", &body).json();
    assert_eq!(completion["tutor"]["read"]["turns_left_out"], 2);
}

#[test]
fn a_request_that_makes_no_sense_is_named() {
    let served = Served::new(0);
    for (body, fault) in [
        (json!({ "turns": [] }), "nothing to reply to"),
        (json!({ "turns": ["a", " "] }), "says nothing"),
        (json!({ "turns": "a" }), "turns: a list of texts is needed"),
        (json!({ "turns": ["a", 1] }), "turns: a list of texts is needed"),
        (json!({}), "turns: a list of texts is needed"),
        (json!({ "turns": ["a"], "seed": -1 }), "seed: -1 is not a whole number of at least 0"),
        (json!({ "turns": ["a"], "top_p": "a" }), "top_p: \"a\" is not a number"),
        (json!({ "turns": ["a"], "candidates": 1000 }), "candidates: 1000: it must be 1 to 100"),
        (json!({ "turns": ["a"], "temprature": 1 }), "temprature"),
        (json!({ "turns": ["a"], "temperature": 2.5 }), "temperature: 2.5"),
        (json!({ "turns": ["a"], "candidates": 101 }), "candidates: 101"),
        (json!({ "turns": ["a"], "candidates": 0 }), "candidates: 0"),
        (json!({ "turns": ["a"], "top_p": -0.5 }), "top_p"),
        (json!({ "turns": ["a"], "top_k": 0 }), "top_k"),
        (json!({ "turns": ["a"], "max_tokens": 0 }), "max_tokens: 0 is not at least 1"),
        (json!({ "turns": ["a"], "stop": [""] }), "stop"),
        (json!({ "turns": ["a"], "conversation": "a b" }), "conversation"),
    ] {
        let response = served.post("/api/chat", &body);
        assert_eq!(response.status, 400, "{body}");
        assert!(response.error().contains(fault), "{}", response.text);
    }
}
