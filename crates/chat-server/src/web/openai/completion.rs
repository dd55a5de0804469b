//! Replies as chat completions, whole or in chunks.

use super::super::problem::Problem;
use crate::model::Candidate;
use crate::slots::{Done, Said};
use axum::response::sse::Event;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// A chat completion under way.
pub(super) struct Completion {
    id: String,
    model: String,
    created: u64,
    seed: u64,
    /// How many choices are given.
    n: usize,
    /// Whether text comes as it is written.
    single: bool,
    with_usage: bool,
}

impl Completion {
    pub(super) fn new(
        id: String,
        model: String,
        seed: u64,
        n: usize,
        single: bool,
        with_usage: bool,
    ) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { id, model, created: since.as_secs(), seed, n, single, with_usage }
    }

    /// The whole of it.
    pub(super) fn whole(&self, done: &Done) -> Value {
        let choices: Vec<Value> = self
            .choices(done)
            .enumerate()
            .map(|(index, (text, finish))| {
                json!({
                    "index": index,
                    "message": { "role": "assistant", "content": text, "refusal": null },
                    "logprobs": null,
                    "finish_reason": finish,
                })
            })
            .collect();
        json!({
            "id": self.id, "object": "chat.completion", "created": self.created,
            "model": self.model, "choices": choices, "usage": self.usage(done),
            "tutor": self.extension(done),
        })
    }

    /// The first chunks.
    pub(super) fn begin(&self) -> Vec<Event> {
        let role = json!({ "role": "assistant", "content": "", "refusal": null });
        (0..self.n).map(|index| self.chunk(index, &role, None)).collect()
    }

    /// The chunks of what is said.
    pub(super) fn tell(&mut self, said: Said) -> Vec<Event> {
        match said {
            Said::Begun => vec![],
            Said::Piece { text, .. } if text.is_empty() => vec![],
            Said::Piece { text, .. } => vec![self.chunk(0, &json!({ "content": text }), None)],
            Said::Done(done) => self.end(&done),
            Said::Failed(failed) => vec![data(&Problem::from(failed).object())],
        }
    }

    fn end(&self, done: &Done) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, (text, finish)) in self.choices(done).enumerate() {
            if !self.single && !text.is_empty() {
                events.push(self.chunk(index, &json!({ "content": text }), None));
            }
            events.push(self.chunk(index, &json!({}), Some(finish)));
        }
        if self.with_usage {
            let mut chunk = self.frame(&json!([]));
            chunk["usage"] = self.usage(done);
            chunk["tutor"] = self.extension(done);
            events.push(data(&chunk));
        }
        events.push(Event::default().data("[DONE]"));
        events
    }

    fn frame(&self, choices: &Value) -> Value {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "choices": choices,
        });
        if self.with_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn chunk(&self, index: usize, delta: &Value, finish: Option<&str>) -> Event {
        let choice =
            json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish });
        data(&self.frame(&json!([choice])))
    }

    /// Text and reason of its end, of each choice. One that was only cut off is a choice like any
    /// other.
    fn choices<'a>(&self, done: &'a Done) -> impl Iterator<Item = (&'a str, &'static str)> {
        let stopped = done.stopped.iter().copied().chain(std::iter::repeat(false));
        let all = done.reply.candidates.iter().map(Some).chain(std::iter::repeat(None));
        all.zip(stopped).take(self.n).map(|(candidate, stopped)| match candidate {
            Some(Candidate { dropped: Some(dropped), .. }) if !dropped.truncated => {
                ("", if dropped.unsafe_text { "content_filter" } else { "stop" })
            }
            Some(candidate) if candidate.finished || stopped => (candidate.text.as_str(), "stop"),
            Some(candidate) => (candidate.text.as_str(), "length"),
            None => ("", "stop"),
        })
    }

    fn usage(&self, done: &Done) -> Value {
        let prompt = done.reply.read.tokens;
        let given = done.reply.candidates.iter().take(self.n);
        let completion: usize = given.map(|candidate| candidate.tokens).sum();
        json!({
            "prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion,
        })
    }

    /// What OpenAI's API has no place for.
    fn extension(&self, done: &Done) -> Value {
        json!({ "seed": self.seed, "read": done.reply.read, "candidates": done.reply.candidates })
    }
}

fn data(value: &Value) -> Event {
    Event::default().data(value.to_string())
}
