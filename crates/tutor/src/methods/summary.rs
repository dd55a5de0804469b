//! From the trainings of all seeds to what a report is drawn from.

use anyhow::{Context, Result};
use torch::Device;

use super::{LAST, Training};
use crate::phase::PhaseCost;
use crate::recipe::Part;
use crate::recipe::methods::{MethodRow, MethodsRecipe, Metric, PaperNumber, Weights};
use crate::report::result::{Comparison, Group, PaperRow, Role, Row, RunResult};
use crate::report::visuals::{Confusion, Growth, Visuals};
use crate::run_folder::Started;
use crate::summary::{frame, remarks};

/// A number of a training.
type Measure = fn(&Training) -> f64;

/// The numbers of a run; `outcomes` holds each seed's rows.
pub(crate) fn result(
    recipe: &MethodsRecipe,
    started: &Started,
    outcomes: &[Vec<Training>],
    device: Device,
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let part = first.first().context("a table has at least one row")?.part;
    let metric = format!("{} accuracy", part.name());
    let at_best = match recipe.select.metric {
        Metric::Accuracy => "at the best on validation",
        Metric::BalancedAccuracy => "at the best balanced accuracy on validation",
    };
    let mut rows = Vec::new();
    for (i, training) in first.iter().enumerate() {
        let measures: [(String, Measure); 4] = [
            (metric.clone(), |t| t.last),
            (format!("mean of the last {LAST} evaluations"), |t| t.mean_of_last),
            (at_best.to_owned(), |t| t.at_best_validation),
            ("balanced over classes".to_owned(), |t| t.balanced),
        ];
        for (metric, of) in measures {
            let per_seed = outcomes.iter().map(|trainings| of(&trainings[i])).collect();
            let row = Row::new(&training.name, metric, per_seed)?;
            rows.push(row.group(Group::Method).examples(training.examples));
        }
    }
    let find = |name: &str| rows.iter().find(|row| row.name == name && row.metric == metric);
    let mut comparisons = Vec::new();
    for row in &recipe.rows {
        let pair = find(&row.name).zip(row.against.as_deref().and_then(find));
        if let Some((ours, other)) = pair {
            let name = format!("{} - {}", row.name, other.name);
            comparisons.push(Comparison::between(name, ours, other)?);
        }
    }
    let mut cost = PhaseCost::default();
    outcomes.iter().flatten().for_each(|t| cost += t.cost);
    let mut notes = remarks(started, part, recipe.evaluate_on);
    let which = match recipe.select.weights {
        Weights::Last => "the last weights",
        Weights::Best => "the weights that were best on the validation part",
    };
    notes.push(match (part, recipe.select.weights) {
        (Part::Validation, Weights::Best) => format!(
            "`{metric}` is the best of all evaluations on the very part on which it is reported: new images will fare worse (data.test)."
        ),
        _ => format!("`{metric}` is that of {which}; no choice is made on the test part."),
    });
    Ok(RunResult {
        rows,
        comparisons,
        paper_reference: paper(recipe),
        notes,
        ..frame(&recipe.name, &recipe.about, &first[0].data, started, device, cost)
    })
}

/// What papers print, beside the rows that it is printed for.
fn paper(recipe: &MethodsRecipe) -> Vec<PaperRow> {
    let numbers = recipe.rows.iter().flat_map(|row| row.paper.iter().map(move |p| (row, p)));
    let to_row = |(row, number): (&MethodRow, &PaperNumber)| PaperRow {
        name: row.name.clone(),
        ours: Some(row.name.clone()),
        role: Role::Baseline,
        setting: number.setting.clone(),
        metric: "error".to_owned(),
        value: number.error,
        unit: "%".to_owned(),
        source: number.source.clone(),
    };
    numbers.map(to_row).collect()
}

/// The pictures of a run.
pub(crate) fn visuals(recipe: &MethodsRecipe, outcomes: &[Vec<Training>]) -> Visuals {
    let Some(first) = outcomes.first() else { return Visuals::default() };
    let growth = recipe.rows.iter().filter_map(|row| {
        let line = row.line.clone()?;
        let at = first.iter().position(|t| t.name == row.name)?;
        let accuracies = outcomes.iter().map(|trainings| trainings[at].last).collect();
        Some(Growth { line, labels: first[at].labels, accuracies })
    });
    let confusion = |training: &Training| Confusion {
        model: training.name.clone(),
        part: format!("{} part", training.part.name()),
        counts: training.confusion.clone(),
    };
    let ends = [first.first(), first.last().filter(|_| first.len() > 1)];
    Visuals {
        classes: first.first().map(|t| t.classes.clone()).unwrap_or_default(),
        curves: outcomes.iter().flatten().map(|t| t.curve.clone()).collect(),
        confusions: ends.into_iter().flatten().map(confusion).collect(),
        growth: growth.collect(),
        ..Visuals::default()
    }
}
