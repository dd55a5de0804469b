//! From the outcomes of all seeds to a report.

use anyhow::{Context, Result};
use report::{Block, Comparison, Curves, Matrices, Row, RunResult, Section};

use super::outcome::{Score, SeedOutcome};
use super::recipe::{LabelSource, Recipe};
use super::{robustness, robustness_tables, section};
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::{frame, over_all_seeds, over_labels, part_notes, unmeasured_note};
use crate::run::seeds::Run;

/// What a seed found, in a line.
pub(super) fn line(outcome: &SeedOutcome, recipe: &Recipe) -> String {
    let students = 1 + recipe.generations.len();
    let scores = outcome.scores[..students].iter();
    let scores: Vec<String> =
        scores.map(|score| format!("{} {:.2} %", score.name, score.accuracy)).collect();
    let labels = match recipe.labels.is_empty() {
        true => String::new(),
        false => format!("{} labels: ", outcome.labels),
    };
    format!("{labels}{}", scores.join(" -> "))
}

/// The seeds' outcomes for each number of labels that was run.
fn cells(outcomes: &[Vec<SeedOutcome>]) -> Vec<Vec<&SeedOutcome>> {
    let count = outcomes.first().map_or(0, Vec::len);
    (0..count).map(|i| outcomes.iter().map(|seed| &seed[i]).collect()).collect()
}

/// The name of a row, with its number of labels where several were run.
fn row_name(recipe: &Recipe, outcome: &SeedOutcome, score: &Score) -> String {
    match recipe.labels.is_empty() {
        true => score.name.clone(),
        false => format!("{}, {} labels", score.name, outcome.labels),
    }
}

/// The numbers of a run; `outcomes` holds each seed's, one for each number of labels.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    outcomes: &[Vec<SeedOutcome>],
) -> Result<RunResult> {
    let first = outcomes.first().and_then(|seed| seed.last()).context("a run has a seed")?;
    let cost = StageCost::sum(outcomes.iter().flatten().map(|outcome| outcome.cost));
    let mut result = frame(head, run, &first.data, cost, "images");
    for cell in cells(outcomes) {
        add_cell(&mut result, recipe, &cell)?;
    }
    let measured: Vec<_> = cells(outcomes)
        .last()
        .map(|cell| cell.iter().filter_map(|outcome| outcome.robustness.as_ref()).collect())
        .unwrap_or_default();
    if let Some(robustness) = robustness::mean(&measured, first.part.name())? {
        result.details.insert("robustness".to_owned(), serde_json::to_value(robustness)?);
    }
    result.notes.extend(first.start.clone());
    result.notes.extend(part_notes(first.part, &recipe.evaluate));
    let confusion = first.scores.first().map(|score| &score.confusion);
    let unmeasured = |confusion| unmeasured_note(first.part.name(), &first.classes, confusion);
    result.notes.extend(confusion.and_then(unmeasured));
    let students = 1 + recipe.generations.len();
    if first.scores.len() > students {
        result.notes.push(
            "The further rows train one student of the same teacher each: compare them with \
             student 1."
                .to_owned(),
        );
    }
    Ok(result)
}

/// Adds the rows and comparisons of one number of labels.
fn add_cell(result: &mut RunResult, recipe: &Recipe, cell: &[&SeedOutcome]) -> Result<()> {
    let first = cell[0];
    let metric = format!("{} accuracy", first.part.name());
    let students = 1 + recipe.generations.len();
    let generations = match recipe.labels.is_empty() {
        true => "Generations".to_owned(),
        false => format!("{} labels", first.labels),
    };
    let rows: Vec<Row> = (0..first.scores.len())
        .map(|i| {
            let score = &first.scores[i];
            let per_seed = cell.iter().map(|outcome| outcome.scores[i].accuracy).collect();
            let row = Row::new(row_name(recipe, first, score), &metric, per_seed)?;
            let group = match i < students {
                true => generations.clone(),
                false => group(recipe, &score.name)?.to_owned(),
            };
            Ok(row.group(group).examples(first.examples))
        })
        .collect::<Result<_>>()?;
    let last = &rows[students - 1];
    let mut pairs = vec![(last, &rows[0])];
    pairs.extend(rows[..students].windows(2).map(|pair| (&pair[1], &pair[0])));
    pairs.extend(rows[students..].iter().map(|row| (row, &rows[1])));
    for (i, &(left, right)) in pairs.iter().enumerate() {
        // With a single student the first pair is the second.
        if pairs[..i].iter().all(|(l, r)| (&l.name, &r.name) != (&left.name, &right.name)) {
            let name = format!("{} - {}", left.name, right.name);
            result.comparisons.push(Comparison::between(name, left, right)?);
        }
    }
    // Of several numbers of labels, the last, of which the pictures are too.
    result.headline = Some(format!("{} - {}", last.name, rows[0].name));
    result.rows.extend(rows);
    Ok(())
}

/// The table that a further row stands in. One whose student sees no unlabelled image is a
/// baseline; the others take something from the method.
fn group(recipe: &Recipe, name: &str) -> Result<&'static str> {
    let source = recipe.row(name)?.labeling.source;
    Ok(if source == LabelSource::Unlabeled { "Ablations" } else { "Baselines" })
}

/// The paper's own parts of the report.
pub(super) fn sections(recipe: &Recipe, outcomes: &[Vec<SeedOutcome>]) -> Result<Vec<Section>> {
    let cells = cells(outcomes);
    // Pictures are of the last number of labels.
    let Some(cell) = cells.last() else { return Ok(Vec::new()) };
    let first = cell[0];
    let students = 1 + recipe.generations.len();
    let mut sections = Vec::new();
    sections.extend(labels_curve(students, &cells));
    let curves = (0..students).flat_map(|i| cell.iter().map(move |o| o.scores[i].curve.clone()));
    let note = "Losses of teacher and students are not on one scale: students learn from noised images \
                and soft labels.";
    let curves = Curves {
        note: Some(note.to_owned()),
        ..Curves::new("Validation accuracy", "%", curves.collect())
    };
    sections.push(Section::new("curves", "Learning curves").with(Block::Curves(curves)));
    let confusion = |i: usize| {
        let seeds = cell.iter().map(|outcome| &outcome.scores[i].confusion);
        over_all_seeds(&first.scores[i].name, first.part.name(), seeds)
    };
    let matrices = [0, students - 1].into_iter().filter_map(confusion).collect();
    let matrices = Matrices { classes: first.classes.clone(), matrices };
    sections.push(Section::new("confusion", "Confusion").with(Block::Matrices(matrices)));
    if let Some(found) = &first.disagreements {
        sections.push(section::disagreements(found, &first.classes));
    }
    let labels: Vec<_> = cell.iter().flat_map(|o| o.pseudo_labels.iter().cloned()).collect();
    if !labels.is_empty() {
        sections.push(section::pseudo_labels(&labels, &first.classes));
    }
    let measured: Vec<_> = cell.iter().filter_map(|o| o.robustness.as_ref()).collect();
    if let Some(robustness) = robustness::mean(&measured, first.part.name())? {
        sections.push(robustness_tables::robustness(&robustness));
    }
    Ok(sections)
}

/// Accuracy as the number of labels grows.
fn labels_curve(students: usize, cells: &[Vec<&SeedOutcome>]) -> Option<Section> {
    let points = (0..students).flat_map(|i| {
        cells.iter().map(move |cell| {
            let accuracies = cell.iter().map(|outcome| outcome.scores[i].accuracy).collect();
            (cell[0].scores[i].name.as_str(), cell[0].labels, accuracies)
        })
    });
    over_labels(points.collect())
}
