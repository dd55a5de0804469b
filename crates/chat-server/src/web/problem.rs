//! Why there is no answer, in the shape of OpenAI's errors: `{"error": {"message", "type", "param",
//! "code"}}`.

use crate::sampling::Fault;
use crate::slots::Failed;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;
use web_server::answer;
use web_server::guard::Refusal;

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
    retry: Option<Duration>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, kind, message, param: None, code: None, retry: None }
    }

    fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    fn again(self, wait: Duration) -> Self {
        Self { retry: Some(wait), ..self }
    }

    /// A request that makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// A request that makes no sense, with the parameter that is wrong.
    pub(super) fn of(param: impl Into<String>, message: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("{param}: {}", message.into());
        Self { param: Some(param), ..Self::invalid(message) }
    }

    /// A parameter that would change the reply, and that cannot be heeded.
    pub(super) fn unsupported(param: &str, way_out: &str) -> Self {
        let message = format!("this server does not know it ({way_out})");
        Self::of(param, message).coded("unsupported_parameter")
    }

    pub(super) fn too_large(most: usize) -> Self {
        let message = format!("the request is larger than {most} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", message)
            .coded("request_too_large")
    }

    pub(super) fn too_slow() -> Self {
        let message = "the request did not come to its end in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "invalid_request_error", message)
    }

    pub(super) fn no_key() -> Self {
        let message = "this server wants its key, as `Authorization: Bearer KEY`";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
            .coded("invalid_api_key")
    }

    pub(super) fn no_model(asked: &str, name: &str) -> Self {
        let message = format!("there is no model {asked:?} here: ask for {name:?}");
        let problem = Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message);
        Self { param: Some("model".to_owned()), ..problem.coded("model_not_found") }
    }

    /// Too many requests of one client.
    pub(super) fn too_often(wait: Duration) -> Self {
        let message = "too many requests from your address: wait a moment";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message)
            .coded("rate_limit_exceeded")
            .again(wait)
    }

    /// Too many requests of all clients together.
    pub(super) fn busy(wait: Duration) -> Self {
        let message = "too many wait for a reply already: try again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message)
            .coded("server_busy")
            .again(wait)
    }

    pub(super) fn closing() -> Self {
        let message = "the server is ending";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", message)
            .coded("shutting_down")
            .again(Duration::from_secs(5))
    }

    /// A request that is for another server, or of a page of another site.
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self::new(refusal.status(), "invalid_request_error", refusal.why())
    }

    /// The object for a stream that has begun.
    pub(super) fn object(&self) -> Value {
        json!({ "error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        } })
    }
}

impl From<Fault> for Problem {
    fn from((param, why): Fault) -> Self {
        Self::of(param, why)
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Waited => Self::busy(Duration::from_secs(5)),
            Failed::Closing => Self::closing(),
            Failed::Model(why) => Self::invalid(why),
            Failed::Broken => {
                let message = "the model has failed at this request; the server's log says more";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = answer::json(self.status, &self.object());
        let headers = response.headers_mut();
        if let Some(wait) = self.retry {
            let seconds = wait.as_secs_f64().ceil().clamp(1.0, 3600.0) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Where there is nothing.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    let path: String = uri.path().chars().take(100).collect();
    let message = match path.trim_end_matches('/') {
        known if known.ends_with("/chat/completions") || known.ends_with("/models") => {
            format!("there is nothing at {path}: the address of the API ends with /v1, once")
        }
        _ => format!(
            "there is nothing at {path} (there are /v1/chat/completions, /v1/models, /api/chat, \
             /api/about, /health and the page /)"
        ),
    };
    Problem::new(StatusCode::NOT_FOUND, "invalid_request_error", message)
        .coded("unknown_url")
        .into_response()
}

/// Where something else is done.
pub(super) async fn no_such_method() -> Response {
    let message = "this address wants another method: POST to be replied to, GET for the others";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", message).into_response()
}
