//! What stands around all pages: headers, the names under which the server is reached, limits of
//! size and time.

use super::app::App;
use super::reply;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use std::net::IpAddr;
use std::time::Duration;

/// How long one request may take. A chat partner may take a minute.
const LONGEST: Duration = Duration::from_secs(90);

/// No script, style, picture or frame from elsewhere, and none written into a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Puts the guards around the pages.
pub(super) fn around(pages: Router, app: &App) -> Router {
    pages
        .layer(DefaultBodyLimit::max(app.limits.rater_bytes))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let refused = refusal(&app, request.method(), request.headers());
    let mut response = match refused {
        Some(refused) => refused,
        None => match tokio::time::timeout(LONGEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => reply::text(StatusCode::REQUEST_TIMEOUT, "this took too long"),
        },
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // No secret of a link leaves by a referrer; "no-referrer" would make the origin of our own
        // forms "null".
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refusal(app: &App, method: &Method, headers: &HeaderMap) -> Option<Response> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if !is_ours(host, &app.url) {
        let why = "the server is not known by this name (start it with --public-url)";
        return Some(reply::text(StatusCode::MISDIRECTED_REQUEST, why));
    }
    if method != Method::GET && method != Method::HEAD {
        let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        let foreign = site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
        let origin = text(header::ORIGIN);
        let elsewhere = origin.is_some_and(|origin| {
            origin
                .split_once("://")
                .is_none_or(|(_, place)| place != host && !is_public(app, origin))
        });
        if foreign || elsewhere {
            return Some(reply::text(StatusCode::FORBIDDEN, "sent by a page of another site"));
        }
    }
    None
}

fn is_public(app: &App, origin: &str) -> bool {
    app.url == origin
}

/// Whether a request to this host is meant for us: a number, this machine, or the public name.
fn is_ours(host: &str, url: &str) -> bool {
    let name = without_port(host);
    let public = url.split_once("://").map_or(url, |(_, place)| place);
    let public = public.split('/').next().unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case(without_port(public))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_are_not_ours() {
        for host in ["127.0.0.1:8642", "localhost", "[::1]:8642", "study.example.org", "10.0.0.7"] {
            assert!(is_ours(host, "https://study.example.org"), "{host}");
        }
        for host in ["", "evil.example.org", "study.example.org.evil.org", "localhost.evil.org:1"] {
            assert!(!is_ours(host, "https://study.example.org"), "{host}");
        }
        assert!(!is_ours("", "http://127.0.0.1:8642"));
    }
}
