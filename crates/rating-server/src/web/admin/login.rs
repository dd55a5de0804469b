//! In and out.

use super::super::app::{App, blocking};
use super::super::page::page as frame;
use super::super::reply;
use super::session::{self, Sent, see};
use crate::audit;
use crate::error::Error;
use crate::{password, secret, settings};
use axum::Extension;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::html;
use serde::Deserialize;
use web_server::answer;
use web_server::client::{client, is_forwarded};
use web_server::listen::Peer;

/// The key of all who come through the proxy.
const ALL: &str = "all";

/// A hash that no password has, so that a project without one takes as long to refuse.
const NONE: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[derive(Deserialize)]
pub(super) struct Login {
    password: String,
}

pub(super) async fn home() -> Response {
    see("/admin")
}

pub(super) async fn page(State(app): State<App>) -> Response {
    form(&app, StatusCode::OK, None)
}

fn form(app: &App, status: StatusCode, trouble: Option<&str>) -> Response {
    let body = html! {
        main { section {
            h1 { (app.settings.name) }
            @if let Some(trouble) = trouble { p.trouble role="alert" { (trouble) } }
            form method="post" action="/admin/login" {
                label for="password" { "Researcher's password" }
                input #password type="password" name="password" required autofocus
                    autocomplete="current-password";
                div.tools { button.main type="submit" { "Log in" } }
            }
            p.quiet { "Raters do not log in: they open the link they were given." }
        } }
    };
    frame(status, ("en", "ltr"), &app.settings.name, None, &body)
}

pub(super) async fn log_in(
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    Form(Login { password }): Form<Login>,
) -> Response {
    let too_many = || {
        let why = "Too many attempts. Wait a while, then try again.";
        form(&app, StatusCode::TOO_MANY_REQUESTS, Some(why))
    };
    if app.logins.take(&client(peer.ip(), &headers, app.is_proxied)).is_err() {
        return too_many();
    }
    let Ok(_place) = app.hashing.acquire().await else { return Error::Closed.into_response() };
    let is_forwarded = is_forwarded(peer.ip(), app.is_proxied);
    if is_forwarded && app.forwarded_logins.take(ALL).is_err() {
        return too_many();
    }
    let right = blocking(&app, move |app| {
        let hash: Option<String> = app.project.store().read(|db| settings::get(db, "password"))?;
        Ok(password::verify(&password, hash.as_deref().unwrap_or(NONE)) && hash.is_some())
    });
    match right.await {
        Ok(true) if is_forwarded => app.forwarded_logins.give_back(ALL),
        Ok(true) => {}
        Ok(false) => {
            let noted = app
                .project
                .write(|db| audit::log(db, secret::now(), "admin", "wrong password", ""));
            if let Err(error) = noted.await {
                return error.into_response();
            }
            let why = "This is not the password.";
            return form(&app, StatusCode::FORBIDDEN, Some(why));
        }
        Err(error) => return error.into_response(),
    }
    let secure = app.url.starts_with("https://");
    let name = session::cookie_name(&app);
    let begun = app.project.write(move |db| {
        let now = secret::now();
        audit::log(db, now, "admin", "logged in", "")?;
        session::begin(db, &name, secure, now)
    });
    match begun.await {
        Ok(cookie) => {
            let mut response = see("/admin");
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => error.into_response(),
    }
}

pub(super) async fn log_out(State(app): State<App>, headers: HeaderMap, _: Sent) -> Response {
    let name = session::cookie_name(&app);
    let cookie = session::set_cookie(&name, "", 0, false);
    let ended = app.project.write(move |db| session::end(db, &name, &headers)).await;
    if let Err(error) = ended {
        let (status, why) = reply::status(&error);
        return answer::text(status, &why);
    }
    let mut response = see("/admin/login");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
