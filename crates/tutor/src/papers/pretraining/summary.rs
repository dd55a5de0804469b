//! From what the seeds found to the report.

use anyhow::{Context, Result};
use metrics::Better;
use report::{Row, RunResult, Section};

use super::recipe::Recipe;
use super::seed::{FOLDER, Outcome};
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::frame;
use crate::run::seeds::Run;
use crate::text::pretraining::{AREA, MASKED_LOSS};
use crate::text::pretraining_sections::{self, METRICS};

/// What a seed found, in a line.
pub(super) fn line(outcome: &Outcome) -> String {
    let found = &outcome.pretraining;
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
    outcomes: &[Outcome],
) -> Result<RunResult> {
    let cost = StageCost::sum(outcomes.iter().map(|outcome| outcome.pretraining.cost));
    let mut result = frame(head, run, about, cost, "sequences");
    for (metric, words) in METRICS {
        let of_seed = |outcome: &Outcome| outcome.pretraining.metric(metric);
        // An objective without a discriminator has none of its metrics.
        let per_seed: Option<Vec<f64>> = outcomes.iter().map(of_seed).collect();
        let Some(per_seed) = per_seed.filter(|values| values.iter().all(|x| x.is_finite())) else {
            continue;
        };
        let better = if metric == MASKED_LOSS { Better::Lower } else { Better::Higher };
        let row = Row::new(FOLDER, words, per_seed)?.unit("").better(better);
        result.rows.push(row.group("Held-out text"));
    }
    let first = outcomes.first().context("a run has at least one seed")?;
    if let Some(minutes) = recipe.minutes {
        let most = recipe.train.steps;
        result.notes.push(format!(
            "{} steps of the {most} that were asked for at most fit into {minutes} minutes; the \
             learning rate came down to its end with them.",
            first.pretraining.steps
        ));
    }
    result.notes.push(
        "Held-out documents are those of the same files that were not learned from. Losses of \
         different vocabularies cannot be compared."
            .to_owned(),
    );
    Ok(result)
}

/// The parts of the report.
pub(super) fn sections(outcomes: &[Outcome]) -> Vec<Section> {
    let rows: Vec<_> = outcomes.first().iter().map(|one| (FOLDER, &one.pretraining)).collect();
    pretraining_sections::all(&rows, outcomes.iter().map(|outcome| &outcome.pretraining))
}
