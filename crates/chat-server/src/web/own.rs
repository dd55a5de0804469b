//! The API of our own: `GET /api/about` and `POST /api/chat`.

use super::app::{App, Awaited, Wanted};
use super::body;
use super::fields::Fields;
use super::problem::Problem;
use super::stream;
use crate::model::{About, Role, Sampling, Turn};
use crate::sampling::{Asked, chosen, turns_fault};
use crate::slots::{Done, Said};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use web_server::answer;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/about", get(about)).route("/api/chat", post(chat))
}

async fn about(State(app): State<App>) -> Response {
    let About { name, sampling, max_tokens, .. } = &app.about;
    let body = json!({
        "name": name,
        "candidates": sampling.candidates,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "kept": app.is_kept,
        "limits": {
            "characters": app.limits.max_message_chars, "turns": app.limits.max_turns,
            "candidates": app.limits.max_candidates, "tokens": max_tokens,
            "bytes": app.limits.max_body_bytes,
        },
    });
    answer::json(StatusCode::OK, &body)
}

/// What may be posted.
const PARAMETERS: [&str; 10] = [
    "turns",
    "stream",
    "conversation",
    "seed",
    "candidates",
    "temperature",
    "top_k",
    "top_p",
    "max_tokens",
    "stop",
];

fn wanted(app: &App, posted: &Fields) -> Result<Wanted, Problem> {
    posted.only(&PARAMETERS)?;
    let texts = posted.texts("turns")?;
    let texts = texts.ok_or_else(|| Problem::of("turns", "a list of texts is needed"))?;
    let turns = alternating(texts);
    if let Some(fault) = turns_fault(&turns, &app.about, &app.limits) {
        return Err(Problem::of("turns", fault));
    }
    let asked = Asked {
        candidates: posted.whole("candidates")?,
        temperature: posted.number("temperature")?,
        top_k: posted.whole("top_k")?.map(Some),
        top_p: posted.number("top_p")?,
        max_tokens: posted.whole("max_tokens")?.map(|bound| ("max_tokens", bound)),
    };
    let sampling: Sampling = chosen(&asked, &app.about, &app.limits)?;
    let conversation = posted.conversation()?;
    let stops = posted.texts("stop")?.unwrap_or_default();
    if stops.len() > 4 || stops.iter().any(String::is_empty) {
        return Err(Problem::of("stop", "up to four texts, none of them empty"));
    }
    Ok(Wanted { turns, sampling, seed: posted.whole("seed")?, stops, conversation })
}

/// Turns of both sides alternately, of which the user has the last one.
fn alternating(texts: Vec<String>) -> Vec<Turn> {
    let count = texts.len();
    let role = |index: usize| match (count - index).is_multiple_of(2) {
        true => Role::Assistant,
        false => Role::User,
    };
    let turn = |(index, text)| Turn { text, role: role(index) };
    texts.into_iter().enumerate().map(turn).collect()
}

async fn chat(State(app): State<App>, body: Body) -> Response {
    match answered(&app, body).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answered(app: &App, body: Body) -> Result<Response, Problem> {
    let bytes = body::read(body, &app.limits).await?;
    let posted = Fields::read(&bytes)?;
    let streamed = posted.flag("stream")?;
    let Awaited { mut ticket, id, seed } = app.ask(wanted(app, &posted)?, "reply-")?;
    if streamed {
        let event = |name: &str, data: &Value| Event::default().event(name).data(data.to_string());
        let start = json!({ "id": id, "seed": seed, "waiting": ticket.ahead() });
        let tell = move |said| match said {
            Said::Begun => vec![event("begin", &json!({}))],
            Said::Piece { tokens, text } => {
                vec![event("piece", &json!({ "tokens": tokens, "text": text }))]
            }
            Said::Done(done) => vec![event("done", &object(&id, seed, &done))],
            Said::Failed(failed) => vec![event("error", &Problem::from(failed).object())],
        };
        return Ok(stream::events(ticket, vec![event("start", &start)], tell));
    }
    loop {
        match ticket.next().await {
            Said::Begun | Said::Piece { .. } => {}
            Said::Done(done) => return Ok(answer::json(StatusCode::OK, &object(&id, seed, &done))),
            Said::Failed(failed) => return Err(failed.into()),
        }
    }
}

/// A reply with its candidates.
fn object(id: &str, seed: u64, done: &Done) -> Value {
    let best = done.reply.candidates.first();
    let given = best.filter(|best| best.dropped.is_none() && !best.text.is_empty());
    let finish = match given {
        None => "nothing",
        Some(_) if done.stopped.first() == Some(&true) => "stop",
        Some(given) if given.finished => "end",
        Some(_) if done.late => "time",
        Some(_) => "length",
    };
    json!({
        "id": id,
        "reply": given.map(|given| &given.text),
        "finish": finish,
        "seed": seed,
        "candidates": done.reply.candidates,
        "read": done.reply.read,
    })
}
