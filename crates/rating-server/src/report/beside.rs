//! What stands beside the votes: decisions of the researcher, and automatic judges.

use super::cells::{mode, percent, statistic};
use crate::decisions::name;
use eval_ssa::Label;
use eval_ssa::decisions::Adjudications;
use eval_ssa::judge::JudgeReport;
use maud::{Markup, html};

const LABELS: [Label; 3] = [Label::NotSensible, Label::Sensible, Label::Specific];

/// The decisions, and the scores without them and with them.
pub(super) fn decisions(found: &Adjudications) -> Markup {
    html! {
        section {
            h2 { "Decisions" }
            p.quiet {
                "What the researcher decided where there is no majority. All other numbers are by the votes \
                 alone; a decision on an item that votes have decided since has no effect."
            }
            div.wide tabindex="0" role="region" aria-label="Scores with decisions" { table {
                thead { tr {
                    th scope="col" { "System" } th scope="col" { "Mode" } th scope="col" { "Decisions" }
                    th scope="col" { "SSA by votes" } th scope="col" { "SSA with decisions" }
                    th scope="col" { "Sensible, with" } th scope="col" { "Specific, with" }
                } }
                tbody { @for score in &found.scores { tr {
                    th scope="row" { (score.system) }
                    td { (mode(score.mode)) } td { (score.decisions) }
                    td { (percent(score.votes.ssa.as_ref())) }
                    td { (percent(score.both.ssa.as_ref())) }
                    td { (percent(score.both.sensibleness.as_ref())) }
                    td { (percent(score.both.specificity.as_ref())) }
                } } }
            } }
            div.wide tabindex="0" role="region" aria-label="Decisions" { table {
                thead { tr {
                    th scope="col" { "Item" } th scope="col" { "System" } th scope="col" { "Decision" }
                    th scope="col" { "By" } th scope="col" { "Votes" } th scope="col" { "Why" }
                } }
                tbody { @for decision in &found.decisions { tr {
                    @let (sensible, specific) = (decision.votes.sensible, decision.votes.specific);
                    th scope="row" { (decision.item) } td { (decision.system) }
                    td {
                        (name(decision.label))
                        @if let Some(label) = decision.by_votes { " (votes: " (name(label)) ")" }
                    }
                    td { (decision.by) }
                    td {
                        (sensible.yes) ":" (sensible.no) ", " (specific.yes) ":" (specific.no)
                    }
                    td { (decision.note) }
                } } }
            } }
        }
    }
}

/// Automatic judges with how far they agree with people.
pub(super) fn judges(judges: &[JudgeReport]) -> Markup {
    html! {
        @if !judges.is_empty() {
            section {
                h2 { "Automatic judges" }
                p.quiet { "What models say of the same responses. None of it is SSA." }
                div.wide tabindex="0" role="region" aria-label="Automatic judges" { table {
                    thead { tr {
                        th scope="col" { "Judge" } th scope="col" { "Question" }
                        th scope="col" { "Same as people's label" }
                        th scope="col" { "Krippendorff's alpha" } th scope="col" { "Cohen's kappa" }
                    } }
                    tbody { @for judge in judges {
                        @for (question, found) in
                            [("sensible", &judge.sensible), ("specific", &judge.specific)] { tr {
                            th scope="row" { (judge.judge) } td { (question) }
                            td { (found.with_label.hits) " of " (found.with_label.of) }
                            td { (statistic(&found.alpha)) } td { (statistic(&found.kappa)) }
                        } }
                    } }
                } }
                @for judge in judges { (confusion(judge)) }
            }
        }
    }
}

fn confusion(judge: &JudgeReport) -> Markup {
    let about = format!("People and {}", judge.judge);
    html! {
        h3 { (about) }
        @if judge.unread > 0 {
            p { "On " (judge.unread) " of " (judge.items) " items its answer could not be read." }
        }
        div.wide tabindex="0" role="region" aria-label=(about) { table {
            thead { tr {
                th scope="col" { "People say" }
                @for label in LABELS { th scope="col" { "Judge: " (name(label)) } }
            } }
            tbody { @for (label, row) in LABELS.into_iter().zip(judge.confusion) { tr {
                th scope="row" { (name(label)) }
                @for count in row { td { (count) } }
            } } }
        } }
    }
}
