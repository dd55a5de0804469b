//! One training of a method from the common start, as long as its time allows.

use std::path::Path;

use anyhow::Result;
use report::Curve;
use ssl_core::MethodConfig;
use torch::Model;
use train::{Callback, TrainConfig};

use super::recipe::Recipe;
use crate::images::learner::{Learner, StoredParts};
use crate::images::setting::Setting;
use crate::images::source::Data;
use crate::images::task::VALIDATION;
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::pace::Span;
use crate::run::seeds::SeedRun;
use crate::run::{curve, pace, trial};

/// What is trained on what, in a folder of its own.
pub(super) struct Training<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) data: &'a Data,
    /// The row.
    pub(super) name: &'a str,
    /// The weights it starts from.
    pub(super) start: &'a Model,
    /// Views to read, where they are stored.
    pub(super) stored: Option<&'a StoredParts>,
    pub(super) dir: &'a Path,
}

/// A finished training.
pub(super) struct Trained {
    pub(super) model: Model,
    pub(super) cost: StageCost,
    pub(super) curve: Curve,
    pub(super) steps: u64,
    /// The steps that were to fit its time.
    pub(super) planned: u64,
}

impl Trained {
    /// What it took.
    pub(super) fn taken(&self, recipe: &Recipe) -> trial::Trained {
        trial::Trained {
            steps: self.steps,
            seconds: self.cost.seconds,
            most: recipe.train.steps,
            enough: recipe.trial.steps.min(recipe.train.steps),
        }
    }
}

impl Training<'_> {
    /// Seconds that a step takes on this machine; measured once a run, in about `seconds` at most.
    pub(super) fn pace(&self, seconds: f64, run: &SeedRun<'_, '_>) -> Result<f64> {
        pace::measure(self.dir, run.device, |stopwatch| {
            let setting = self.setting(run)?;
            let config = TrainConfig { steps: pace::PACE_STEPS, ..self.recipe.train.clone() };
            self.fit(&setting, &config, Some(seconds), stopwatch)?;
            Ok(())
        })
    }

    /// Trains for about so many seconds, a step taking `pace`.
    pub(super) fn train(
        &self,
        seconds: f64,
        pace: f64,
        run: &mut SeedRun<'_, '_>,
    ) -> Result<Trained> {
        let (planned, seconds) =
            pace::plan(self.dir, (Span::exactly(seconds), pace), self.recipe.train.steps)?;
        let config = TrainConfig { steps: planned, ..self.recipe.train.clone() };
        let setting = self.setting(run)?;
        let (model, cost) = self.fit(&setting, &config, Some(seconds), run.stage(self.name))?;
        let curve = curve::read(self.dir, self.name, run.seed, VALIDATION)?;
        let steps = curve.points.last().map_or(planned, |point| point.step);
        Ok(Trained { model, cost, curve, steps, planned })
    }

    /// Removes what only an unfinished training needs.
    pub(super) fn remove_checkpoints(dir: &Path) -> Result<()> {
        pace::remove(&dir.join("checkpoints"))
    }

    fn setting<'s>(&'s self, run: &SeedRun<'s, '_>) -> Result<Setting<'s>> {
        Setting::unmeasured(self.data, self.recipe.shared(), run, self.dir)
    }

    fn fit(
        &self,
        setting: &Setting<'_>,
        config: &TrainConfig,
        seconds: Option<f64>,
        callback: &mut dyn Callback,
    ) -> Result<(Model, StageCost)> {
        let recipe = self.recipe;
        let method = method(recipe, self.name, self.data);
        let select = Select::default();
        let learner = Learner {
            net: &recipe.net,
            method: &method,
            train: config,
            unlabeled_ratio: recipe.unlabeled_ratio,
            weak: &recipe.weak,
            strong: &recipe.strong,
            stored: self.stored,
        };
        let task = learner.task(setting)?.start(Some(&self.start.params));
        let task = task.freeze(recipe.freeze).seconds(seconds);
        task.train(self.dir, "train", &select, callback)
    }
}

/// The method of a row. Alignment to the labels starts from their shares.
fn method(recipe: &Recipe, name: &str, data: &Data) -> MethodConfig {
    let mut method = recipe.method(name).clone();
    if let MethodConfig::FixMatch(fixmatch) = &mut method
        && let Some(alignment) = &mut fixmatch.alignment
        && alignment.to != ssl_core::AlignTo::Uniform
    {
        let mut counts = vec![0; data.input.classes.len()];
        data.labeled.labels().into_iter().flatten().for_each(|l| counts[l as usize] += 1);
        alignment.start_from(&counts);
    }
    method
}
