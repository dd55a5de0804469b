//! What stands around all addresses: headers, the names under which the server is reached, the key,
//! and how often a client may ask.

use super::app::App;
use super::origins;
use super::problem::Problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use web_server::client::client;
use web_server::guard::{Refusal, protect, refusal};
use web_server::listen::Peer;
use web_server::secret::same;

/// Puts the guards around all addresses.
pub(super) fn around(all: Router, app: &App) -> Router {
    all.layer(middleware::from_fn_with_state(app.clone(), guard))
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_api = is_api(request.uri().path());
    let stated = origins::stated(&app, headers).filter(|_| is_api);
    let mut response = match problem(&app, &request, stated.is_some()) {
        Some(problem) => problem.into_response(),
        None if stated.is_some() && origins::is_preflight(request.method(), headers) => {
            origins::preflight(headers)
        }
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    protect(headers);
    if is_api && !app.origins.is_empty() {
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = stated {
        origins::admit(headers, origin);
    }
    response
}

/// Whether an address is one of the APIs. The page and its parts say nothing of the model; the page
/// asks for the key itself.
fn is_api(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/api/")
}

/// Why a request is not looked at; `is_stated` says whether it is of a page that may ask.
fn problem(app: &App, request: &Request, is_stated: bool) -> Option<Problem> {
    let (method, headers) = (request.method(), request.headers());
    let refusal = refusal(method, headers, &app.url);
    if let Some(refusal) = refusal.filter(|refusal| !is_stated || *refusal != Refusal::Site) {
        return Some(Problem::refused(refusal));
    }
    if !is_api(request.uri().path()) || is_stated && origins::is_preflight(method, headers) {
        return None;
    }
    let sent = sent(headers);
    let wrong = app.key.as_ref().is_some_and(|key| !sent.is_some_and(|sent| same(sent, key)));
    // Whoever has the key is not kept from replies by those who have none.
    let buckets = match wrong {
        true => &app.attempts,
        false if method == Method::POST => &app.clients,
        false => return None,
    };
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let client = peer.map(|peer| client(peer, headers, app.is_proxied));
    if let Err(wait) = buckets.take(&client.unwrap_or_default()) {
        return Some(Problem::too_often(wait));
    }
    wrong.then(Problem::no_key)
}

/// The key that came along.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_behind_its_scheme() {
        let mut headers = HeaderMap::new();
        assert_eq!(sent(&headers), None);
        for (value, key) in
            [("Bearer abc", Some("abc")), ("bearer  abc ", Some("abc")), ("abc", None)]
        {
            headers.insert(header::AUTHORIZATION, value.parse().expect("a value"));
            assert_eq!(sent(&headers), key, "{value}");
        }
    }
}
