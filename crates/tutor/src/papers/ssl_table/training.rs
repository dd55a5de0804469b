//! One training of a table of methods, and what it found.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use metrics::Confusion;
use report::Curve;
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;
use crate::images::learner::Learner;
use crate::images::setting::Setting;
use crate::images::source::{Data, ImageSource};
use crate::images::task::{TEST, VALIDATION, metric_name};
use crate::recipe::evaluate::Part;
use crate::run::cost::StageCost;
use crate::run::seeds::SeedRun;
use crate::run::{curve, files};

/// What one training found; all accuracies in percent of one part of the data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Training {
    pub(super) name: String,
    /// In words, which data.
    pub(super) data: String,
    /// How many labels it had.
    pub(super) labels: u64,
    pub(super) part: Part,
    /// How many images the accuracies were counted on.
    pub(super) examples: u64,
    /// Of the weights that the training results in.
    pub(super) accuracy: f64,
    /// Of the same, the mean over classes.
    pub(super) balanced: f64,
    /// What the test part gave along the training, where the recipe asks for it.
    pub(super) along: Option<Along>,
    pub(super) confusion: Confusion,
    pub(super) classes: Vec<String>,
    pub(super) curve: Curve,
    pub(super) cost: StageCost,
}

/// Accuracies of the evaluations of a training, on the test part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Along {
    /// Mean over the evaluations at the end, at most [`LAST`] of them.
    pub(super) mean_of_last: f64,
    /// Of the weights that were best on the validation part, the earliest of equals.
    pub(super) at_best_validation: f64,
}

/// Over how many of the last evaluations FixMatch's authors and others average.
pub(super) const LAST: usize = 20;

const FILE: &str = "training.json";

/// Trains the row `name` in `dir`, or reads what an earlier process found there.
pub(super) fn run(
    recipe: &Recipe,
    name: &str,
    source: &ImageSource,
    dir: &Path,
    run: &mut SeedRun<'_, '_>,
) -> Result<Training> {
    files::once(&dir.join(FILE), || {
        let data = source.of(&recipe.data).draw(run.seed)?;
        train(recipe, name, &data, dir, run).with_context(|| format!("row {name}"))
    })
}

fn train(
    recipe: &Recipe,
    name: &str,
    data: &Data,
    dir: &Path,
    run: &mut SeedRun<'_, '_>,
) -> Result<Training> {
    let setting = Setting::begin(data, recipe.shared(), run, dir)?;
    let (part, subset) = data.part(recipe.evaluate.on);
    let learner = Learner {
        stored: None,
        net: &recipe.net,
        method: &recipe.method,
        train: &recipe.train,
        unlabeled_ratio: recipe.unlabeled_ratio,
        weak: &recipe.weak,
        strong: &recipe.strong,
    };
    let task = learner.task(&setting)?;
    let (model, cost) = task.train(dir, "train", &recipe.select, run.stage(name))?;
    let eval = &recipe.evaluate.augment;
    let net = setting.fast(&recipe.net, &model);
    let predictions = setting.evaluator(eval).interruptible().predict(&net, subset)?;
    let confusion = predictions.confusion(&subset.labels());
    let known = "an image whose class is known";
    let along = match part == Part::Test && recipe.evaluate.test_along_training {
        true => Some(Along::read(dir, metric_name(recipe.select.metric.as_deref())?)?),
        false => None,
    };
    Ok(Training {
        name: name.to_owned(),
        data: data.describe(),
        labels: data.labeled.len() as u64,
        part,
        examples: subset.len() as u64,
        accuracy: confusion.accuracy().context(known)?,
        balanced: confusion.balanced_accuracy().context(known)?,
        along,
        confusion,
        classes: data.input.classes.clone(),
        curve: curve::read(dir, name, run.seed, VALIDATION)?,
        cost,
    })
}

impl Along {
    fn read(dir: &Path, chosen_by: &str) -> Result<Self> {
        let points = curve::evaluations(dir, [chosen_by, TEST])?;
        let points: Vec<_> = points.into_iter().filter_map(|[v, t]| Some((v, t?))).collect();
        ensure!(!points.is_empty(), "{}: the record has no evaluation", dir.display());
        Ok(Self::of(&points))
    }

    /// Of the evaluations of a training: on the validation part, where there is one, and on test.
    fn of(points: &[(Option<f64>, f64)]) -> Self {
        let last = &points[points.len().saturating_sub(LAST)..];
        let mean_of_last = last.iter().map(|p| p.1).sum::<f64>() / last.len() as f64;
        let better = |best: (Option<f64>, f64), point: &(Option<f64>, f64)| match point.0 > best.0 {
            true => *point,
            false => best,
        };
        let at_best_validation = match points.iter().any(|p| p.0.is_some()) {
            true => points.iter().fold((None, f64::NAN), better).1,
            // Without a validation part nothing can be chosen.
            false => points[points.len() - 1].1,
        };
        Self { mean_of_last, at_best_validation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_chosen_on_the_validation_part_alone() {
        let along =
            Along::of(&[(Some(80.0), 70.0), (Some(90.0), 75.0), (Some(90.0), 99.0), (None, 50.0)]);
        assert_eq!(along, Along { mean_of_last: 73.5, at_best_validation: 75.0 });
        let blind = Along::of(&[(None, 99.0), (None, 60.0)]);
        assert_eq!(blind.at_best_validation, 60.0);
        let long: Vec<_> = (0..30).map(|i| (None, f64::from(i))).collect();
        assert_eq!(Along::of(&long).mean_of_last, 19.5);
    }
}
