//! One training of a classifier, as long as its time allows.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dataset::Samples;
use data_pipeline::text::{EncodedSet, TextSet, TextView, TextViews};
use electra::heads::ClassifierConfig;
use report::Curve;
use torch::Params;
use train::{Callback, TrainConfig};

use super::parts::labels;
use super::recipe::{Recipe, UdaConfig};
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::pace::Span;
use crate::run::seeds::{self, SeedRun, Seeded};
use crate::run::stage::Stage;
use crate::run::{curve, pace};
use crate::text::classification::Classification;
use crate::text::classifier::TextClassifier;
use crate::text::semi_supervised::{PAD, SemiSupervised};

/// What it learns from.
pub(super) enum Learned<'a> {
    /// Labelled texts.
    Labels(Arc<EncodedSet>),
    /// Labelled texts and others, which are changed on the way.
    Both(Box<Both<'a>>),
}

/// Labelled and unlabelled texts, and the method that learns from both.
pub(super) struct Both<'a> {
    pub(super) uda: &'a UdaConfig,
    pub(super) labeled: Arc<TextSet>,
    pub(super) unlabeled: Arc<TextSet>,
    /// The tokenizer and layout.
    pub(super) tokens: TextViews,
    pub(super) strong: TextView,
}

impl Learned<'_> {
    /// How many labelled texts there are.
    fn labels(&self) -> usize {
        match self {
            Learned::Labels(set) => set.len(),
            Learned::Both(both) => both.labeled.len(),
        }
    }
}

/// What is trained on what, in a folder of its own.
pub(super) struct Training<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) net: &'a ClassifierConfig,
    pub(super) learned: Learned<'a>,
    /// The row.
    pub(super) name: &'a str,
    /// The network whose encoder it starts from; at random without one.
    pub(super) start: Option<&'a Params>,
    /// Steps at most.
    pub(super) most: u64,
    pub(super) dir: &'a Path,
}

/// A finished training.
pub(super) struct Trained {
    pub(super) net: TextClassifier,
    pub(super) cost: StageCost,
    pub(super) curve: Curve,
    pub(super) steps: u64,
}

impl Training<'_> {
    /// Seconds that a step takes on this machine; measured once a run.
    pub(super) fn pace(&self, run: &SeedRun<'_, '_>) -> Result<f64> {
        pace::measure(self.dir, run.device, |stopwatch| {
            let config = self.config(pace::PACE_STEPS);
            self.fit(&config, run.seeded(), None, stopwatch)?;
            Ok(())
        })
    }

    /// Trains for as long as `span` says, a step taking `pace`.
    pub(super) fn train(
        &self,
        span: Span,
        pace: f64,
        run: &mut SeedRun<'_, '_>,
    ) -> Result<Trained> {
        let (steps, seconds) = pace::plan(self.dir, (span, pace), self.most)?;
        let config = self.config(steps);
        let seeded = run.seeded();
        let (net, cost) = self.fit(&config, seeded, Some(seconds), run.stage(self.name))?;
        let curve = curve::read(self.dir, self.name, run.seed, "none")?;
        Ok(Trained { net, cost, curve, steps: cost.samples / config.batch as u64 })
    }

    /// The settings of so many steps; a batch has no text twice.
    fn config(&self, steps: u64) -> TrainConfig {
        let train = &self.recipe.train;
        let batch = match &self.learned {
            Learned::Labels(_) => train.batch,
            Learned::Both(both) => both.uda.batch,
        };
        TrainConfig { steps, batch: batch.min(self.learned.labels()), ..train.clone() }
    }

    fn fit(
        &self,
        config: &TrainConfig,
        seeded: Seeded<'_>,
        seconds: Option<f64>,
        callback: &mut dyn Callback,
    ) -> Result<(TextClassifier, StageCost)> {
        let recipe = self.recipe;
        let stage = Stage {
            dir: self.dir,
            // All rows start alike, as far as their tensors are alike.
            key: seeds::key(seeded.seed, "train"),
            config,
            cadence: &recipe.cadence,
            select: &Select::default(),
            precision: recipe.precision,
            device: seeded.device,
            seconds,
            recipe_text: seeded.recipe_text,
        };
        let key = |name| seeds::key(seeded.seed, name);
        match &self.learned {
            Learned::Labels(labeled) => {
                let task = Classification {
                    net: self.net,
                    classes: labeled.classes().len(),
                    start: self.start,
                    config,
                    rates: recipe.rates(),
                    labeled: labeled.clone(),
                    seed: key("stream/train"),
                    workers: recipe.workers,
                    device: seeded.device,
                };
                stage.train(task, callback)
            }
            Learned::Both(both) => {
                let (net, method) = (
                    ClassifierConfig { pad: PAD, ..self.net.clone() },
                    both.uda.method(&labels(&both.labeled)),
                );
                let task = SemiSupervised {
                    net: &net,
                    classes: both.labeled.classes().len(),
                    start: self.start,
                    config,
                    rates: recipe.rates(),
                    method: &method,
                    ratio: both.uda.ratio,
                    labeled: both.labeled.clone(),
                    unlabeled: both.unlabeled.clone(),
                    tokens: both.tokens.clone(),
                    weak: TextView::Plain,
                    strong: both.strong.clone(),
                    seeds: ["stream/train", "stream/unlabeled"].map(key),
                    workers: recipe.workers,
                    device: seeded.device,
                };
                stage.train(task, callback)
            }
        }
    }
}
