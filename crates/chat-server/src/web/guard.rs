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
use std::net::IpAddr;
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
    let asker = peer.map(|peer| asker(peer, headers, app.is_proxied));
    if let Err(wait) = buckets.take(&asker.map(client).unwrap_or_default()) {
        return Some(Problem::too_often(wait));
    }
    wrong.then(Problem::no_key)
}

/// The address that asks: the last one of `X-Forwarded-For`, which a proxy on this machine adds, or
/// that of the connection. Nobody else is believed.
fn asker(peer: IpAddr, headers: &HeaderMap, is_proxied: bool) -> IpAddr {
    if !is_proxied || !peer.to_canonical().is_loopback() {
        return peer;
    }
    let all = headers.get_all("x-forwarded-for").iter().next_back();
    let last = all.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.unwrap_or(peer)
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
    fn a_proxy_on_this_machine_alone_says_who_asks() {
        let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let mut headers = HeaderMap::new();
        let asks = |peer: &str, headers: &HeaderMap, is_proxied| {
            asker(address(peer), headers, is_proxied).to_string()
        };
        assert_eq!(asks("127.0.0.1", &headers, true), "127.0.0.1");
        // The client itself wrote what stands before the last one.
        headers.append("x-forwarded-for", "9.9.9.9".parse().expect("a value"));
        headers.append("x-forwarded-for", "9.9.9.9, 10.0.0.7".parse().expect("a value"));
        assert_eq!(asks("::1", &headers, true), "10.0.0.7");
        assert_eq!(asks("::1", &headers, false), "::1");
        assert_eq!(asks("10.0.0.1", &headers, true), "10.0.0.1");
        headers.append("x-forwarded-for", "unknown".parse().expect("a value"));
        assert_eq!(asks("127.0.0.1", &headers, true), "127.0.0.1");
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
