//! The page with items that have no majority, and the decisions on them.

use super::super::app::{App, blocking};
use super::pages::{admin, csrf, failed};
use super::session::Session;
use crate::decisions::{self, RESEARCHER, Undecided, Which};
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use eval_ssa::{Adjudication, Label, Tally};
use maud::{Markup, html};

/// So many are shown; the others follow when these are decided.
const MOST: usize = 100;

pub(super) async fn page(State(app): State<App>, asked: Uri, session: Session) -> Response {
    let all = asked.query() == Some("all=yes");
    let which = if all { Which::All } else { Which::Settled };
    let found = blocking(&app, move |app| {
        let names = app.project.names()?;
        Ok((app.project.undecided(which, MOST)?, app.project.decided(names)?))
    });
    let (list, decided) = match found.await {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    let body = html! {
        section {
            h2 { "Undecided" }
            p {
                "Items without a majority that somebody skipped, or that have all their votes. Decide once \
                 nobody is left to rate them. A decision stands beside the votes and is never counted as \
                 one: results show the scores without decisions and with them. Where votes come to a \
                 majority later, the votes hold."
            }
            @if which == Which::All {
                p { a href="/admin/undecided" { "Leave out items that only lack votes" } }
            } @else {
                p { a href="/admin/undecided?all=yes" { "Show also items that only lack votes" } }
            }
            @if list.is_empty() { p { "There are none." } }
            @if list.len() == MOST { p { "These are the first " (MOST) "." } }
        }
        @for item in &list { (form(item, &session)) }
        @if !decided.is_empty() { (decisions_made(&decided, &session)) }
    };
    admin(&app, &session, "Undecided", &body)
}

fn tally(votes: Tally) -> String {
    format!("{} yes, {} no", votes.yes, votes.no)
}

fn form(item: &Undecided, session: &Session) -> Markup {
    let labels = [
        ("not-sensible", Label::NotSensible),
        ("sensible", Label::Sensible),
        ("specific", Label::Specific),
    ];
    html! {
        section {
            h2 { "Item " (item.key) }
            ol.turns { @for turn in &item.context {
                li.turn { span.speaker { (turn.speaker) } p.said { (turn.text) } }
            } }
            p.reply { (item.response) }
            p.quiet {
                "Sensible: " (tally(item.votes.sensible)) ". Specific: " (tally(item.votes.specific))
                ". Skipped: " (item.votes.skipped) "."
            }
            @for comment in &item.comments { p.said { "“" (comment) "”" } }
            form method="post" action="/admin/undecided" {
                (csrf(session))
                input type="hidden" name="item" value=(item.key);
                fieldset {
                    legend { "Decision" }
                    @for (value, label) in labels {
                        label {
                            input type="radio" name="label" value=(value) required;
                            " " (decisions::name(label))
                        }
                    }
                }
                label { "Why" br; input type="text" name="note" maxlength="500"; }
                label { "Who decides" br;
                    input type="text" name="by" maxlength="100" value=(RESEARCHER) required; }
                div.tools { button.main type="submit" { "Decide" } }
            }
        }
    }
}

fn decisions_made(decided: &[(String, Adjudication)], session: &Session) -> Markup {
    html! {
        section {
            h2 { "Decisions" }
            div.wide tabindex="0" role="region" aria-label="Decisions" { table {
                thead { tr {
                    th scope="col" { "Item" } th scope="col" { "Decision" } th scope="col" { "By" }
                    th scope="col" { "Why" } th scope="col" { "Change" }
                } }
                tbody { @for (key, made) in decided { tr {
                    th scope="row" { (made.item) }
                    td { (decisions::name(made.label())) } td { (made.by) } td { (made.note) }
                    td {
                        form.inline method="post" action="/admin/undecided" {
                            (csrf(session))
                            input type="hidden" name="item" value=(key);
                            input type="hidden" name="label" value="withdraw";
                            button type="submit" aria-label=(format!("Take back: {}", made.item)) {
                                "Take back"
                            }
                        }
                    }
                } } }
            } }
        }
    }
}
