//! Responses that are no pages: errors and files.

use crate::error::Error;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use web_server::answer;

/// A file to be saved.
pub(super) fn file(name: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Where there is no page.
pub(super) async fn nothing_here() -> Response {
    answer::text(StatusCode::NOT_FOUND, "there is no such page")
}

/// The status of an error. What is inside the database is for the log, not for raters.
pub(super) fn status(error: &Error) -> (StatusCode, String) {
    let status = match error {
        Error::Busy | Error::Closed => StatusCode::SERVICE_UNAVAILABLE,
        Error::Full => StatusCode::INSUFFICIENT_STORAGE,
        Error::Unknown(_) => StatusCode::NOT_FOUND,
        Error::Conflict => StatusCode::CONFLICT,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Chat(_) | Error::ChatBusy { .. } | Error::ChatLost(_) | Error::ChatEmpty => {
            StatusCode::BAD_GATEWAY
        }
        _ => {
            tracing::error!("{error}");
            return (StatusCode::INTERNAL_SERVER_ERROR, "nothing was saved".to_owned());
        }
    };
    (status, error.to_string())
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, why) = status(&self);
        answer::json(status, &json!({ "error": why }))
    }
}
