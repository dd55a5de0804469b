//! The page with scores and agreement.

use super::super::app::{App, blocking};
use super::super::reply;
use super::pages::admin;
use super::session::Session;
use crate::records::Names;
use crate::report;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use web_server::answer;

pub(super) async fn page(State(app): State<App>, session: Session) -> Response {
    let numbers = blocking(&app, |app| app.statistics.get(&app.project)).await;
    let numbers = match numbers {
        Ok(numbers) => numbers,
        Err(error) => {
            let (status, why) = reply::status(&error);
            return answer::text(status, &why);
        }
    };
    let body = html! {
        p.quiet role="status" #live-note {}
        div #live-results { (report::body(&numbers.summary)) }
        @if numbers.names == Names::Blind { (show_names(&session)) }
    };
    admin(&app, &session, "Results", &body)
}

fn show_names(session: &Session) -> Markup {
    html! {
        section {
            h2 { "Names" }
            p { "Systems have blind names, here and in exports. Once shown, names cannot be hidden again." }
            form method="post" action="/admin/names" {
                input type="hidden" name="csrf" value=(session.csrf);
                label { input type="checkbox" name="sure" value="yes" required; " Rating is finished" }
                div.tools { button type="submit" { "Show the names of systems" } }
            }
        }
    }
}
