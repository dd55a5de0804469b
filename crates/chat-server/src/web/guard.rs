//! What stands around all addresses: headers, the names under which the server is reached, the key,
//! and how often a client may ask.

use super::app::App;
use super::problem::Problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use web_server::guard::{Refusal, protect, refusal};
use web_server::listen::Peer;
use web_server::secret::same;

/// Puts the guards around all addresses.
pub(super) fn around(all: Router, app: &App) -> Router {
    all.layer(middleware::from_fn_with_state(app.clone(), guard))
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match problem(&app, &request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    protect(response.headers_mut());
    response
}

/// Why a request is not looked at.
fn problem(app: &App, request: &Request) -> Option<Problem> {
    let (method, headers) = (request.method(), request.headers());
    match refusal(method, headers, &app.url) {
        Some(Refusal::Name) => return Some(Problem::wrong_name()),
        Some(Refusal::Site) => return Some(Problem::foreign()),
        None => {}
    }
    let path = request.uri().path();
    // The page and its parts say nothing of the model; the page asks for the key itself.
    if !path.starts_with("/v1/") && !path.starts_with("/api/") {
        return None;
    }
    let sent = sent(headers);
    let wrong = app.key.as_ref().is_some_and(|key| !sent.is_some_and(|sent| same(sent, key)));
    // Wrong keys count like replies that are asked for.
    if wrong || method == Method::POST {
        let peer = request.extensions().get::<Peer>().map(|peer| client(peer.0.ip()));
        if let Err(wait) = app.clients.take(&peer.unwrap_or_default()) {
            return Some(Problem::too_often(wait));
        }
    }
    wrong.then(Problem::no_key)
}

/// The key that came along.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Who asks: an address, of IPv6 the network of a household.
fn client(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:?}", &address.segments()[..4]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_a_network() {
        let client = |text: &str| client(text.parse().expect("an address"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    }

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
