//! The frame of every page.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

/// A page in a language. Everything in it was escaped by maud.
pub(super) fn page(
    status: StatusCode,
    (language, direction): (&str, &str),
    title: &str,
    script: Option<&str>,
    body: &Markup,
) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang=(language) dir=(direction) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/assets/base.css";
                link rel="stylesheet" href="/assets/style.css";
                @if let Some(script) = script {
                    script type="module" src=(script) {}
                }
            }
            body { (body) }
        }
    };
    let mut response = (status, markup.into_string()).into_response();
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
