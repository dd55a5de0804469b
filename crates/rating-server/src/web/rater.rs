//! What raters ask for. The secret of the link is the only key: it comes with each request, and
//! nothing but this rater's own places can be named.

use super::app::App;
use super::rater_page;
use super::reply::Place;
use crate::answers::{self, Given};
use crate::error::{Error, Result};
use crate::raters::{self, Rater};
use crate::settings::Settings;
use crate::view::{self, Saved, State as Seen};
use crate::{chat, seats, secret};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::{Arc, PoisonError};
use web_server::answer;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/r/{token}", get(start))
        .route("/api/state", get(state))
        .route("/api/guideline", post(guideline))
        .route("/api/answer", post(answer))
        .route("/api/before/{place}", get(before))
        .route("/api/chat/say", post(say))
        .route("/api/chat/end", post(end))
}

/// The secret that came with a request, within the rater's limit.
struct Token(String);

impl FromRequestParts<App> for Token {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        if token.len() != 26 {
            return Err(Error::Unknown("link").into_response());
        }
        if app.raters.take(token).is_err() {
            let why = json!({ "error": "too many requests" });
            return Err(answer::json(StatusCode::TOO_MANY_REQUESTS, &why));
        }
        Ok(Self(token.to_owned()))
    }
}

/// Runs work for the rater whose token it is, in one transaction.
async fn with<T: Send + 'static>(
    app: &App,
    token: String,
    work: impl FnOnce(&Connection, &Settings, &Rater, i64) -> Result<T> + Send + 'static,
) -> Result<T> {
    let settings = Arc::clone(&app.settings);
    app.project
        .write(move |db| {
            let rater = raters::by_token(db, &token)?;
            work(db, &settings, &rater, secret::now())
        })
        .await
}

/// What the rater sees after a change: rater and seats are read anew.
fn seen(db: &Connection, settings: &Settings, rater: &Rater, now: i64) -> Result<Seen> {
    view::state(db, settings, &raters::by_key(db, &rater.key)?, now)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| Error::Invalid(format!("the request: {error}")))
}

async fn start(State(app): State<App>, Place(token): Place<String>) -> Response {
    let study = app.settings.name.clone();
    let known = {
        let app = Arc::clone(&app);
        tokio::task::spawn_blocking(move || {
            app.project.store().read(|db| raters::by_token(db, &token).map(|_| ()))
        })
        .await
    };
    match known {
        Ok(Ok(())) => rater_page::rater(app.project.texts(), &study),
        Ok(Err(Error::Unknown(_))) => rater_page::unknown(app.project.texts(), &study),
        Ok(Err(error)) => error.into_response(),
        Err(_) => Error::Closed.into_response(),
    }
}

#[derive(Serialize)]
struct Next {
    state: Seen,
}

async fn state(State(app): State<App>, Token(token): Token) -> Response {
    match with(&app, token, view::state).await {
        Ok(state) => answer::json(StatusCode::OK, &state),
        Err(error) => error.into_response(),
    }
}

async fn guideline(State(app): State<App>, Token(token): Token) -> Response {
    let read = with(&app, token, |db, settings, rater, now| {
        seats::accept_guideline(db, rater)?;
        seen(db, settings, rater, now)
    });
    next(read.await)
}

fn next(state: Result<Seen>) -> Response {
    match state {
        Ok(state) => answer::json(StatusCode::OK, &Next { state }),
        Err(error) => error.into_response(),
    }
}

#[derive(Serialize)]
struct Answered {
    result: Saved,
    state: Seen,
}

async fn answer(State(app): State<App>, Token(token): Token, body: Bytes) -> Response {
    let given: Given = match parse(&body) {
        Ok(given) => given,
        Err(error) => return error.into_response(),
    };
    let answered = with(&app, token, move |db, settings, rater, now| {
        let result = answers::answer(db, settings, rater, &given, now)?.into();
        // One transaction: the answer is on disk before the next item is seen.
        Ok(Answered { result, state: seen(db, settings, rater, now)? })
    });
    match answered.await {
        Ok(answered) => answer::json(StatusCode::OK, &answered),
        Err(error) => error.into_response(),
    }
}

async fn before(State(app): State<App>, Token(token): Token, Place(place): Place<i64>) -> Response {
    let shown = with(&app, token, move |db, settings, rater, _| {
        let place = answers::before(db, rater, place)?.ok_or(Error::Unknown("item"))?;
        view::shown(db, settings, rater, place)
    });
    match shown.await {
        Ok(shown) => answer::json(StatusCode::OK, &shown),
        Err(error) => error.into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    turn: usize,
    text: String,
}

#[derive(Serialize)]
struct Talked {
    /// Whether the partner did not answer; the rater can ask again.
    failed: bool,
    state: Seen,
}

async fn say(State(app): State<App>, Token(token): Token, body: Bytes) -> Response {
    match talk(app, token, body).await {
        Ok(talked) => answer::json(StatusCode::OK, &talked),
        Err(error) => error.into_response(),
    }
}

async fn talk(app: App, token: String, body: Bytes) -> Result<Talked> {
    let Said { turn, text } = parse(&body)?;
    let (open, endpoint) = with(&app, token.clone(), move |db, settings, rater, now| {
        let open = chat::say(db, settings, rater, turn, &text, now)?;
        let endpoint = chat::endpoint(db, open.system)?;
        Ok((open, endpoint))
    })
    .await?;
    let mut failed = false;
    if open.turns.len() == turn + 1 {
        // A task of its own: the answer is kept even when the rater's page goes away meanwhile.
        let asked = tokio::spawn(ask(Arc::clone(&app), token.clone(), open, endpoint, turn));
        if let Err(error) = asked.await.unwrap_or(Err(Error::Closed)) {
            tracing::warn!("{error}");
            failed = true;
        }
    }
    let state = with(&app, token, view::state).await?;
    Ok(Talked { failed, state })
}

/// Asks the partner, once for each turn, and keeps the answer.
async fn ask(
    app: App,
    token: String,
    open: chat::Open,
    endpoint: chat::Endpoint,
    turn: usize,
) -> Result<()> {
    let id = open.id;
    if !app.talking.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
        return Err(Error::Chat("it is being asked in another window".to_owned()));
    }
    let replied = reply_of(&app, open, &endpoint).await;
    app.talking.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    let text = replied?;
    with(&app, token, move |db, settings, rater, now| {
        chat::reply(db, settings, rater, id, turn, &text, now)
    })
    .await
}

async fn reply_of(app: &App, open: chat::Open, endpoint: &chat::Endpoint) -> Result<String> {
    let _place = app.asking.acquire().await.map_err(|_| Error::Closed)?;
    let known = |app: &App| {
        let mut known = app.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(partner) = known.get(&open.system) {
            return Ok(Arc::clone(partner));
        }
        let partner: Arc<dyn chat::Chat> = chat::endpoint::connect(endpoint)?.into();
        known.insert(open.system, Arc::clone(&partner));
        Ok::<_, Error>(partner)
    };
    let partner = known(app)?;
    tokio::task::spawn_blocking(move || partner.reply(&open.turns).map(|reply| reply.text))
        .await
        .unwrap_or(Err(Error::Closed))
}

async fn end(State(app): State<App>, Token(token): Token) -> Response {
    let ended = with(&app, token, |db, settings, rater, now| {
        chat::end(db, settings, rater, now)?;
        seen(db, settings, rater, now)
    });
    next(ended.await)
}
