//! How raters reach a server: what stands before the paths of its pages.

use crate::error::{Error, Result};
use axum::http::Uri;

/// The address of a server as it is put before `/r/...`: `http://` or `https://`, a name or number,
/// and perhaps a port. A slash at its end is taken away.
///
/// # Errors
/// [`Error::Invalid`] says what it is not.
pub fn base_url(url: &str) -> Result<String> {
    let wrong = |why: &str| {
        Error::Invalid(format!(
            "{url:?} is no address of a server, as https://study.example.org: {why}"
        ))
    };
    let uri: Uri = url.parse().map_err(|_| wrong("it cannot be read"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it begins neither with http:// nor with https://"));
    }
    if uri.authority().is_none_or(|place| place.host().is_empty() || place.as_str().contains('@')) {
        return Err(wrong("it names no machine"));
    }
    if !uri.path().trim_end_matches('/').is_empty() || uri.query().is_some() {
        return Err(wrong("the pages stand at its root, not below a path"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_name_and_no_path() {
        for (given, kept) in [
            ("https://study.example.org", "https://study.example.org"),
            ("https://study.example.org:444/", "https://study.example.org:444"),
            ("http://[::1]:8642", "http://[::1]:8642"),
        ] {
            assert_eq!(base_url(given).expect("an address"), kept);
        }
        for wrong in [
            "",
            "foo",
            "ftp://x",
            "https://",
            "http://a b",
            "http://u:p@x.org",
            "x.org:80",
            "https://x.org/study",
            "https://x.org/?a=b",
        ] {
            assert!(matches!(base_url(wrong), Err(Error::Invalid(_))), "{wrong}");
        }
    }
}
