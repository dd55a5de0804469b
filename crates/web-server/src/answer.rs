//! Answers that are no pages: texts, JSON, and the files that are part of a program.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The content type of scripts.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The content type of style sheets.
pub const STYLE: &str = "text/css; charset=utf-8";

/// The content type of pages.
pub const PAGE: &str = "text/html; charset=utf-8";

/// Colours for light and dark, and controls, for the pages of all servers.
pub const BASE_STYLE: &str = include_str!("../assets/base.css");

/// A short text.
pub fn text(status: StatusCode, text: &str) -> Response {
    (status, text.to_owned()).into_response()
}

/// JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_default();
    of_kind((status, body).into_response(), "application/json")
}

/// A file that is part of the program. Browsers keep it for minutes only: another program may
/// answer at this address tomorrow.
pub fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = of_kind(text.into_response(), kind);
    let minutes = HeaderValue::from_static("max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, minutes);
    response
}

fn of_kind(mut response: Response, kind: &'static str) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
