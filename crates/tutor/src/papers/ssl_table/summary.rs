//! From the trainings of all seeds to a report.

use anyhow::{Context, Result};
use report::{Block, Curves, Matrices, PaperRow, Role, Row, RunResult, Section, words};

use super::recipe::{PaperNumber, Recipe, RowConfig};
use super::training::{LAST, Training};
use crate::recipe::evaluate::Part;
use crate::recipe::head::Head;
use crate::recipe::select::Weights;
use crate::run::cost::StageCost;
use crate::run::result::{
    balanced_name, compared, frame, over_all_seeds, over_labels, part_notes, unmeasured_note,
};
use crate::run::seeds::Run;

/// A number of a training, if it has it.
type Measure = fn(&Training) -> Option<f64>;

/// What a seed found, in a line: the worst and the best row.
pub(super) fn line(trainings: &[Training]) -> String {
    let by = |a: &&Training, b: &&Training| a.accuracy.total_cmp(&b.accuracy);
    let ends = [trainings.iter().min_by(by), trainings.iter().max_by(by)];
    let words: Vec<String> = ends
        .into_iter()
        .flatten()
        .take(trainings.len())
        .map(|training| format!("{} {:.2} %", training.name, training.accuracy))
        .collect();
    match trainings.len() {
        1 => words.concat(),
        rows => format!("{rows} rows, from {}", words.join(" to ")),
    }
}

/// The numbers of a run; `outcomes` holds each seed's rows.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    outcomes: &[Vec<Training>],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let part = first.first().context("a table has at least one row")?.part;
    let metric = format!("{} accuracy", part.name());
    let mut rows = Vec::new();
    for (i, training) in first.iter().enumerate() {
        let measures: [(String, Measure); 4] = [
            (metric.clone(), |t| Some(t.accuracy)),
            (balanced_name(&training.confusion), |t| Some(t.balanced)),
            (format!("mean of the last {LAST} evaluations"), |t| Some(t.along?.mean_of_last)),
            ("at the best on validation".to_owned(), |t| Some(t.along?.at_best_validation)),
        ];
        for (metric, of) in measures {
            let per_seed: Option<Vec<f64>> =
                outcomes.iter().map(|trainings| of(&trainings[i])).collect();
            let Some(per_seed) = per_seed else { continue };
            let row = Row::new(&training.name, metric, per_seed)?;
            rows.push(row.group("Methods").examples(training.examples));
        }
    }
    let find = |name: &str| rows.iter().find(|row| row.name == name && row.metric == metric);
    let pair = |row: &RowConfig| (find(&row.name), row.against.as_deref().and_then(find));
    let comparisons = compared(recipe.rows.iter().map(pair))?;
    let cost = StageCost::sum(outcomes.iter().flatten().map(|training| training.cost));
    let mut result = frame(head, run, &first[0].data, cost, "images");
    result.paper_reference.extend(paper(recipe));
    result.rows = rows;
    result.comparisons = comparisons;
    result.notes.extend(part_notes(part, &recipe.evaluate));
    result.notes.extend(arithmetic(first));
    let (classes, confusion) = (&first[0].classes, &first[0].confusion);
    result.notes.extend(unmeasured_note(part.name(), classes, confusion));
    let which = match recipe.select.weights {
        Weights::Last => "the last weights",
        Weights::Best => "the weights that were best on the validation part",
    };
    if part == Part::Test {
        let note = format!("`{metric}` is that of {which}; no choice is made on the test part.");
        result.notes.push(note);
    } else {
        result.notes.push(format!("`{metric}` is that of {which}."));
    }
    Ok(result)
}

/// What a training of each row takes; nothing where it was not counted.
fn arithmetic(trainings: &[Training]) -> Option<String> {
    let counted = trainings.iter().filter(|training| training.cost.flops > 0);
    let words: Vec<String> =
        counted.map(|t| format!("{} {}", t.name, words::flops(t.cost.flops))).collect();
    (!words.is_empty()).then(|| format!("Arithmetic of one training: {}.", words.join(", ")))
}

/// What papers print, beside the rows that it is printed for.
fn paper(recipe: &Recipe) -> Vec<PaperRow> {
    let numbers = recipe.rows.iter().flat_map(|row| row.paper.iter().map(move |p| (row, p)));
    let to_row = |(row, number): (&RowConfig, &PaperNumber)| PaperRow {
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

/// The paper's own parts of the report.
pub(super) fn sections(recipe: &Recipe, outcomes: &[Vec<Training>]) -> Vec<Section> {
    let Some(first) = outcomes.first().filter(|trainings| !trainings.is_empty()) else {
        return Vec::new();
    };
    let mut sections = Vec::new();
    sections.extend(labels_curve(recipe, outcomes));
    let curves = outcomes.iter().flatten().map(|training| training.curve.clone()).collect();
    let curves = Curves {
        note: Some("Losses of different methods are not on one scale.".to_owned()),
        ..Curves::new("Validation accuracy", "%", curves)
    };
    sections.push(Section::new("curves", "Learning curves").with(Block::Curves(curves)));
    // The first and the last row, where there are two.
    let last = first.len() - 1;
    let ends = [Some(0), Some(last).filter(|last| *last > 0)];
    let matrix = |i: usize| {
        let seeds = outcomes.iter().map(|trainings| &trainings[i].confusion);
        over_all_seeds(&first[i].name, first[i].part.name(), seeds)
    };
    let matrices = Matrices {
        classes: first[0].classes.clone(),
        matrices: ends.into_iter().flatten().filter_map(matrix).collect(),
    };
    sections.push(Section::new("confusion", "Confusion").with(Block::Matrices(matrices)));
    sections
}

/// Accuracy as the number of labels grows, where rows are points of lines.
fn labels_curve(recipe: &Recipe, outcomes: &[Vec<Training>]) -> Option<Section> {
    let first = outcomes.first()?;
    let points = recipe.rows.iter().filter_map(|row| {
        let line = row.line.as_deref()?;
        let at = first.iter().position(|t| t.name == row.name)?;
        let accuracies = outcomes.iter().map(|trainings| trainings[at].accuracy).collect();
        Some((line, first[at].labels, accuracies))
    });
    over_labels(points.collect())
}
