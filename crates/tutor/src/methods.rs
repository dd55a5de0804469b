//! Tables of methods: every row one training, measured as papers do and as they should.

pub(crate) mod summary;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use ssl_core::{Config, Facts, View as Kind};
use torch::Device;
use train::metrics;

use crate::assemble::{Data, Source, view};
use crate::evaluate::Look;
use crate::feedback::Feedback;
use crate::generations::stream;
use crate::outcome::{curve, found_before, part_of};
use crate::phase::{Phase, PhaseCost, Setting, VALIDATION, WATCHED, metric_name};
use crate::progress::Progress;
use crate::recipe::methods::{MethodsRecipe, Train};
use crate::recipe::{DataConfig, Part};
use crate::report::result::write_atomically;
use crate::report::visuals::Curve;
use crate::seed::keep_split;

/// What one training found; all accuracies in percent of one part of the data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Training {
    pub(crate) name: String,
    /// In words, which data.
    pub(crate) data: String,
    /// How many labels it had.
    pub(crate) labels: u64,
    pub(crate) part: Part,
    /// How many images the accuracies were counted on.
    pub(crate) examples: u64,
    /// Of the weights that the training results in.
    pub(crate) last: f64,
    /// Mean over the evaluations at the end, at most [`LAST`] of them.
    pub(crate) mean_of_last: f64,
    /// Of the weights that were best on the validation part, the earliest of equals.
    pub(crate) at_best_validation: f64,
    /// Of the same, the mean over classes.
    pub(crate) balanced: f64,
    pub(crate) confusion: Vec<Vec<u64>>,
    pub(crate) classes: Vec<String>,
    pub(crate) curve: Curve,
    pub(crate) cost: PhaseCost,
}

/// Over how many of the last evaluations FixMatch's authors and others average.
pub(crate) const LAST: usize = 20;

const FILE: &str = "training.json";

/// Runs one seed of all rows in `dir`, or reads what an earlier process found there.
pub(crate) fn run(
    recipe: &MethodsRecipe,
    recipe_text: &str,
    source: &Source,
    device: Device,
    seed: u64,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<Vec<Training>> {
    let mut trainings = Vec::new();
    for (name, data, train) in recipe.trainings()? {
        let dir = dir.join(&name);
        let row = Row { recipe, recipe_text, device, seed, name: &name, data, train };
        let found = row.run(source, &dir, progress).with_context(|| format!("row {name}"))?;
        trainings.push(found);
    }
    Ok(trainings)
}

/// One training of one seed.
struct Row<'a> {
    recipe: &'a MethodsRecipe,
    recipe_text: &'a str,
    device: Device,
    seed: u64,
    name: &'a str,
    data: DataConfig,
    train: Train,
}

