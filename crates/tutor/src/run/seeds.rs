//! A run under way, seed by seed, as an experiment sees it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use augment::rng::Key;
use report::Curve;
use torch::Device;
use torch::precision::Precision;
use train::{Cadence, Callback, TrainConfig};

use super::cost::StageCost;
use super::curve;
use super::folder::Started;
use super::progress::Progress;
use super::stage::{Stage, Task};
use crate::recipe::select::Select;

/// A run under way, as an experiment sees it.
pub(crate) struct Run<'a> {
    pub(crate) started: &'a Started,
    pub(crate) device: Device,
    /// The resolved recipe.
    pub(crate) recipe_text: &'a str,
    /// The run's folder.
    pub(crate) dir: &'a Path,
    pub(super) progress: Progress<'a>,
}

/// One seed of a run.
pub(crate) struct SeedRun<'a, 'p> {
    pub(crate) seed: u64,
    /// The seed's folder.
    pub(crate) dir: PathBuf,
    pub(crate) device: Device,
    pub(crate) recipe_text: &'a str,
    progress: &'a mut Progress<'p>,
}

impl Run<'_> {
    /// Says one thing.
    pub(crate) fn say(&self, what: &str) {
        self.progress.say(what);
    }

    /// What each seed finds, in order. `line` is what is said of a seed as soon as it is done.
    pub(crate) fn each_seed<T>(
        &mut self,
        mut find: impl FnMut(&mut SeedRun<'_, '_>) -> Result<T>,
        line: impl Fn(&T) -> String,
    ) -> Result<Vec<T>> {
        let seeds = &self.started.seeds;
        let mut found = Vec::with_capacity(seeds.len());
        for (i, &seed) in seeds.iter().enumerate() {
            self.progress.seed(i + 1, seeds.len());
            let mut one = SeedRun {
                seed,
                dir: seed_dir(self.dir, seed),
                device: self.device,
                recipe_text: self.recipe_text,
                progress: &mut self.progress,
            };
            let of_seed = find(&mut one).with_context(|| format!("seed {seed}"))?;
            self.progress.say(&format!("seed {seed}: {}", line(&of_seed)));
            found.push(of_seed);
        }
        self.progress.clear();
        Ok(found)
    }
}

/// What trainings of a seed have in common.
#[derive(Clone, Copy)]
pub(crate) struct Seeded<'a> {
    pub(crate) seed: u64,
    pub(crate) device: Device,
    pub(crate) recipe_text: &'a str,
}

impl<'a> SeedRun<'a, '_> {
    /// What its trainings have in common.
    pub(crate) fn seeded(&self) -> Seeded<'a> {
        Seeded { seed: self.seed, device: self.device, recipe_text: self.recipe_text }
    }
}

impl SeedRun<'_, '_> {
    /// Trains a task by the seed's own random numbers, in the folder `name` below the seed's, and
    /// reads the course of a metric of it back.
    pub(crate) fn train<T: Task>(
        &mut self,
        name: &str,
        (config, cadence): (&TrainConfig, &Cadence),
        task: T,
        metric: &str,
    ) -> Result<(T::Net, StageCost, Curve)> {
        let dir = self.dir.join(name);
        let stage = Stage {
            dir: &dir,
            key: self.seed,
            config,
            cadence,
            select: &Select::default(),
            precision: Precision::default(),
            device: self.device,
            seconds: None,
            recipe_text: self.recipe_text,
        };
        let (model, cost) = stage.train(task, self.progress.stage(name))?;
        Ok((model, cost, curve::read(&dir, name, self.seed, metric)?))
    }

    /// Which part of the seed's trainings comes now, in words, for those who follow the run.
    pub(crate) fn part(&mut self, what: &str) {
        self.progress.part(what);
    }

    /// Says one thing once in a run.
    pub(crate) fn say_once(&self, what: &str) {
        self.progress.say_once(what);
    }

    /// Begins a stage; the result is told of its course.
    pub(crate) fn stage(&mut self, title: &str) -> &mut dyn Callback {
        self.progress.stage(title)
    }

    /// The same, with something to say of each step that is logged.
    pub(crate) fn stage_beside(
        &mut self,
        title: &str,
        beside: impl Fn(train::Progress) -> String + 'static,
    ) -> &mut dyn Callback {
        self.progress.stage_beside(title, beside)
    }

    /// Says one thing.
    pub(crate) fn say(&self, what: &str) {
        self.progress.say(what);
    }
}

/// A number for the random choices of something named `name` in a run of this seed.
pub(crate) fn key(seed: u64, name: &str) -> u64 {
    let step = |seed, byte: u8| {
        Key { seed, epoch: 0, index: u64::from(byte), view: 1002 }.rng().next_u64()
    };
    name.bytes().fold(seed, step)
}

/// The folder of a seed below its run's.
pub(crate) fn seed_dir(run: &Path, seed: u64) -> PathBuf {
    run.join(format!("seed-{seed}"))
}
