//! The other pages of the researcher.

use super::super::app::{App, blocking};
use super::super::page::page;
use super::super::reply;
use super::session::Session;
use crate::error::Error;
use crate::export::Export;
use crate::guideline as stored;
use crate::progress::Status;
use crate::raters::{Invitation, RaterInfo};
use crate::secret::iso;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use web_server::answer;

const MENU: [(&str, &str); 7] = [
    ("/admin", "Progress"),
    ("/admin/results", "Results"),
    ("/admin/raters", "Raters"),
    ("/admin/undecided", "Undecided"),
    ("/admin/guideline", "Guideline"),
    ("/admin/export", "Export"),
    ("/admin/log", "Log"),
];

/// A page with the menu.
pub(super) fn admin(app: &App, session: &Session, title: &str, body: &Markup) -> Response {
    let whole = html! {
        header.top {
            h1 { (app.settings.name) }
            nav aria-label="Pages" {
                @for (path, name) in MENU {
                    a href=(path) aria-current=[(name == title).then_some("page")] { (name) }
                }
                form method="post" action="/admin/logout" {
                    (csrf(session))
                    button type="submit" { "Log out" }
                }
            }
        }
        main.broad { (body) }
    };
    let head = format!("{title} – {}", app.settings.name);
    page(StatusCode::OK, ("en", "ltr"), &head, Some("/assets/admin.js"), &whole)
}

pub(super) fn csrf(session: &Session) -> Markup {
    html! { input type="hidden" name="csrf" value=(session.csrf); }
}

pub(super) fn failed(error: &Error) -> Response {
    let (status, why) = reply::status(error);
    answer::text(status, &why)
}

pub(super) async fn overview(State(app): State<App>, session: Session) -> Response {
    let status = match blocking(&app, |app| app.project.status()).await {
        Ok(status) => status,
        Err(error) => return failed(&error),
    };
    let body = html! {
        section {
            h2 { "Progress" }
            progress #votes-bar max=(status.wanted.max(1)) value=(status.votes)
                aria-label="Votes" {}
            dl.numbers #live { (numbers(&status)) }
            p.quiet role="status" #live-note {}
        }
    };
    admin(&app, &session, "Progress", &body)
}

fn numbers(status: &Status) -> Markup {
    let rows = [
        ("votes", "Votes", status.votes),
        ("wanted", "Votes wanted", status.wanted),
        ("full", "Items and pairs with all votes", status.full),
        ("items", "Items and pairs", status.items),
        ("open", "In front of raters now", status.open),
        ("skipped", "Skipped", status.skipped),
        ("late", "Too late to count", status.late),
        ("active", "Raters in the last five minutes", status.active),
        ("raters", "Raters", status.raters),
        ("chats", "Conversations", status.chats),
        ("chats_wanted", "Conversations wanted", status.chats_wanted),
    ];
    html! {
        @for (name, label, value) in rows {
            div { dt { (label) } dd data-live=(name) { (value) } }
        }
    }
}

pub(super) async fn raters(State(app): State<App>, session: Session) -> Response {
    let list = match blocking(&app, |app| app.project.raters()).await {
        Ok(list) => list,
        Err(error) => return failed(&error),
    };
    let body = html! {
        section {
            h2 { "Raters" }
            @if list.is_empty() { p { "There are none yet." } } @else {
                div.wide tabindex="0" role="region" aria-label="Raters" { table {
                    thead { tr {
                        th scope="col" { "Rater" } th scope="col" { "Label" }
                        th scope="col" { "State" } th scope="col" { "Votes" }
                        th scope="col" { "Skipped" } th scope="col" { "Practice" }
                        th scope="col" { "Chats" } th scope="col" { "Last answer" }
                        th scope="col" { "Change" }
                    } }
                    tbody { @for rater in &list { (row(rater, &session)) } }
                } }
            }
        }
        section {
            h2 { "Add raters" }
            form method="post" action="/admin/raters" {
                (csrf(&session))
                label for="labels" { "Labels, one a line. Only you see them." }
                textarea #labels name="labels" rows="4" required {}
                label { input type="checkbox" name="rates" value="yes" checked; " rate items" }
                label for="chats" { "Conversations each of them holds first" }
                input #chats type="number" name="chats" min="0" max=(crate::raters::MOST_CHATS)
                    value="0";
                div.tools { button.main type="submit" { "Make links" } }
            }
        }
    };
    admin(&app, &session, "Raters", &body)
}

