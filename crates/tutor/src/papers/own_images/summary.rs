//! From what the seeds found to the numbers of the report.

use anyhow::{Context, Result};
use report::RunResult;

use super::recipe::{FROZEN, Recipe, SPREAD};
use super::seed::Outcome;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::measured;
use crate::run::result::{frame, over_seeds};
use crate::run::seeds::Run;
use crate::run::trial::LABELS_ALONE;

/// The numbers of a run.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    outcomes: &[Outcome],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let cost = StageCost::sum(outcomes.iter().map(|outcome| outcome.cost));
    let mut result = frame(head, run, &first.data, cost, "images");
    result.data_in_full = first.data_in_full.clone();
    let seeds: Vec<_> = outcomes.iter().map(Outcome::seen).collect();
    let pairs = recipe.candidates.iter().map(|candidate| (candidate.name.as_str(), LABELS_ALONE));
    let pairs: Vec<_> = pairs.chain([(LABELS_ALONE, FROZEN), (SPREAD, FROZEN)]).collect();
    measured::add(&mut result, &seeds, &pairs, "images")?;
    result.notes.push(match (&recipe.weights, first.applied.is_empty()) {
        (Some(weights), false) => format!("Started from {weights}: {}.", first.applied.join("; ")),
        (Some(weights), true) => format!("Started from {weights}."),
        (None, _) => "Started at random, without published weights.".to_owned(),
    });
    result.notes.extend(measured::unmeasured(&seeds[0]));
    let notes = outcomes.iter().map(|outcome| outcome.notes.clone());
    result.notes.extend(over_seeds(&result.seeds, notes));
    Ok(result)
}
