//! From what the seeds found to the report.

use anyhow::{Context, Result};
use report::{RunResult, Section};

use super::recipe::Recipe;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::pace::cut_short;
use crate::run::result::{frame, over_seeds};
use crate::run::seeds::Run;
use crate::text::pretraining::{AREA, MASKED_LOSS, Pretraining};
use crate::text::pretraining_sections::{self, METRICS};

/// What a seed found, in a line.
pub(super) fn line(found: &Pretraining) -> String {
    let said = METRICS.iter().filter(|(metric, _)| [MASKED_LOSS, AREA].contains(metric));
    let said =
        said.filter_map(|(metric, words)| Some(format!("{words} {:.3}", found.metric(metric)?)));
    let words: Vec<String> = said.collect();
    format!("{} steps, {}", found.steps, words.join(", "))
}

/// The numbers of a run.
pub(super) fn result(
    (head, recipe): (&Head, &Recipe),
    run: &Run<'_>,
    about: &str,
    outcomes: &[Pretraining],
) -> Result<RunResult> {
    let cost = StageCost::sum(outcomes.iter().map(|found| found.cost));
    let mut result = frame(head, run, about, cost, "sequences");
    let row = recipe.row();
    result.rows =
        pretraining_sections::rows(&row, outcomes.iter(), &METRICS.map(|(metric, _)| metric))?;
    let first = outcomes.first().context("a run has at least one seed")?;
    if let Some(minutes) = recipe.minutes {
        let (planned, most) = (first.planned, recipe.train.steps);
        let note =
            format!("{planned} steps, of {most} at most, were to fit into {minutes} minutes.");
        result.notes.push(note);
    }
    let cut = |found: &Pretraining| {
        let steps = (found.steps, found.planned);
        cut_short(&row, steps, found.cost.seconds)
    };
    result.notes.extend(over_seeds(&result.seeds, outcomes.iter().map(cut)));
    result.notes.push(
        "Held-out documents are those of the same files that were not learned from. Losses of \
         different vocabularies cannot be compared."
            .to_owned(),
    );
    Ok(result)
}

/// The parts of the report.
pub(super) fn sections(recipe: &Recipe, outcomes: &[Pretraining]) -> Vec<Section> {
    let row = recipe.row();
    let rows: Vec<_> = outcomes.first().iter().map(|one| (&*row, *one)).collect();
    pretraining_sections::all(&rows, outcomes.len(), outcomes.iter())
}