fn row(rater: &RaterInfo, session: &Session) -> Markup {
    let name = if rater.label.is_empty() { &rater.key } else { &rater.label };
    let is_deleted = rater.state == "deleted";
    let leaves = rater.seats > 0 || rater.chats_done > 0;
    let actions = match is_deleted {
        // Whose votes and other answers were kept may want them gone, too.
        true if leaves => vec![("delete-all", "Delete all votes, too")],
        true => vec![],
        false => vec![
            ("renew", "New link; the old one ends"),
            if rater.state == "paused" { ("resume", "Go on") } else { ("pause", "Pause") },
            ("delete", "Delete the person, keep votes"),
            ("delete-all", "Delete the person and all votes"),
        ],
    };
    html! {
        tr {
            th scope="row" { (rater.key) } td { (rater.label) } td { (rater.state) }
            td { (rater.votes) } td { (rater.skipped) } td { (rater.practice) }
            td { (rater.chats_done) " of " (rater.chats) }
            td.moment { @if let Some(at) = rater.last { (&iso(at)[..16].replace('T', " ")) } }
            td { @if !actions.is_empty() {
                form.inline method="post" action=(format!("/admin/raters/{}", rater.key)) {
                    (csrf(session))
                    select name="action" required aria-label=(format!("Change {name}")) {
                        option value="" { "Choose" }
                        @for (value, label) in actions { option value=(value) { (label) } }
                    }
                    button type="submit" aria-label=(format!("Do it: {name}")) { "Do it" }
                }
            } }
        }
    }
}

/// Asks once more before a rater is deleted, and says what goes.
pub(super) fn confirm_deletion(app: &App, session: &Session, key: &str, votes: bool) -> Response {
    let (action, going) = if votes {
        (
            "delete-all",
            "The link, the label, comments and all votes go, and others are asked for those votes. \
             Conversations that this person held go with everybody's votes on them.",
        )
    } else {
        (
            "delete",
            "The link, the label, comments, reasons for skipping and times go. The votes stay under a \
             name that says nothing.",
        )
    };
    let body = html! {
        section {
            h2 { "Delete rater " (key) }
            p { (going) " This cannot be undone." }
            form method="post" action=(format!("/admin/raters/{key}")) {
                (csrf(session))
                input type="hidden" name="action" value=(action);
                input type="hidden" name="sure" value="yes";
                div.tools {
                    button.main type="submit" { "Delete" }
                    a.button href="/admin/raters" { "Keep" }
                }
            }
        }
    };
    admin(app, session, "Raters", &body)
}

/// The links of new raters, which are shown this once.
pub(super) fn links(app: &App, session: &Session, links: &[(String, Invitation)]) -> Response {
    let body = html! {
        section {
            h2 { "Links" }
            p.trouble { "Keep these links now: they are not stored and cannot be shown again." }
            div.wide tabindex="0" role="region" aria-label="Links" { table {
                thead { tr { th scope="col" { "Label" } th scope="col" { "Rater" } th scope="col" { "Link" } } }
                tbody { @for (label, invitation) in links { tr {
                    th scope="row" { (label) } td { (invitation.rater) }
                    td { code.link { (app.url) "/r/" (invitation.token) } }
                } } }
            } }
            div.tools { a.button href="/admin/raters" { "Done" } }
        }
    };
    admin(app, session, "Raters", &body)
}

pub(super) async fn guideline(State(app): State<App>, session: Session) -> Response {
    let current = blocking(&app, |app| app.project.store().read(stored::current)).await;
    let (version, text) = match current {
        Ok(Some((_, guideline))) => {
            let text = toml::to_string_pretty(&guideline).unwrap_or_default();
            (guideline.version, text)
        }
        Ok(None) => (String::new(), String::new()),
        Err(error) => return failed(&error),
    };
    let body = html! {
        section {
            h2 { "Guideline " (version) }
            p {
                "Raters read the guideline and its practice items before they begin. When you put another \
                 one in force, all read it again; every answer keeps the version it was given under. \
                 Change `version` with the text."
            }
            form method="post" action="/admin/guideline" {
                (csrf(&session))
                label for="text" { "Guideline (TOML)" }
                textarea.code #text name="text" rows="24" spellcheck="true" { (text) }
                div.tools { button.main type="submit" { "Put in force" } }
            }
        }
    };
    admin(&app, &session, "Guideline", &body)
}

pub(super) async fn export(State(app): State<App>, session: Session) -> Response {
    let body = html! {
        section {
            h2 { "Export" }
            p {
                "Files as of now. While systems are blind, ids and conversations have names that say \
                 nothing. No cell of the CSV file runs as a formula in a spreadsheet."
            }
            ul { @for export in Export::ALL {
                li { a href=(format!("/admin/export/{}", export.file_name())) download { (export.file_name()) } }
            } }
        }
    };
    admin(&app, &session, "Export", &body)
}

pub(super) async fn log(State(app): State<App>, session: Session) -> Response {
    let entries = match blocking(&app, |app| app.project.audit(500)).await {
        Ok(entries) => entries,
        Err(error) => return failed(&error),
    };
    let body = html! {
        section {
            h2 { "Log" }
            div.wide tabindex="0" role="region" aria-label="Log" { table {
                thead { tr {
                    th scope="col" { "When (UTC)" } th scope="col" { "Who" }
                    th scope="col" { "What" } th scope="col" { "More" }
                } }
                tbody { @for entry in entries { tr {
                    td { (iso(entry.at)) } td { (entry.who) } td { (entry.what) } td { (entry.detail) }
                } } }
            } }
        }
    };
    admin(&app, &session, "Log", &body)
}
