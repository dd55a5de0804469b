//! The page, its script and styles, which are part of the program, and whether the server is well.

use super::app::App;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use web_server::answer::{self, BASE_STYLE, PAGE, SCRIPT, STYLE, asset};

/// Address, kind and text.
const ALL: [(&str, &str, &str); 5] = [
    ("/", PAGE, include_str!("../../assets/page.html")),
    ("/assets/base.css", STYLE, BASE_STYLE),
    ("/assets/chat.css", STYLE, include_str!("../../assets/chat.css")),
    ("/assets/chat.js", SCRIPT, include_str!("../../assets/chat.js")),
    ("/assets/talk.js", SCRIPT, include_str!("../../assets/talk.js")),
];

pub(super) fn routes() -> Router<App> {
    let router = Router::new().route("/health", get(health));
    ALL.into_iter().fold(router, |router, (path, kind, text)| {
        router.route(path, get(move || async move { asset(kind, text) }))
    })
}

async fn health(State(app): State<App>) -> Response {
    let status = app.slots.status();
    if app.slots.is_closing() {
        return answer::json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "ending" }));
    }
    let body = json!({
        "status": "ok", "slots": status.slots, "free": status.free, "waiting": status.waiting,
    });
    answer::json(StatusCode::OK, &body)
}
