//! Who is logged in.

use super::super::app::{App, blocking};
use crate::error::{Error, Result};
use crate::secret;
use axum::extract::FromRequest;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use web_server::answer;

/// How long a session lasts, in milliseconds.
const LASTS: i64 = 12 * 3_600_000;

/// The name of a study's cookie: browsers keep one jar for all ports of a machine, and two studies
/// may have one seed.
pub(super) fn cookie_name(app: &App) -> String {
    let file = app.project.path().as_os_str().as_encoded_bytes();
    let study = secret::keyed_name(app.project.settings().seed, &[b"cookie", file], 6);
    format!("rating_session_{study}")
}

/// A session that has not ended.
pub(super) struct Session {
    pub(super) csrf: String,
}

/// A form that was sent from one of our own pages, in a session.
pub(super) struct Sent(pub(super) HashMap<String, String>);

impl Sent {
    /// A field; empty if it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let name = cookie_name(app);
        let found = cookie(&parts.headers, &name);
        let Some(token) = found else { return Err(to_login(&parts.method)) };
        let token = token.to_owned();
        let csrf = blocking(app, move |app| {
            app.project.store().read(|db| {
                Ok(db
                    .prepare_cached("SELECT csrf FROM session WHERE token = ?1 AND until > ?2")?
                    .query_row((web_server::secret::hash(&token), secret::now()), |row| row.get(0))
                    .optional()?)
            })
        });
        match csrf.await {
            Ok(Some(csrf)) => Ok(Self { csrf }),
            Ok(None) => Err(to_login(&parts.method)),
            Err(error) => Err(error.into_response()),
        }
    }
}

impl FromRequest<App> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let form: axum::Form<HashMap<String, String>> =
            axum::Form::from_request(request, app).await.map_err(IntoResponse::into_response)?;
        let sent = form.get("csrf").map_or("", String::as_str);
        if !web_server::secret::same(sent, &session.csrf) {
            let why = "the form is too old, or was not sent by this page: go back and reload";
            return Err(answer::text(StatusCode::FORBIDDEN, why));
        }
        Ok(Self(form.0))
    }
}

/// Begins a session; its cookie, of this name.
pub(super) fn begin(db: &Connection, name: &str, secure: bool, now: i64) -> Result<HeaderValue> {
    let (token, csrf) = (web_server::secret::token(), web_server::secret::token());
    db.execute("DELETE FROM session WHERE until < ?1", [now])?;
    db.execute(
        "INSERT INTO session (token, csrf, until) VALUES (?1, ?2, ?3)",
        (web_server::secret::hash(&token), csrf, now + LASTS),
    )?;
    Ok(set_cookie(name, &token, LASTS / 1000, secure))
}

/// Ends a session.
pub(super) fn end(db: &Connection, name: &str, headers: &HeaderMap) -> Result<()> {
    if let Some(token) = cookie(headers, name) {
        db.execute("DELETE FROM session WHERE token = ?1", [web_server::secret::hash(token)])?;
    }
    Ok(())
}

/// The cookie of a session, or of none.
pub(super) fn set_cookie(name: &str, token: &str, seconds: i64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).expect("tokens are letters and digits")
}

fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

/// Pages lead to the login; everything else is refused.
fn to_login(method: &Method) -> Response {
    if method == Method::GET {
        (StatusCode::SEE_OTHER, [(header::LOCATION, "/admin/login")]).into_response()
    } else {
        answer::text(StatusCode::UNAUTHORIZED, "log in first")
    }
}

/// Leads to another page after a change.
pub(super) fn see(path: &str) -> Response {
    match HeaderValue::from_str(path) {
        Ok(path) => (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response(),
        Err(_) => Error::Unknown("page").into_response(),
    }
}
