//! The shape of OpenAI's API: `GET /v1/models` and `POST /v1/chat/completions`.

mod completion;
mod request;

use super::app::{App, Awaited};
use super::body;
use super::problem::Problem;
use super::stream;
use crate::slots::Said;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use completion::Completion;
use request::Request;
use serde_json::{Value, json};
use web_server::answer;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/models/{*name}", get(model))
        .route("/v1/chat/completions", post(completions))
}

fn card(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "tutor" })
}

async fn models(State(app): State<App>) -> Response {
    let list = json!({ "object": "list", "data": [card(&app.about.name)] });
    answer::json(StatusCode::OK, &list)
}

async fn model(State(app): State<App>, name: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(name)) = name else {
        let why = "the name of the model in the address is no text in UTF-8";
        return Problem::invalid(why).into_response();
    };
    if name != app.about.name {
        return Problem::no_model(&name, &app.about.name).into_response();
    }
    answer::json(StatusCode::OK, &card(&name))
}

async fn completions(State(app): State<App>, body: Body) -> Response {
    match answered(&app, body).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answered(app: &App, body: Body) -> Result<Response, Problem> {
    let bytes = body::read(body, &app.limits).await?;
    let Request { wanted, n, streamed, with_usage } = request::parse(app, &bytes)?;
    let single = wanted.sampling.candidates == 1;
    let Awaited { mut ticket, id, seed } = app.ask(wanted, "chatcmpl-")?;
    let mut completion = Completion::new(id, app.about.name.clone(), seed, n, single, with_usage);
    loop {
        // A stream begins when the model does, so that before it a status can still say why not.
        match ticket.next().await {
            Said::Begun if streamed => {
                let first = completion.begin();
                return Ok(stream::events(ticket, first, move |said| completion.tell(said)));
            }
            Said::Begun | Said::Piece { .. } => {}
            Said::Done(done) => return Ok(answer::json(StatusCode::OK, &completion.whole(&done))),
            Said::Failed(failed) => return Err(failed.into()),
        }
    }
}
