//! What stands around all pages: headers for browsers, the names under which a server is reached,
//! and no requests from pages of other sites.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::net::IpAddr;

/// No script, style, picture or frame from elsewhere, and none written into a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It names no host, which HTTP/1.1 asks for (RFC 9112, section 3.2).
    NoHost,
    /// It names several hosts.
    Hosts,
    /// It is for a server of another name. A page that makes its own name lead to this machine (DNS
    /// rebinding) sends such requests.
    Name,
    /// A page of another site has sent it.
    Site,
}

impl Refusal {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NoHost | Self::Hosts => StatusCode::BAD_REQUEST,
            Self::Name => StatusCode::MISDIRECTED_REQUEST,
            Self::Site => StatusCode::FORBIDDEN,
        }
    }

    /// The same in words.
    pub fn why(self) -> &'static str {
        match self {
            Self::NoHost => "the request names no host",
            Self::Hosts => "the request names two hosts",
            Self::Name => "the server is not known by this name (start it with --public-url)",
            Self::Site => "sent by a page of another site",
        }
    }
}

/// Adds the headers that tell browsers to let nothing foreign in. Nothing is kept in a cache unless
/// the response says so itself.
pub fn protect(headers: &mut HeaderMap) {
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
}

/// Why a request with these headers is not for a server that is reached at `url`, if it is not.
pub fn refusal(method: &Method, headers: &HeaderMap, url: &str) -> Option<Refusal> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else { return Some(Refusal::NoHost) };
    if hosts.any(|other| other != host) {
        return Some(Refusal::Hosts);
    }
    let host = host.to_str().unwrap_or_default();
    if !is_ours(host, url) {
        return Some(Refusal::Name);
    }
    if method != Method::GET && method != Method::HEAD {
        let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        let foreign = site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
        let elsewhere = text(header::ORIGIN).is_some_and(|origin| {
            origin.split_once("://").is_none_or(|(_, place)| place != host && origin != url)
        });
        if foreign || elsewhere {
            return Some(Refusal::Site);
        }
    }
    None
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

    #[test]
    fn a_request_names_one_host() {
        let mut headers = HeaderMap::new();
        let check = |headers: &HeaderMap| {
            let found = refusal(&Method::GET, headers, "http://127.0.0.1:8642");
            found.map(|refusal| (refusal, refusal.status().as_u16()))
        };
        assert_eq!(check(&headers), Some((Refusal::NoHost, 400)));
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert_eq!(check(&headers), None);
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert_eq!(check(&headers), None);
        headers.append(header::HOST, HeaderValue::from_static("evil.example.org"));
        assert_eq!(check(&headers), Some((Refusal::Hosts, 400)));
    }

    #[test]
    fn pages_of_other_sites_read_what_is_public_and_change_nothing() {
        let url = "http://127.0.0.1:8642";
        let check = |method: Method, extra: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8642"));
            for (name, value) in extra {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            refusal(&method, &headers, url)
        };
        assert_eq!(check(Method::POST, &[]), None, "no browser");
        assert_eq!(check(Method::POST, &[("origin", "http://127.0.0.1:8642")]), None);
        for extra in [
            ("origin", "https://evil.example.org"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:9"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert_eq!(check(Method::POST, &[extra]), Some(Refusal::Site), "{extra:?}");
            assert_eq!(check(Method::GET, &[extra]), None, "{extra:?}");
        }
        assert_eq!(check(Method::GET, &[("host", "evil.example.org")]), Some(Refusal::Name));
    }
}
