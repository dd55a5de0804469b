//! From what the seeds found to the numbers of the report.

use anyhow::{Context, Result};
use report::RunResult;

use super::recipe::{PRE_TRAINED, Recipe};
use super::seed::Outcome;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::measured;
use crate::run::result::frame;
use crate::run::seeds::Run;
use crate::run::trial::LABELS_ALONE;

/// The numbers of a run.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    notes: &[String],
    outcomes: &[Outcome],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let cost = StageCost::sum(outcomes.iter().map(|outcome| outcome.cost));
    let mut result = frame(head, run, &first.data, cost, "texts");
    let seeds: Vec<_> = outcomes.iter().map(Outcome::seen).collect();
    measured::add(&mut result, &seeds, &[(PRE_TRAINED, LABELS_ALONE)], "texts")?;
    result.notes.push(match (&recipe.weights, &first.applied) {
        (Some(weights), Some(applied)) => format!("Started from {weights}: {applied}."),
        _ => "Started at random, without published weights.".to_owned(),
    });
    if let Some(found) = &first.pretraining {
        result.notes.push(format!(
            "{PRE_TRAINED} began with {} steps of pre-training on the texts without their labels, in \
             {:.0} s; the test and validation texts are not among them. {LABELS_ALONE} has the same \
             net and vocabulary and did without.",
            found.steps, found.cost.seconds
        ));
    } else if recipe.weights.is_some() && !first.unlabeled.is_empty() {
        let note = "The unlabelled texts were not learned from: they are listed by what a label of \
                    each would tell.";
        result.notes.push(note.to_owned());
    }
    result.notes.extend(measured::unmeasured(&seeds[0]));
    result.notes.extend(notes.iter().map(|note| format!("Of the texts: {note}.")));
    Ok(result)
}