impl Row<'_> {
    fn run(&self, source: &Source, dir: &Path, progress: &mut Progress<'_>) -> Result<Training> {
        let file = dir.join(FILE);
        if let Some(found) = found_before(&file) {
            return Ok(found);
        }
        let data = source.of(&self.data).draw(self.seed)?;
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        keep_split(&data, &dir.join("split.json"))?;
        data.input.save(dir)?;
        let found = self.train(&data, dir, progress)?;
        write_atomically(&file, serde_json::to_string(&found)?.as_bytes())?;
        Ok(found)
    }

    fn train(&self, data: &Data, dir: &Path, progress: &mut Progress<'_>) -> Result<Training> {
        let (recipe, train) = (self.recipe, &self.train);
        let (part, pool) = part_of(data, recipe.evaluate_on);
        let truth = pool.labels();
        ensure!(
            truth.iter().any(Option::is_some),
            "there is no labelled image in the {} part to measure on: the split rule or the sizes in [data] leave none",
            part.name()
        );
        let setting = Setting {
            data,
            device: self.device,
            precision: recipe.precision,
            cadence: &recipe.cadence,
            eval_batch: recipe.eval_batch,
            recipe_text: self.recipe_text,
            seed: self.seed,
        };
        let method = train.method.build(&Facts {
            classes: setting.classes() as i64,
            unlabeled: data.unlabeled.len() as i64,
            device: self.device,
        });
        let views = method.views();
        let strong = views.labeled == Kind::Strong || views.unlabeled.contains(&Kind::Strong);
        let feedback = strong.then(|| Feedback::of(&train.strong)).flatten();
        let seen = |kind| match (kind, &feedback) {
            (Kind::Plain, _) => view(&recipe.eval_augment),
            (Kind::Weak, _) => view(&train.weak),
            (Kind::Strong, None) => view(&train.strong),
            (Kind::Strong, Some(feedback)) => feedback.strong(),
        };
        let probe = feedback.as_ref().map(Feedback::probe);
        // Rows share their random numbers, so that they differ in what the recipe changes alone.
        let mut streams = vec![stream(
            &setting,
            &data.labeled,
            [seen(views.labeled)].into_iter().chain(probe).collect(),
            train.batch,
            "labeled",
        )];
        if !views.unlabeled.is_empty() {
            ensure!(data.unlabeled.len() > 0, "there are no unlabelled images: see [data]");
            let batch = train.batch * train.unlabeled_ratio;
            let views = views.unlabeled.into_iter().map(seen).collect();
            streams.push(stream(&setting, &data.unlabeled, views, batch, "unlabeled"));
        }
        let watched = part == Part::Test;
        let phase = Phase {
            dir: dir.to_owned(),
            name: "train",
            net: &train.net,
            steps: train.steps,
            lr: &train.lr,
            optim: &train.optim,
            ema: train.ema,
            swa: train.swa,
            feedback: feedback.clone(),
            eval_augment: &recipe.eval_augment,
            streams,
            targets: None,
            start: None,
            frozen: &[],
            watched: watched.then_some(pool),
            select: recipe.select,
        };
        let (model, cost) = setting.train(phase, method, progress.phase(self.name))?;
        let feed = setting.feed(None);
        let look =
            Look::clean(&feed, &recipe.eval_augment, recipe.eval_batch, recipe.cadence.workers);
        let predictions = look.interruptible().at(&model, pool)?;
        let confusion = predictions.confusion(&truth);
        let chosen_by = metric_name(recipe.select.metric);
        let course = Course::read(dir, chosen_by, if watched { WATCHED } else { VALIDATION })?;
        Ok(Training {
            name: self.name.to_owned(),
            data: data.describe(),
            labels: data.labeled.len() as u64,
            part,
            examples: pool.len() as u64,
            last: predictions.accuracy(&truth).context("an image whose class is known")?,
            mean_of_last: course.mean_of_last(),
            at_best_validation: course.at_best_validation(),
            balanced: predictions
                .balanced_accuracy(&truth)
                .context("an image whose class is known")?,
            confusion,
            classes: data.input.classes.clone(),
            curve: curve(dir, self.name, self.seed)?,
            cost,
        })
    }
}

/// The evaluations of a training.
struct Course {
    /// Accuracy on the validation part, where there is one, and on the part that is reported.
    points: Vec<(Option<f64>, f64)>,
}

impl Course {
    fn read(dir: &Path, chosen_by: &str, reported: &str) -> Result<Self> {
        let rows = metrics::read(&dir.join(metrics::FILE))?;
        let points = rows.iter().filter_map(|row| {
            let value = |name: &str| row.values.get(&format!("eval/{name}")).copied().flatten();
            Some((value(chosen_by), value(reported)?))
        });
        let points: Vec<_> = points.collect();
        ensure!(!points.is_empty(), "{}: the record has no evaluation", dir.display());
        Ok(Self { points })
    }

    fn mean_of_last(&self) -> f64 {
        let last = &self.points[self.points.len().saturating_sub(LAST)..];
        last.iter().map(|p| p.1).sum::<f64>() / last.len() as f64
    }

    fn at_best_validation(&self) -> f64 {
        let better = |best: (Option<f64>, f64), point: &(Option<f64>, f64)| match point.0 > best.0 {
            true => *point,
            false => best,
        };
        match self.points.iter().any(|p| p.0.is_some()) {
            true => self.points.iter().fold((None, f64::NAN), better).1,
            // Without a validation part nothing can be chosen.
            false => self.points[self.points.len() - 1].1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_chosen_on_the_validation_part_alone() {
        let points = vec![(Some(80.0), 70.0), (Some(90.0), 75.0), (Some(90.0), 99.0), (None, 50.0)];
        let course = Course { points };
        assert_eq!(course.at_best_validation(), 75.0);
        assert_eq!(course.mean_of_last(), 73.5);
        let blind = Course { points: vec![(None, 99.0), (None, 60.0)] };
        assert_eq!(blind.at_best_validation(), 60.0);
        let long = Course { points: (0..30).map(|i| (None, f64::from(i))).collect() };
        assert_eq!(long.mean_of_last(), 19.5);
    }
}
