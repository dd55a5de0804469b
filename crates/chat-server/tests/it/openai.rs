//! The shape of OpenAI's API.

use crate::client::{Response, Served, completion, options};
use crate::stub::NAME;
use chat_server::ServeOptions;
use serde_json::{Value, json};

/// The chunks of a stream, which ends with `[DONE]`.
fn chunks(response: &Response) -> Vec<Value> {
    let mut events = response.events();
    assert_eq!(events.pop().expect("an end").1, "[DONE]");
    events
        .iter()
        .map(|(name, data)| {
            assert!(name.is_empty(), "events have no names");
            serde_json::from_str(data).expect("JSON")
        })
        .collect()
}

#[test]
fn models_are_listed() {
    let served = Served::new(0);
    let list = served.get("/v1/models").json();
    assert_eq!((&list["object"], &list["data"][0]["id"]), (&json!("list"), &json!(NAME)));
    let name = "/v1/models/stub%20%22%3E%3Cscript%3E1%3C%2Fscript%3E";
    assert_eq!(served.get(name).json()["object"], "model");
    let garbled = served.get("/v1/models/%00%ff");
    assert_eq!((garbled.status, &garbled.json()["error"]["param"]), (400, &Value::Null));
    assert!(garbled.error().contains("UTF-8"), "{}", garbled.text);
    let missing = served.get("/v1/models/gpt-4");
    assert_eq!(
        (missing.status, &missing.json()["error"]["code"]),
        (404, &json!("model_not_found"))
    );
}

#[test]
fn a_completion_comes_whole() {
    let served = Served::new(0);
    let body = served.complete("hello you there", &json!({ "seed": -3, "user": "x" })).json();
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!(NAME)));
    assert!(body["id"].as_str().expect("a name").starts_with("chatcmpl-"));
    assert!(body["created"].as_u64().expect("a time") > 1_700_000_000);
    let choice = &body["choices"][0];
    assert_eq!(choice["message"]["content"], "hello you there");
    assert_eq!((&choice["index"], &choice["finish_reason"]), (&json!(0), &json!("stop")));
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6 });
    assert_eq!(body["usage"], usage);
    assert_eq!(body["tutor"]["seed"], u64::MAX - 2);
}

#[test]
fn choices_are_the_best_candidates() {
    let served = Served::new(0);
    let three = served.complete("a b", &json!({ "n": 3 })).json();
    let texts = |body: &Value| -> Vec<String> {
        let choices = body["choices"].as_array().expect("choices");
        choices.iter().map(|c| c["message"]["content"].as_str().expect("a text").into()).collect()
    };
    assert_eq!(texts(&three), ["a b", "a b (1)", "a b (2)"]);
    assert_eq!(three["usage"]["completion_tokens"], 6);
    let best = served.complete("a b", &json!({ "n": 2, "candidates": 5 })).json();
    assert_eq!(texts(&best), ["a b", "a b (1)"]);
    assert_eq!(best["tutor"]["candidates"].as_array().map(Vec::len), Some(5));
    let streamed = chunks(&served.complete("a b", &json!({ "n": 2, "stream": true })));
    let of = |index: u64| -> String {
        let own = streamed.iter().filter(|chunk| chunk["choices"][0]["index"] == index);
        own.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
    };
    assert_eq!((of(0), of(1)), ("a b".to_owned(), "a b (1)".to_owned()));
}

/// Of several choices one ends by itself; those that reached `max_tokens` are told all the same.
#[test]
fn choices_that_were_cut_off_have_their_text() {
    let served = Served::new(0);
    let both =
        |choice: &Value| (choice["message"]["content"].clone(), choice["finish_reason"].clone());
    let body = served.complete("one ends", &json!({ "n": 3 })).json();
    let choices: Vec<_> = body["choices"].as_array().expect("choices").iter().map(both).collect();
    let wanted = [("one ends", "stop"), ("one ends (1)", "length"), ("one ends (2)", "length")];
    assert_eq!(choices, wanted.map(|(text, finish)| (json!(text), json!(finish))));
    let streamed = chunks(&served.complete("one ends", &json!({ "n": 3, "stream": true })));
    let second: Vec<&Value> =
        streamed.iter().map(|c| &c["choices"][0]).filter(|choice| choice["index"] == 1).collect();
    let text: String =
        second.iter().filter_map(|choice| choice["delta"]["content"].as_str()).collect();
    let end = second.last().expect("an end");
    assert_eq!((text.as_str(), &end["finish_reason"]), ("one ends (1)", &json!("length")));
    // What a stop cuts has come to an end.
    let body = served.complete("one ends", &json!({ "n": 2, "stop": " (1)" })).json();
    assert_eq!(both(&body["choices"][1]), (json!("one ends"), json!("stop")));
}

