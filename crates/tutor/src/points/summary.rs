//! From the trainings of all seeds to a report.

use std::path::Path;

use anyhow::{Context, Result};
use torch::Device;

use super::{Spread, chosen, film_of, moments, sheet_of};
use crate::phase::PhaseCost;
use crate::recipe::points::{PointsRecipe, Shape};
use crate::report::result::{Comparison, Group, Row, RunResult};
use crate::report::visuals::{Film, Strip, Visuals};
use crate::run_folder::Started;
use crate::summary::{QUICK, frame};

/// The numbers of a run; `outcomes` holds each seed's trainings.
pub(crate) fn result(
    recipe: &PointsRecipe,
    started: &Started,
    outcomes: &[Vec<Spread>],
    device: Device,
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let metric = "accuracy on new points";
    let name = |shape: Shape, row: &str| format!("{}, {row}", shape.name());
    let mut rows = Vec::new();
    for (i, training) in first.iter().enumerate() {
        let per_seed = outcomes.iter().map(|trainings| trainings[i].accuracy).collect();
        let row = Row::new(name(training.shape, &training.row), metric, per_seed)?;
        rows.push(row.group(Group::Method).examples(recipe.points.test as u64));
    }
    let mut comparisons = Vec::new();
    for &shape in &recipe.points.shapes {
        for row in &recipe.rows {
            let find = |row: &str| rows.iter().find(|r| r.name == name(shape, row));
            let pair = find(&row.name).zip(row.against.as_deref().and_then(find));
            if let Some((ours, other)) = pair {
                let title = format!("{} - {}", ours.name, other.name);
                comparisons.push(Comparison::between(title, ours, other)?);
            }
        }
    }
    let mut cost = PhaseCost::default();
    outcomes.iter().flatten().for_each(|t| cost += t.cost);
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
    let notes = started.quick.then(|| QUICK.to_owned()).into_iter().collect();
    let framed = frame(&recipe.name, &recipe.about, &data, started, device, cost);
    Ok(RunResult { rows, comparisons, notes, ..framed })
}

/// The pictures of a run: those of its first seed, which lie in `dir`.
pub(crate) fn visuals(
    recipe: &PointsRecipe,
    outcomes: &[Vec<Spread>],
    dir: &Path,
) -> Result<Visuals> {
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
    Ok(Visuals {
        strips: strips.collect::<Result<_>>()?,
        curves: outcomes.iter().flatten().map(|t| t.curve.clone()).collect(),
        ..Visuals::default()
    })
}
