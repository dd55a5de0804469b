//! Responses that are no pages: errors and files.

use crate::error::Error;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
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

/// The part of an address that a page is told by. Where it is not of its form, there is no page.
pub(super) struct Place<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Place<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Self(part)),
            Err(_) => Err(nothing_here().await),
        }
    }
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
