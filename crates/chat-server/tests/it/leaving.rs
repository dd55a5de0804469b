//! When the reader leaves, the work stops: one model, a token in 50 ms, 200 tokens.

use crate::client::{Served, completion};
use serde_json::json;
use std::io::Read;
use std::time::{Duration, Instant};

const PACE: u64 = 50;

/// Another client asks at once after the first has gone: its first token comes within half a
/// second, and the first one's work goes on for five tokens at most.
fn the_next_is_served(served: &Served, before: usize) {
    let start = Instant::now();
    let body = json!({ "turns": ["hello"], "stream": true });
    let reading = served.read_until("/api/chat", &body, "hello");
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    reading.rest();
    served.soon("a free model", |served| served.server.status().free == 1);
    let more = served.written() - before - 1;
    assert!(more <= 5, "{more} tokens for nobody");
}

#[test]
fn a_stream_that_is_closed() {
    let served = Served::new(PACE);
    for (path, body) in [
        ("/api/chat", json!({ "turns": ["count"], "stream": true })),
        ("/v1/chat/completions", completion("count", &json!({ "stream": true }))),
    ] {
        let mut reading = served.read_until(path, &body, "1 ");
        reading.until("2 ");
        reading.until("3 ");
        let before = served.written();
        drop(reading);
        the_next_is_served(&served, before);
    }
}

#[test]
fn a_request_for_the_whole_that_is_closed() {
    let served = Served::new(PACE);
    for (path, body) in [
        ("/api/chat", json!({ "turns": ["count"] })),
        ("/v1/chat/completions", completion("count", &json!({}))),
    ] {
        let before = served.written();
        let stream = served.send("POST", path, &[], body.to_string().as_bytes());
        served.soon("three tokens", |served| served.written() >= before + 3);
        let before = served.written();
        drop(stream);
        the_next_is_served(&served, before);
    }
}

#[test]
fn who_leaves_the_line_is_never_replied_to() {
    let served = Served::new(PACE);
    let first =
        served.read_until("/api/chat", &json!({ "turns": ["count"], "stream": true }), "1 ");
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let body = completion("count", &json!({ "stream": true })).to_string();
            served.send("POST", "/v1/chat/completions", &[], body.as_bytes())
        })
        .collect();
    served.soon("three wait", |served| served.server.status().waiting == 3);
    drop(waiting);
    served.soon("nobody waits", |served| served.server.status().waiting == 0);
    let before = served.written();
    drop(first);
    the_next_is_served(&served, before);
}

#[test]
fn when_the_server_ends_readers_are_told_and_the_work_stops() {
    let served = Served::new(PACE);
    let streamed = json!({ "turns": ["count"], "stream": true });
    let reading = served.read_until("/api/chat", &streamed, "3 ");
    let body = completion("count", &json!({})).to_string();
    let mut waiting = served.send("POST", "/v1/chat/completions", &[], body.as_bytes());
    served.soon("one waits", |served| served.server.status().waiting == 1);
    let start = Instant::now();
    let (url, before) = (served.server.address(), served.written());
    let written = served.counter();
    served.server.stop();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(written() - before <= 2);
    let told = reading.rest();
    assert!(told.contains("event: error") && told.contains("shutting_down"), "{told}");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after"), "{answer}");
    assert!(std::net::TcpStream::connect(url).is_err());
}

#[test]
fn a_reply_that_takes_too_long_ends_with_what_there_is() {
    let mut options = crate::client::options();
    options.limits.reply_timeout = Duration::from_millis(300);
    let served = Served::with(PACE, &options);
    let reply = served.post("/api/chat", &json!({ "turns": ["count"] })).json();
    assert_eq!(reply["finish"], "time");
    assert!(reply["reply"].as_str().expect("a text").starts_with("1 2 3 "), "{reply}");
    let body = served.complete("count", &json!({})).json();
    assert_eq!(body["choices"][0]["finish_reason"], "length");
    // The pieces of a stream are the whole of it.
    let events = served.post("/api/chat", &json!({ "turns": ["count"], "stream": true })).events();
    let data = |data: &str| -> serde_json::Value { serde_json::from_str(data).expect("JSON") };
    let pieces: String = events
        .iter()
        .filter(|(name, _)| name == "piece")
        .map(|(_, piece)| data(piece)["text"].as_str().expect("a text").to_owned())
        .collect();
    let done = data(&events.last().expect("the end").1);
    assert_eq!((&done["finish"], done["reply"].as_str()), (&json!("time"), Some(&*pieces)));
}

#[test]
fn a_model_that_reads_for_long_holds_up_no_end() {
    let served = Served::new(0);
    let reading =
        served.read_until("/api/chat", &json!({ "turns": ["read long"], "stream": true }), "begin");
    let body = completion("read long", &json!({}));
    let start = Instant::now();
    let whole = Served::new(0);
    let mut stream = whole.send("POST", "/v1/chat/completions", &[], body.to_string().as_bytes());
    whole.soon("it is read", |whole| whole.server.status().free == 0);
    std::thread::scope(|scope| {
        scope.spawn(|| served.server.stop());
        scope.spawn(|| whole.server.stop());
    });
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(reading.rest().contains("shutting_down"));
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}
