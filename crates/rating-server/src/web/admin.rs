//! The researcher's pages. Each needs a session; each change needs the session's own secret in the
//! form as well, so that no other page can send it.

mod actions;
mod login;
mod pages;
mod results;
mod session;
mod undecided;

use super::app::{App, blocking};
use super::reply::{self, Place};
use crate::error::Error;
use crate::export::Export;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use session::Session;
use web_server::answer;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(login::home))
        .route("/admin/login", get(login::page).post(login::log_in))
        .route("/admin/logout", post(login::log_out))
        .route("/admin", get(pages::overview))
        .route("/admin/progress.json", get(progress))
        .route("/admin/results", get(results::page))
        .route("/admin/raters", get(pages::raters).post(actions::add_raters))
        .route("/admin/raters/{key}", post(actions::change_rater))
        .route("/admin/undecided", get(undecided::page).post(actions::decide))
        .route("/admin/guideline", get(pages::guideline).post(actions::guideline))
        .route("/admin/export", get(pages::export))
        .route("/admin/export/{file}", get(export))
        .route("/admin/names", post(actions::names))
        .route("/admin/log", get(pages::log))
        .layer(DefaultBodyLimit::max(1 << 20))
}

async fn progress(State(app): State<App>, _: Session) -> Response {
    match blocking(&app, |app| app.project.status()).await {
        Ok(status) => answer::json(StatusCode::OK, &status),
        Err(error) => error.into_response(),
    }
}

async fn export(State(app): State<App>, _: Session, Place(file): Place<String>) -> Response {
    let Some(export) = Export::ALL.into_iter().find(|export| export.file_name() == file) else {
        return Error::Unknown("export").into_response();
    };
    let bytes = blocking(&app, move |app| {
        let names = app.project.names()?;
        export.bytes(&app.project.study(names)?)
    });
    match bytes.await {
        Ok(bytes) => {
            let kind = match file.rsplit_once('.').map(|(_, end)| end) {
                Some("csv") => "text/csv; charset=utf-8",
                Some("json") => "application/json",
                Some("parquet") => "application/vnd.apache.parquet",
                _ => "application/jsonl",
            };
            reply::file(export.file_name(), kind, bytes)
        }
        Err(error) => error.into_response(),
    }
}
