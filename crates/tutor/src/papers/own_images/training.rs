//! One training of a method from the common start, as long as its time allows.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use report::Curve;
use ssl_core::MethodConfig;
use torch::Model;
use train::{Callback, Progress, TrainConfig};

use super::recipe::Recipe;
use crate::images::learner::Learner;
use crate::images::setting::Setting;
use crate::images::source::Data;
use crate::images::task::VALIDATION;
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::seeds::SeedRun;
use crate::run::{curve, files};

/// What is trained on what, in a folder of its own.
pub(super) struct Training<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) data: &'a Data,
    /// The row.
    pub(super) name: &'a str,
    /// The weights it starts from.
    pub(super) start: &'a Model,
    pub(super) dir: &'a Path,
}

/// A finished training.
pub(super) struct Trained {
    pub(super) model: Model,
    pub(super) cost: StageCost,
    pub(super) curve: Curve,
    pub(super) steps: u64,
}

/// Steps of a measurement of the pace, and how many of the first are not counted.
const PACE_STEPS: u64 = 8;
const NOT_COUNTED: usize = 3;

/// The share of the time that the planned steps take at the measured pace; the rest is for
/// checkpoints and for a machine that becomes slower.
const PLANNED: f64 = 0.92;

/// No training is shorter.
const FEWEST_STEPS: u64 = 10;

/// The steps that fit into some seconds.
pub(super) fn fitting(seconds: f64, pace: f64) -> u64 {
    (seconds * PLANNED / pace) as u64
}

impl Training<'_> {
    /// Seconds that a step takes on this machine; measured once a run.
    pub(super) fn pace(&self, run: &SeedRun<'_, '_>) -> Result<f64> {
        files::once(&self.dir.join("pace.json"), || {
            // What a process that was stopped here left behind is not measured again.
            remove(self.dir)?;
            let setting = self.setting(run)?;
            let config = TrainConfig { steps: PACE_STEPS, ..self.recipe.train.clone() };
            let mut stopwatch = Stopwatch(Vec::new());
            self.fit(&setting, &config, None, &mut stopwatch)?;
            // What was learned is of no use.
            Self::remove_checkpoints(self.dir)?;
            let times = &stopwatch.0[NOT_COUNTED..];
            let mut steps: Vec<f64> =
                times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
            steps.sort_by(f64::total_cmp);
            Ok(steps[steps.len() / 2])
        })
    }

    /// Trains for about so many seconds, a step taking `pace`.
    pub(super) fn train(
        &self,
        seconds: f64,
        pace: f64,
        run: &mut SeedRun<'_, '_>,
    ) -> Result<Trained> {
        files::make_folder(self.dir)?;
        // Resumed, it takes the steps and the time that were planned at first.
        let (steps, seconds): (u64, f64) = files::once(&self.dir.join("plan.json"), || {
            let most = self.recipe.train.steps.max(FEWEST_STEPS);
            let steps = fitting(seconds, pace).clamp(FEWEST_STEPS, most);
            Ok((steps, seconds.max(2.0 * pace * FEWEST_STEPS as f64)))
        })?;
        let config = TrainConfig { steps, ..self.recipe.train.clone() };
        let setting = self.setting(run)?;
        let (model, cost) = self.fit(&setting, &config, Some(seconds), run.stage(self.name))?;
        let curve = curve::read(self.dir, self.name, run.seed, VALIDATION)?;
        let steps = curve.points.last().map_or(steps, |point| point.step);
        Ok(Trained { model, cost, curve, steps })
    }

    /// Removes what only an unfinished training needs.
    pub(super) fn remove_checkpoints(dir: &Path) -> Result<()> {
        remove(&dir.join("checkpoints"))
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
        };
        let task = learner.task(setting)?.start(Some(&self.start.params));
        let task = task.freeze(recipe.freeze).seconds(seconds);
        task.train(self.dir, "train", &select, callback)
    }
}

fn remove(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// The method of a row. Alignment to the labels starts from their shares.
fn method(recipe: &Recipe, name: &str, data: &Data) -> MethodConfig {
    let mut method = recipe.method(name).clone();
    if let MethodConfig::FixMatch(fixmatch) = &mut method
        && let Some(alignment) = &mut fixmatch.alignment
        && alignment.to == ssl_core::AlignTo::Labels
        && alignment.start.is_empty()
    {
        let mut counts = vec![0.0; data.input.classes.len()];
        data.labeled.labels().into_iter().flatten().for_each(|l| counts[l as usize] += 1.0);
        let sum: f64 = counts.iter().sum();
        if counts.iter().all(|count| *count > 0.0) {
            alignment.start = counts.into_iter().map(|count| count / sum).collect();
        }
    }
    method
}

/// Notes when steps are done.
struct Stopwatch(Vec<Instant>);

impl Callback for Stopwatch {
    fn stepped(&mut self, _at: Progress) {
        self.0.push(Instant::now());
    }
}
