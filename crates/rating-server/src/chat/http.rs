//! What chatbots on the web are asked through, and what it means when they do not answer.

use super::Endpoint;
use crate::error::{Error, Result};
use serde_json::Value;
use std::io;
use std::time::{Duration, SystemTime};
use ureq::http::{HeaderMap, StatusCode, header};

/// How long a partner may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest answer that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// How much of an error's text is told, in characters.
const TOLD: usize = 200;

/// What a server says when an account has no credit left: waiting does not help.
const NO_CREDIT: &str = "insufficient_quota";

/// What chat templates say of a conversation that the user does not begin, and servers with them by
/// statuses of all kinds: waiting does not help.
const ROLES: &str = "roles must alternate";

/// A client that reads answers of any status.
pub(super) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .build()
        .into()
}

/// What came back: its text, and whether it says that it is JSON.
pub(super) struct Answered {
    pub(super) text: String,
    pub(super) is_json: bool,
}

/// Sends JSON.
///
/// # Errors
/// [`Error::ChatBusy`] when asking again later may help, [`Error::ChatLost`] when no answer came
/// over the network, otherwise [`Error::Chat`].
pub(super) fn post(
    request: ureq::RequestBuilder<ureq::typestate::WithBody>,
    body: &Value,
) -> Result<Answered> {
    let request = request.header("content-type", "application/json");
    let mut response = request.send(body.to_string()).map_err(lost)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.body_mut().with_config().limit(LARGEST).read_to_string();
    if status.is_success() {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("text/html") {
            let fault = "it answers with a web page, not with a reply: name the address of its API";
            return Err(Error::Chat(fault.to_owned()));
        }
        let is_json = kind.starts_with("application/json");
        return text.map(|text| Answered { text, is_json }).map_err(lost);
    }
    Err(refused(status, &headers, &text.unwrap_or_default(), SystemTime::now()))
}

/// No whole answer came.
fn lost(error: ureq::Error) -> Error {
    use ureq::Error::{BadUri, ConnectionFailed, HostNotFound, Io, Protocol, Timeout};
    match error {
        Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Error::Chat(format!("its answer cannot be read: {error}"))
        }
        Io(_) | Timeout(_) | ConnectionFailed | HostNotFound | Protocol(_) => {
            Error::ChatLost(error.to_string())
        }
        // It shows the address with all that is in it.
        BadUri(_) => Error::Chat("its address is none: give one as http://HOST:PORT/v1".to_owned()),
        other => Error::Chat(other.to_string()),
    }
}

/// An answer that is no success.
fn refused(status: StatusCode, headers: &HeaderMap, text: &str, now: SystemTime) -> Error {
    let mut why = status.to_string().trim_end_matches(" <unknown status code>").to_owned();
    if !text.trim().is_empty() {
        why = format!("{why}: {}", shortened(text));
    }
    // 529 is what some say for 503.
    let again = matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504 | 529);
    if let (true, Some(place)) = (status.is_redirection(), moved(headers)) {
        return Error::Chat(format!("{why} (it sends on to {place}: ask there, if you trust it)"));
    }
    if !again || text.contains(NO_CREDIT) || text.contains(ROLES) {
        return Error::Chat(why);
    }
    let wait = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    Error::ChatBusy { why, wait: wait.and_then(|value| retry_after(value, now)) }
}

/// What a server says, on one line and not without end.
pub(super) fn shortened(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told: String = text.chars().take(TOLD).collect();
    format!("{told}{}", if told.len() < text.len() { "…" } else { "" })
}

/// Where a redirection points, as an address to name: without what may be secret in it.
fn moved(headers: &HeaderMap) -> Option<String> {
    let place = headers.get(header::LOCATION)?.to_str().ok()?;
    let address = Endpoint::Http { url: place.to_owned() }.address()?;
    Some(address.trim_end_matches("/chat/completions").to_owned())
}

/// How long `Retry-After` says to wait: seconds, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        let forever = seconds.is_finite() && seconds > 1e9;
        let seconds = Duration::try_from_secs_f64(seconds).ok();
        return if forever { Some(seconds.unwrap_or(Duration::MAX)) } else { seconds };
    }
    let until = httpdate::parse_http_date(value).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_in_seconds_or_until_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        let of = |value| retry_after(value, now);
        assert_eq!(of(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(of("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(of("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(of("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO), "it is over");
        assert_eq!(of("1e300"), Some(Duration::MAX));
        for nonsense in ["", "-1", "NaN", "inf", "soon", "tomorrow at 8"] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn some_refusals_end_by_themselves_and_others_do_not() {
        let of = |code: u16, text: &str| {
            let status = StatusCode::from_u16(code).expect("a status");
            refused(status, &HeaderMap::new(), text, SystemTime::now())
        };
        for code in [408, 429, 500, 502, 503, 504, 529] {
            assert!(matches!(of(code, ""), Error::ChatBusy { wait: None, .. }), "{code}");
        }
        for code in [301, 400, 401, 403, 404, 405, 413, 422, 501] {
            assert!(matches!(of(code, ""), Error::Chat(_)), "{code}");
        }
        let mut headers = HeaderMap::new();
        let place = "https://bot.example/v1/chat/completions?key=secret";
        headers.insert(header::LOCATION, header::HeaderValue::from_static(place));
        let said = refused(StatusCode::PERMANENT_REDIRECT, &headers, "", SystemTime::now());
        let said = said.to_string();
        assert!(said.contains("sends on to https://bot.example/v1:"), "{said}");
        assert!(!said.contains("secret"), "{said}");
        let credit = r#"{"error": {"code": "insufficient_quota"}}"#;
        assert!(matches!(of(429, credit), Error::Chat(_)));
        let roles = "Conversation roles must alternate user/assistant/user/assistant/...";
        assert!(matches!(of(500, roles), Error::Chat(_)));
        let said = of(401, "wrong\n  key").to_string();
        assert!(said.ends_with("401 Unauthorized: wrong key"), "{said}");
        assert!(of(529, "").to_string().ends_with(": 529"), "{}", of(529, ""));
        let long = of(404, &"ä".repeat(1000)).to_string();
        assert!(long.ends_with("ä…") && long.chars().count() < 300);
    }
}
