//! What the researcher changes.

use super::super::app::{App, blocking};
use super::super::reply::{self, Place};
use super::pages;
use super::session::{Sent, Session, see};
use crate::error::Error;
use crate::raters::{self, Deletion, NewRater};
use crate::{audit, decisions, secret, settings};
use axum::extract::State;
use axum::response::Response;
use eval_ssa::Adjudication;
use web_server::answer;

/// The most raters that one form adds.
const MOST: usize = 500;

fn refused(error: &Error) -> Response {
    let (status, why) = reply::status(error);
    answer::text(status, &why)
}

/// Adds raters, one for each line of labels, and shows their links this once.
pub(super) async fn add_raters(State(app): State<App>, session: Session, sent: Sent) -> Response {
    let labels: Vec<String> = sent
        .get("labels")
        .lines()
        .map(str::trim)
        .filter(|label| !label.is_empty())
        .map(str::to_owned)
        .collect();
    if labels.is_empty() || labels.len() > MOST {
        let why = format!("give 1 to {MOST} labels, one a line");
        return refused(&Error::Invalid(why));
    }
    let rates = sent.get("rates") == "yes";
    let chats = match sent.get("chats").trim() {
        "" => Ok(0),
        number => number.parse::<u32>(),
    };
    let Some(chats) = chats.ok().filter(|chats| *chats <= raters::MOST_CHATS) else {
        let why =
            format!("conversations: a whole number from 0 to {} is needed", raters::MOST_CHATS);
        return refused(&Error::Invalid(why));
    };
    let added = app.project.write(move |db| {
        let now = secret::now();
        let add = |label: String| {
            let invitation =
                raters::add(db, &NewRater { label: label.clone(), rates, chats }, "admin", now)?;
            Ok((label, invitation))
        };
        labels.into_iter().map(add).collect::<crate::error::Result<Vec<_>>>()
    });
    match added.await {
        Ok(links) => pages::links(&app, &session, &links),
        Err(error) => refused(&error),
    }
}

/// Pauses, renews or deletes a rater.
pub(super) async fn change_rater(
    State(app): State<App>,
    Place(key): Place<String>,
    session: Session,
    sent: Sent,
) -> Response {
    let now = secret::now();
    let changed = match sent.get("action") {
        "renew" => {
            let renewed = app.project.write(move |db| raters::renew(db, &key, "admin", now)).await;
            return match renewed {
                Ok(invitation) => {
                    let links = [(invitation.rater.clone(), invitation)];
                    pages::links(&app, &session, &links)
                }
                Err(error) => refused(&error),
            };
        }
        action @ ("pause" | "resume") => {
            let pause = action == "pause";
            app.project.write(move |db| raters::pause(db, &key, pause, "admin", now)).await
        }
        action @ ("delete" | "delete-all") if sent.get("sure") != "yes" => {
            return pages::confirm_deletion(&app, &session, &key, action == "delete-all");
        }
        action @ ("delete" | "delete-all") => {
            let deletion =
                if action == "delete" { Deletion::KeepVotes } else { Deletion::WithVotes };
            let deleted =
                app.project.write(move |db| raters::delete(db, &key, deletion, "admin", now)).await;
            match deleted {
                Ok(()) => blocking(&app, |app| app.project.store().truncate_log()).await,
                Err(error) => Err(error),
            }
        }
        _ => Err(Error::invalid("choose what to change")),
    };
    match changed {
        Ok(()) => see("/admin/raters"),
        Err(error) => refused(&error),
    }
}

/// Decides on an item without a majority, or takes a decision back.
pub(super) async fn decide(State(app): State<App>, sent: Sent) -> Response {
    let (key, now) = (sent.get("item").to_owned(), secret::now());
    let (sensible, specific) = match sent.get("label") {
        "not-sensible" => (false, false),
        "sensible" => (true, false),
        "specific" => (true, true),
        "withdraw" => {
            let gone = app.project.write(move |db| decisions::withdraw(db, &key, "admin", now));
            return decided(&app, gone.await);
        }
        _ => return refused(&Error::invalid("choose a label")),
    };
    let decision = Adjudication {
        item: key,
        by: sent.get("by").to_owned(),
        sensible,
        specific,
        note: sent.get("note").to_owned(),
        made_at: None,
    };
    let votes = app.settings.votes;
    let kept =
        app.project.write(move |db| decisions::adjudicate(db, votes, &decision, "admin", now));
    decided(&app, kept.await)
}

fn decided(app: &App, done: crate::error::Result<()>) -> Response {
    match done {
        Ok(()) => {
            app.statistics.forget();
            see("/admin/undecided")
        }
        Err(error) => refused(&error),
    }
}

/// Puts another guideline in force.
pub(super) async fn guideline(State(app): State<App>, sent: Sent) -> Response {
    // Browsers send line ends as CR LF.
    let text = sent.get("text").replace("\r\n", "\n");
    let changed = blocking(&app, move |app| app.project.change_guideline(&text, "admin")).await;
    match changed {
        Ok(_) => see("/admin/guideline"),
        Err(error) => refused(&error),
    }
}

/// Shows the names of systems, for good.
pub(super) async fn names(State(app): State<App>, sent: Sent) -> Response {
    if sent.get("sure") != "yes" {
        return refused(&Error::invalid("tick the box to show the names"));
    }
    let shown = app.project.write(|db| {
        settings::put(db, "names_shown", &true)?;
        audit::log(db, secret::now(), "admin", "names shown", "")
    });
    match shown.await {
        Ok(()) => {
            app.statistics.forget();
            see("/admin/results")
        }
        Err(error) => refused(&error),
    }
}
