//! Scripts and styles, which are part of the program.

use super::app::App;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, kind and text.
const ALL: [(&str, &str, &str); 6] = [
    ("/assets/core.js", SCRIPT, include_str!("../../assets/core.js")),
    ("/assets/items.js", SCRIPT, include_str!("../../assets/items.js")),
    ("/assets/chat.js", SCRIPT, include_str!("../../assets/chat.js")),
    ("/assets/rater.js", SCRIPT, include_str!("../../assets/rater.js")),
    ("/assets/admin.js", SCRIPT, include_str!("../../assets/admin.js")),
    ("/assets/style.css", STYLE, include_str!("../../assets/style.css")),
];

pub(super) fn routes() -> Router<App> {
    ALL.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(move || async move { asset(kind, text) }))
    })
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // Another program may answer at this address tomorrow.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    response
}
