//! What a study found, as tables and a plot on the researcher's pages.

mod beside;
mod cells;

use crate::error::Result;
use crate::project::Project;
use crate::records::Names;
use cells::{mode, percent, share, statistic};
use eval_ssa::Summary;
use eval_ssa::bootstrap::{Bootstrap, Estimate};
use eval_ssa::preferences::{self, Contest};
use eval_ssa::quality::RaterQuality;
use eval_ssa::score::{Measure, Score};
use eval_ssa::summary::{Question, QuestionAgreement};
use maud::{Markup, html};

/// Resamples of a report; the live page takes fewer.
const RESAMPLES: u32 = 10_000;

impl Project {
    /// All numbers of the study, for a report.
    ///
    /// # Errors
    /// Those of the database.
    pub fn summary(&self, names: Names) -> Result<Summary> {
        let seed = self.settings().seed;
        let bootstrap = Bootstrap { resamples: RESAMPLES, seed, ..Bootstrap::default() };
        Ok(Summary::of(&self.study(names)?, &bootstrap))
    }
}

/// All tables.
pub(crate) fn body(summary: &Summary) -> Markup {
    html! {
        (scores(&summary.scores))
        @if let Some(found) = &summary.adjudications { (beside::decisions(found)) }
        (warnings(&summary.warnings))
        (agreement(&summary.agreement))
        (contests(&summary.contests))
        (quality_table(&summary.raters))
        (beside::judges(&summary.judges))
        section { h2 { "Methods" } p { (summary.methods) } }
    }
}

/// The SSA of each system with its interval.
fn plot(scores: &[Score]) -> Markup {
    let rows: Vec<(String, &Estimate)> = scores
        .iter()
        .filter_map(|score| {
            let mode = mode(score.mode);
            Some((format!("{}, {mode}", score.system), score.estimate(Measure::Ssa)?))
        })
        .collect();
    let height = 30 * rows.len() + 30;
    let x = |share: f64| 240.0 + 400.0 * share;
    html! {
        @if !rows.is_empty() {
            div.wide tabindex="0" role="region" aria-label="SSA of each system" {
            svg.plot viewBox=(format!("0 0 660 {height}")) role="img" aria-label="SSA with intervals" {
                @for tenth in [0, 2, 4, 6, 8, 10] {
                    @let at = x(f64::from(tenth) / 10.0);
                    line.grid x1=(at) x2=(at) y1="0" y2=(height - 25) {}
                    text x=(at) y=(height - 8) text-anchor="middle" { (10 * tenth) " %" }
                }
                @for (row, (name, estimate)) in rows.iter().enumerate() {
                    @let y = 30 * row + 15;
                    @let [low, high] = estimate.to_quote().map(x);
                    text x="230" y=(y + 5) text-anchor="end" { (name) }
                    line.bar x1=(low) x2=(high) y1=(y) y2=(y) {}
                    circle.dot cx=(x(estimate.value)) cy=(y) r="5" {}
                }
            }
            }
        }
    }
}

fn scores(scores: &[Score]) -> Markup {
    html! {
        section {
            h2 { "Scores" }
            @if scores.is_empty() { p { "There are no responses yet." } }
            @else {
                p.quiet {
                    "By the majority of the required votes, with 95 % intervals: percentile bootstrap \
                     over contexts or conversations, and with fewer than 50 of those the interval for \
                     small samples. Scores are those of the decided responses alone; the last \
                     column is about all responses, the decided ones and the others, and says \
                     between which values their SSA can still end."
                }
                (plot(scores))
                div.wide tabindex="0" role="region" aria-label="Scores" { table {
                    thead { tr {
                        th scope="col" { "System" } th scope="col" { "Mode" }
                        th scope="col" { "Decided" } th scope="col" { "Undecided" }
                        th scope="col" { "Sensibleness" } th scope="col" { "Specificity" }
                        th scope="col" { "SSA" } th scope="col" { "SSA of all, bounds" }
                    } }
                    tbody { @for score in scores { tr {
                        th scope="row" { (score.system) }
                        td { (mode(score.mode)) }
                        td { (score.progress.decided) " of " (score.progress.responses) }
                        td { (score.progress.undecided) }
                        td { (percent(score.sensibleness.as_ref())) }
                        td { (percent(score.specificity.as_ref())) }
                        td { (percent(score.ssa.as_ref())) }
                        td { @match score.ssa_bounds {
                            Some([low, high]) if high > low => {
                                (format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high))
                            }
                            _ => "–",
                        } }
                    } } }
                } }
            }
        }
    }
}

fn warnings(warnings: &[String]) -> Markup {
    html! {
        @if !warnings.is_empty() {
            section { h2 { "What to know" } ul { @for warning in warnings { li { (warning) } } } }
        }
    }
}

fn agreement(questions: &[QuestionAgreement]) -> Markup {
    let name = |question: Question| match question {
        Question::Sensible => "sensible",
        Question::Specific => "specific; no where not sensible",
        Question::SpecificIfAsked => "specific, where asked",
        Question::HumanLike => "a person could have said it",
    };
    html! {
        section {
            h2 { "Agreement" }
            div.wide tabindex="0" role="region" aria-label="Agreement" { table {
                thead { tr {
                    th scope="col" { "Question" } th scope="col" { "Votes" }
                    th scope="col" { "Equal pairs" } th scope="col" { "Krippendorff's alpha" }
                    th scope="col" { "Fleiss' kappa" } th scope="col" { "Mean Cohen's kappa" }
                } }
                tbody { @for question in questions { tr {
                    @let agreement = &question.agreement;
                    td { (name(question.question)) }
                    td { (agreement.votes) }
                    td { (statistic(&agreement.pairwise)) }
                    td {
                        (statistic(&agreement.alpha))
                        @if let Some(interval) = &question.alpha_interval {
                            @let [low, high] = interval.percentile;
                            span.quiet { (format!(" [{low:.2}, {high:.2}]")) }
                        }
                    }
                    td { (statistic(&agreement.fleiss)) }
                    td { (statistic(&agreement.mean_cohen)) }
                } } }
            } }
            @for question in questions {
                @if let Some(warning) = &question.warning {
                    p { (name(question.question)) ": " (warning) }
                }
            }
        }
    }
}

fn contests(contests: &[Contest]) -> Markup {
    html! {
        @if !contests.is_empty() {
            section {
                h2 { "Side by side" }
                p.quiet { "The share for the first is of all votes: " (preferences::RULE) "." }
                div.wide tabindex="0" role="region" aria-label="Side by side" { table {
                    thead { tr {
                        th scope="col" { "First" } th scope="col" { "Second" }
                        th scope="col" { "First is better" } th scope="col" { "Second is better" }
                        th scope="col" { "As good" } th scope="col" { "Both bad" }
                        th scope="col" { "Share for the first" }
                    } }
                    tbody { @for contest in contests { tr {
                        th scope="row" { (contest.systems[0]) } td { (contest.systems[1]) }
                        @for count in [contest.first, contest.second, contest.ties, contest.both_bad] {
                            td { (count) }
                        }
                        td { (percent(contest.score.as_ref())) }
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
                        td { (share(rater.gold)) }
                        td { (share(rater.agrees_sensible)) }
                        td { (share(rater.agrees_specific)) }
                        td { @if let Some(seconds) = rater.median_seconds { (format!("{seconds:.1}")) } }
                        td { (rater.flags.join("; ")) }
                    } } }
                } }
            }
        }
    }
}
