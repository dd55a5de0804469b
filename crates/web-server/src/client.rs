//! Who asks, for limits on how often a client may ask.

use axum::http::HeaderMap;
use std::net::IpAddr;

/// Who asks, as a key of [`Buckets`](crate::buckets::Buckets): an address, of IPv6 the network of a
/// household.
///
/// `peer` is the other end of the connection. Behind a proxy on this machine (`is_proxied`) that is
/// the proxy, for whoever asks: then the last address of `X-Forwarded-For` counts, which the proxy
/// adds. Nobody else is believed, and what stands before that address may be the client's own
/// invention.
///
/// ```
/// use axum::http::HeaderMap;
/// use web_server::client::client;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "203.0.113.9".parse()?);
/// let proxy = "127.0.0.1".parse()?;
/// assert_eq!(client(proxy, &headers, true), "203.0.113.9");
/// assert_eq!(client(proxy, &headers, false), "127.0.0.1");
/// assert_eq!(client("198.51.100.7".parse()?, &headers, true), "198.51.100.7");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn client(peer: IpAddr, headers: &HeaderMap, is_proxied: bool) -> String {
    key(asker(peer, headers, is_proxied))
}

/// Whether a request comes through a proxy on this machine, where `is_proxied` says that there is
/// one. A proxy that neither sets nor adds to `X-Forwarded-For` hands on the client's own, so that
/// [`client`] is whatever the client likes.
pub fn is_forwarded(peer: IpAddr, is_proxied: bool) -> bool {
    is_proxied && peer.to_canonical().is_loopback()
}

/// The address that asks.
fn asker(peer: IpAddr, headers: &HeaderMap, is_proxied: bool) -> IpAddr {
    if !is_forwarded(peer, is_proxied) {
        return peer;
    }
    let all = headers.get_all("x-forwarded-for").iter().next_back();
    let last = all.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.unwrap_or(peer)
}

/// An address, of IPv6 the network of a household.
fn key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:?}", &address.segments()[..4]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_client_is_an_address_or_a_network() {
        let key = |text: &str| key(address(text));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    }

    #[test]
    fn a_request_is_forwarded_by_a_proxy_on_this_machine() {
        let forwarded = |peer: &str, is_proxied| is_forwarded(address(peer), is_proxied);
        assert!(forwarded("127.0.0.1", true) && forwarded("::ffff:127.0.0.1", true));
        assert!(!forwarded("127.0.0.1", false) && !forwarded("10.0.0.1", true));
    }

    #[test]
    fn a_proxy_on_this_machine_alone_says_who_asks() {
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
}
