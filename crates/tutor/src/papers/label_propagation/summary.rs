//! From the trainings of all seeds to a report.

use std::path::Path;

use anyhow::{Context, Result};
use data_pipeline::dataset::points::Shape;
use report::{Block, Curves, Row, RunResult, Section};

use super::files::{chosen, film_of, moments, sheet_of};
use super::recipe::{Recipe, RowConfig};
use super::section::{self, Film, Strip};
use super::training::Spread;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::{compared, frame};
use crate::run::seeds::Run;

/// What a seed found, in a line.
pub(super) fn line(trainings: &[Spread]) -> String {
    let words = trainings.iter().map(|t| format!("{} {:.1} %", name(t.shape, &t.row), t.accuracy));
    words.collect::<Vec<_>>().join("; ")
}

fn name(shape: Shape, row: &str) -> String {
    format!("{}, {row}", shape.name())
}

/// The numbers of a run; `outcomes` holds each seed's trainings.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    outcomes: &[Vec<Spread>],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let metric = "accuracy on new points";
    let mut rows = Vec::new();
    for (i, training) in first.iter().enumerate() {
        let per_seed = outcomes.iter().map(|trainings| trainings[i].accuracy).collect();
        let row = Row::new(name(training.shape, &training.row), metric, per_seed)?;
        rows.push(row.group("Methods").examples(recipe.points.test as u64));
    }
    let pairs = recipe.points.shapes.iter().flat_map(|&shape| {
        let find = |row: &str| rows.iter().find(|r| r.name == name(shape, row));
        let pair = |row: &RowConfig| (find(&row.name), row.against.as_deref().and_then(find));
        recipe.rows.iter().map(pair).collect::<Vec<_>>()
    });
    let comparisons = compared(pairs)?;
    let points = &recipe.points;
    let shapes: Vec<_> = points.shapes.iter().map(|shape| shape.name()).collect();
    let data = format!(
        "{}: {} labelled and {} unlabelled points each, noise {}; numbers are of {} new points",
        shapes.join(", "),
        2 * points.labels_per_class,
        points.unlabeled,
        points.noise,
        points.test,
    );
    let cost = StageCost::sum(outcomes.iter().flatten().map(|training| training.cost));
    Ok(RunResult { rows, comparisons, ..frame(head, run, &data, cost, "points") })
}

/// The paper's own parts of the report. Pictures are those of the first seed, which lie in `dir`.
pub(super) fn sections(
    recipe: &Recipe,
    outcomes: &[Vec<Spread>],
    dir: &Path,
) -> Result<Vec<Section>> {
    let read = |name: &Path| {
        let path = dir.join(name);
        std::fs::read(&path).with_context(|| path.display().to_string())
    };
    let moments = moments(recipe);
    let strips = recipe.points.shapes.iter().map(|&shape| {
        let films = recipe.rows.iter().map(|row| {
            Ok(Film {
                name: row.name.clone(),
                about: row.about.clone(),
                png: read(&film_of(shape, row))?,
            })
        });
        Ok(Strip {
            title: shape.name().to_owned(),
            steps: chosen(moments.len()).map(|i| moments[i]).to_vec(),
            sheet: read(&sheet_of(shape))?,
            films: films.collect::<Result<_>>()?,
        })
    });
    let strips = strips.collect::<Result<Vec<_>>>()?;
    let curves = outcomes.iter().flatten().map(|training| training.curve.clone()).collect();
    let curves = Curves {
        note: Some("Losses of different methods are not on one scale.".to_owned()),
        ..Curves::new("Validation accuracy", "%", curves)
    };
    let curves = Section::new("curves", "Learning curves").with(Block::Curves(curves));
    Ok(vec![section::spread(&strips), curves])
}