#[test]
fn a_completion_comes_in_chunks() {
    let served = Served::new(0);
    let more = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let all = chunks(&served.complete("one two", &more));
    assert!(all.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    assert!(all.iter().all(|chunk| chunk["id"] == all[0]["id"]));
    assert_eq!(all[0]["choices"][0]["delta"]["role"], "assistant");
    let deltas: Vec<&Value> =
        all.iter().map(|chunk| &chunk["choices"][0]["delta"]["content"]).collect();
    assert_eq!(deltas[..3], [&json!(""), &json!("one "), &json!("two")]);
    assert_eq!(
        all[3]["choices"][0],
        json!({ "index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop" })
    );
    assert_eq!(all[3]["usage"], Value::Null);
    assert_eq!((&all[4]["choices"], &all[4]["usage"]["total_tokens"]), (&json!([]), &json!(4)));
    let without = chunks(&served.complete("one two", &json!({ "stream": true })));
    assert!(without.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn replies_end_where_they_are_told_to() {
    let served = Served::new(0);
    let text = |body: &Value| body["choices"][0]["message"]["content"].clone();
    let finish = |body: &Value| body["choices"][0]["finish_reason"].clone();
    for key in ["max_tokens", "max_completion_tokens"] {
        let body = served.complete("a b c d", &json!({ key: 2 })).json();
        assert_eq!((text(&body), finish(&body)), (json!("a b "), json!("length")), "{key}");
    }
    let both = served.complete("a b c d", &json!({ "max_tokens": 1, "max_completion_tokens": 3 }));
    assert_eq!(text(&both.json()), "a ");
    let much = served.complete("count", &json!({ "max_tokens": 1_000_000 })).json();
    assert_eq!((&much["usage"]["completion_tokens"], finish(&much)), (&json!(200), json!("stop")));
    for stop in [json!("c"), json!(["c"]), json!(["x", "c d"]), json!("c d e")] {
        for candidates in [1, 3] {
            let more = json!({ "stop": stop, "candidates": candidates });
            let body = served.complete("a b c d e", &more).json();
            assert_eq!((text(&body), finish(&body)), (json!("a b "), json!("stop")), "{more}");
        }
        let more = json!({ "stop": stop, "stream": true });
        let streamed = chunks(&served.complete("a b c d e", &more));
        let parts = streamed.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str());
        assert_eq!(parts.collect::<String>(), "a b ", "{stop}");
    }
    let before = served.written();
    served.complete("count", &json!({ "stop": "4" }));
    assert_eq!(served.written() - before, 4, "nothing is written after the stop");
    let refused = served.complete("an awful word", &json!({})).json();
    assert_eq!((text(&refused), finish(&refused)), (json!(""), json!("content_filter")));
}

#[test]
fn parameters_that_cannot_be_heeded_are_refused_by_name() {
    let served = Served::new(0);
    let tool = json!([{ "type": "function", "function": { "name": "f" } }]);
    for (name, value) in [
        ("tools", tool),
        ("response_format", json!({ "type": "json_object" })),
        ("logprobs", json!(true)),
        ("logit_bias", json!({ "50256": -100 })),
        ("presence_penalty", json!(0.5)),
        ("frequency_penalty", json!(1)),
        ("repetition_penalty", json!(1.2)),
        ("audio", json!({ "voice": "alloy" })),
        ("guided_regex", json!("a+")),
        ("guided_choice", json!(["a", "b"])),
        ("structured_outputs", json!({ "choice": ["a"] })),
        ("json_schema", json!({ "type": "object" })),
        ("bad_words", json!(["no"])),
        ("stop_token_ids", json!([2])),
        ("ignore_eos", json!(true)),
        ("length_penalty", json!(2.0)),
        ("include_stop_str_in_output", json!(true)),
        ("dry_multiplier", json!(0.8)),
        ("xtc_probability", json!(0.5)),
        ("temperature", json!(3)),
        ("temperature", json!("hot")),
        ("top_p", json!(1.5)),
        ("n", json!(0)),
        ("n", json!(1.5)),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(-1)),
        ("max_completion_tokens", json!(0)),
        ("stop", json!(["a", "b", "c", "d", "e"])),
        ("stop", json!("")),
        ("seed", json!("x")),
        ("stream", json!("yes")),
        ("messages", json!([])),
    ] {
        let response = served.complete("hi", &json!({ name: value }));
        assert_eq!(response.status, 400, "{name}: {value}");
        assert_eq!(response.json()["error"]["param"], name, "{}", response.text);
        assert_eq!(response.json()["error"]["type"], "invalid_request_error");
    }
    let more = json!({
        "tools": null, "stop": null, "max_tokens": null, "temperature": null, "n": null,
        "response_format": { "type": "text" }, "presence_penalty": 0, "logit_bias": { "5": 0 },
        "user": "somebody", "metadata": {}, "store": false, "service_tier": "auto",
        "parallel_tool_calls": true, "unheard_of": { "of": 1 },
    });
    assert_eq!(served.complete("hi", &more).status, 200);
    let other = served.complete("hi", &json!({ "model": "gpt-4o" }));
    assert_eq!((other.status, &other.json()["error"]["param"]), (404, &json!("model")));
    assert_eq!(served.complete("hi", &json!({ "model": null })).status, 200);
    assert_eq!(served.written(), 2, "what is refused costs nothing");
}

#[test]
fn system_messages_are_refused_or_left_out() {
    let messages = json!([
        { "role": "system", "content": "You are a pirate." }, { "role": "user", "content": "hi" },
    ]);
    let body = completion("hi", &json!({ "messages": messages }));
    let refused = Served::new(0).post("/v1/chat/completions", &body);
    assert_eq!(refused.status, 400);
    let error = refused.error();
    assert!(error.contains("--leave-out-system") && !error.contains("does not know"), "{error}");
    let served = Served::with(0, &ServeOptions { leave_out_system: true, ..options() });
    let reply = served.post("/v1/chat/completions", &body).json();
    assert_eq!(reply["choices"][0]["message"]["content"], "hi");
    assert_eq!(reply["usage"]["prompt_tokens"], 1, "it is not read");
}
