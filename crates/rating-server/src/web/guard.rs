//! What stands around all pages: headers, the names under which the server is reached, limits of
//! size and time.

use super::app::App;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use std::time::Duration;
use web_server::answer;
use web_server::guard::{protect, refusal};

/// How long one request may take. A chat partner may take a minute.
const LONGEST: Duration = Duration::from_secs(90);

/// Puts the guards around the pages.
pub(super) fn around(pages: Router, app: &App) -> Router {
    pages
        .layer(DefaultBodyLimit::max(app.limits.rater_bytes))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match refusal(request.method(), request.headers(), &app.url) {
        Some(refusal) => answer::text(refusal.status(), refusal.why()),
        None => match tokio::time::timeout(LONGEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => answer::text(StatusCode::REQUEST_TIMEOUT, "this took too long"),
        },
    };
    protect(response.headers_mut());
    response
}
