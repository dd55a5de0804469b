//! The page with scores and agreement.

use super::super::app::{App, blocking};
use super::super::numbers::Numbers;
use super::super::reply;
use super::pages::admin;
use super::session::Session;
use crate::records::Names;
use axum::extract::State;
use axum::response::Response;
use eval_ssa::Mode;
use eval_ssa::agreement::Statistic;
use eval_ssa::bootstrap::Estimate;
use eval_ssa::quality::RaterQuality;
use eval_ssa::score::Score;
use maud::{Markup, html};
use std::collections::BTreeMap;

fn percent(estimate: Option<&Estimate>) -> Markup {
    html! {
        @match estimate {
            Some(estimate) => {
                (format!("{:.1} %", 100.0 * estimate.value)) " "
                span.quiet {
                    @let [low, high] = estimate.percentile.map(|bound| 100.0 * bound);
                    (format!("[{low:.1}, {high:.1}]"))
                    @if estimate.degenerate { " no variation" }
                    @if let Some([low, high]) = few(estimate) {
                        (format!(" few, rather [{low:.1}, {high:.1}]"))
                    }
                }
            }
            None => "–",
        }
    }
}

/// So few contexts or conversations make percentile intervals too narrow.
const FEW: usize = 20;

/// The interval for small samples, in percent, where it is the one to read.
fn few(estimate: &Estimate) -> Option<[f64; 2]> {
    let interval =
        estimate.small_sample.filter(|_| estimate.units <= FEW && !estimate.degenerate)?;
    Some(interval.map(|bound| 100.0 * bound))
}

fn statistic(statistic: &Statistic) -> String {
    format!("{statistic:.3}")
}

pub(super) async fn page(State(app): State<App>, session: Session) -> Response {
    let numbers = blocking(&app, |app| app.statistics.get(&app.project)).await;
    let numbers = match numbers {
        Ok(numbers) => numbers,
        Err(error) => {
            let (status, why) = reply::status(&error);
            return reply::text(status, &why);
        }
    };
    let body = html! {
        (scores(&numbers.scores))
        (agreement(&numbers))
        (preferences(&numbers.preferences))
        (quality_table(&numbers.quality))
        @if numbers.names == Names::Blind { (show_names(&session)) }
    };
    admin(&app, &session, "Results", &body)
}

fn scores(scores: &[Score]) -> Markup {
    html! {
        section {
            h2 { "Scores" }
            @if scores.is_empty() { p { "There are no responses yet." } }
            @else {
                p.quiet {
                    "By the majority of the required votes, with 95 % intervals: percentile \
                     bootstrap over contexts or conversations. With 20 of those or fewer it is too narrow, and \
                     an interval for small samples stands beside it. Undecided responses do not \
                     count; the last column says between which values the SSA can still end."
                }
                div.wide tabindex="0" role="region" aria-label="Scores" { table {
                    thead { tr {
                        th scope="col" { "System" } th scope="col" { "Mode" }
                        th scope="col" { "Decided" } th scope="col" { "Undecided" }
                        th scope="col" { "Sensibleness" } th scope="col" { "Specificity" }
                        th scope="col" { "SSA" } th scope="col" { "SSA bounds" }
                    } }
                    tbody { @for score in scores { tr {
                        th scope="row" { (score.system) }
                        td { (match score.mode { Mode::Static => "static", Mode::Interactive => "interactive" }) }
                        td { (score.progress.decided) " of " (score.progress.responses) }
                        td { (score.progress.undecided) }
                        td { (percent(score.sensibleness.as_ref())) }
                        td { (percent(score.specificity.as_ref())) }
                        td { (percent(score.ssa.as_ref())) }
                        td { @if let Some([low, high]) = score.ssa_bounds {
                            (format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high))
                        } }
                    } } }
                } }
            }
        }
    }
}

fn agreement(numbers: &Numbers) -> Markup {
    html! {
        section {
            h2 { "Agreement" }
            div.wide tabindex="0" role="region" aria-label="Agreement" { table {
                thead { tr {
                    th scope="col" { "Question" } th scope="col" { "Votes" }
                    th scope="col" { "Equal pairs" } th scope="col" { "Krippendorff's alpha" }
                    th scope="col" { "Fleiss' kappa" } th scope="col" { "Mean Cohen's kappa" }
                } }
                tbody {
                    @for (name, agreement) in
                        [("sensible", &numbers.sensible), ("specific, no where not sensible", &numbers.specific)]
                    { tr {
                        th scope="row" { (name) }
                        td { (agreement.votes) }
                        td { (statistic(&agreement.pairwise)) }
                        td { (statistic(&agreement.alpha)) }
                        td { (statistic(&agreement.fleiss)) }
                        td { (statistic(&agreement.mean_cohen)) }
                    } }
                }
            } }
            @for warning in [numbers.sensible.warning(), numbers.specific.warning()].iter().flatten() {
                p { (warning) }
            }
        }
    }
}

fn preferences(preferences: &BTreeMap<[String; 2], [usize; 4]>) -> Markup {
    html! {
        @if !preferences.is_empty() {
            section {
                h2 { "Side by side" }
                div.wide tabindex="0" role="region" aria-label="Side by side" { table {
                    thead { tr {
                        th scope="col" { "First" } th scope="col" { "Second" }
                        th scope="col" { "First is better" } th scope="col" { "Second is better" }
                        th scope="col" { "As good" } th scope="col" { "Both bad" }
                    } }
                    tbody { @for ([first, second], counts) in preferences { tr {
                        th scope="row" { (first) } td { (second) }
                        @for count in counts { td { (count) } }
                    } } }
                } }
            }
        }
    }
}

fn quality_table(quality: &[RaterQuality]) -> Markup {
    html! {
        @if !quality.is_empty() {
            section {
                h2 { "Raters" }
                div.wide tabindex="0" role="region" aria-label="Raters" { table {
                    thead { tr {
                        th scope="col" { "Rater" } th scope="col" { "Answers" }
                        th scope="col" { "Skipped" } th scope="col" { "Gold right" }
                        th scope="col" { "Agrees, sensible" } th scope="col" { "Agrees, specific" }
                        th scope="col" { "Median seconds" } th scope="col" { "Remarks" }
                    } }
                    tbody { @for rater in quality { tr {
                        th scope="row" { (rater.rater) }
                        td { (rater.answers) } td { (rater.skipped) }
                        td { (rater.gold.hits) " of " (rater.gold.of) }
                        td { (rater.agrees_sensible.hits) " of " (rater.agrees_sensible.of) }
                        td { (rater.agrees_specific.hits) " of " (rater.agrees_specific.of) }
                        td { @if let Some(seconds) = rater.median_seconds { (format!("{seconds:.1}")) } }
                        td { (rater.flags.join("; ")) }
                    } } }
                } }
            }
        }
    }
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
