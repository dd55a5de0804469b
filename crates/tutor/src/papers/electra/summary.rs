//! From what the seeds found to the numbers of the report.

use anyhow::{Context, Result};
use report::{Comparison, Row, RunResult};

use super::measure::Measure;
use super::recipe::Recipe;
use super::seed::RowOutcome;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::pace::cut_short;
use crate::run::result::{compared, frame, over_seeds};
use crate::run::scores::Paired;
use crate::run::seeds::Run;
use crate::text::pretraining::{AREA, MASKED_LOSS};
use crate::text::pretraining_sections;

pub(super) const METRIC: &str = "test accuracy";

/// What a seed found, in a line.
pub(super) fn line(rows: &[RowOutcome]) -> String {
    let word = |row: &RowOutcome| {
        let all = row.finetunings.iter().filter_map(|f| f.scores.accuracy());
        let all: Vec<String> = all.map(|accuracy| format!("{accuracy:.1}")).collect();
        format!("{} {} %", row.name, all.join(" / "))
    };
    rows.iter().map(word).collect::<Vec<_>>().join("; ")
}

/// The numbers of a run.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    about: &str,
    outcomes: &[Vec<RowOutcome>],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let cost = StageCost::sum(outcomes.iter().flatten().map(RowOutcome::cost));
    let measures = Measure::all(recipe);
    let mut result = frame(head, run, about, cost, "sequences");
    for (j, measure) in measures.iter().enumerate() {
        for (i, row) in first.iter().enumerate() {
            let accuracy = |rows: &Vec<RowOutcome>| rows[i].finetunings[j].scores.accuracy();
            let per_seed: Option<Vec<f64>> = outcomes.iter().map(accuracy).collect();
            let per_seed = per_seed.context("a test text whose class is known")?;
            let examples = row.finetunings[j].scores.len() as u64;
            let line = Row::new(measure.named(&row.name), METRIC, per_seed)?;
            result.rows.push(line.group("Classifiers").examples(examples));
        }
    }
    for (i, row) in first.iter().enumerate() {
        if row.pretraining.is_some() {
            let seeds = outcomes.iter().filter_map(|rows| rows[i].pretraining.as_ref());
            let found = pretraining_sections::rows(&row.name, seeds, &[MASKED_LOSS, AREA])?;
            result.rows.extend(found);
        }
    }
    let cut = |row: &RowOutcome| {
        let found = row.pretraining.as_ref()?;
        cut_short(&row.name, (found.steps, found.planned), found.cost.seconds)
    };
    let of_each = outcomes.iter().map(|rows| rows.iter().filter_map(cut));
    result.notes.extend(over_seeds(&result.seeds, of_each));
    let mut comparisons = Vec::new();
    for (j, measure) in measures.iter().enumerate() {
        for row in &recipe.rows {
            let Some(against) = &row.against else { continue };
            let find = |name: &str| result.find(&measure.named(name), METRIC);
            let pair = (find(&row.name), find(against));
            let found = compared(std::iter::once(pair))?;
            for comparison in found {
                comparisons.push(match outcomes {
                    [rows] => over_texts(comparison, rows, j, [&row.name, against])?,
                    _ => comparison,
                });
            }
        }
    }
    result.comparisons = comparisons;
    result.notes.push(
        "Each row is measured once, after its training; nothing was chosen on the test texts in \
         this run."
            .to_owned(),
    );
    if outcomes.len() == 1 && !result.comparisons.is_empty() {
        let note = "Intervals are over test texts: they say what other texts of this kind would \
                    give, not what another training or other labels would.";
        result.notes.push(note.to_owned());
    }
    Ok(result)
}

/// The comparison of two rows of the only seed, of their measurement `at`, with an interval over
/// texts.
fn over_texts(
    comparison: Comparison,
    rows: &[RowOutcome],
    at: usize,
    names: [&str; 2],
) -> Result<Comparison> {
    let find = |name: &str| rows.iter().find(|row| row.name == name);
    let [left, right] = names.map(find);
    let (left, right) = left.zip(right).context("both rows")?;
    let [left, right] = [left, right].map(|row| &row.finetunings[at].scores);
    let paired = Paired::between(left, right)?;
    Ok(comparison.over_examples(paired.ci95, left.len() as u64, "text"))
}
