//! The trial: every row for a short time on some of the labels, measured on the others, to choose
//! by and, where there is no test part, to report.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dataset::Samples;
use data_pipeline::text::{EncodedSet, TextSet};
use torch::Params;

use super::parts::Parts;
use super::recipe::Recipe;
use super::start::Source;
use super::training::Training;
use crate::run::cost::StageCost;
use crate::run::files;
use crate::run::folds::{Fold, folds};
use crate::run::pace::{self, fitting};
use crate::run::scores::Scores;
use crate::run::seeds::{self, SeedRun};
use crate::run::trial::Trial;
use crate::text::classifier::TextClassifier;

/// What trainings of a seed share.
pub(super) struct Setting<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) parts: &'a Parts,
    pub(super) source: &'a Source,
    /// Every row, and the network whose encoder it starts from.
    pub(super) rows: Vec<(&'static str, Option<&'a Params>)>,
    /// Seconds of a step of a classifier.
    pub(super) pace: f64,
}

/// Texts of a batch of an evaluation.
const BATCH: usize = 64;

impl Setting<'_> {
    /// Texts in tokens.
    pub(super) fn encode(&self, set: &Arc<TextSet>) -> Result<EncodedSet> {
        Ok(set.encode(&self.source.tokenizer, self.recipe.layout)?)
    }

    /// The training of a row on labelled texts, in a folder of its own.
    pub(super) fn training<'a>(
        &'a self,
        (name, start): (&'a str, Option<&'a Params>),
        labeled: &Arc<EncodedSet>,
        dir: &'a Path,
    ) -> Training<'a> {
        let (recipe, net) = (self.recipe, &self.source.net);
        Training { recipe, net, labeled: labeled.clone(), name, start, dir }
    }

    /// What a network says of texts whose class is known.
    pub(super) fn scores(
        &self,
        net: &TextClassifier,
        set: &EncodedSet,
        run: &SeedRun<'_, '_>,
    ) -> Result<Scores> {
        let said = net.predict(set, BATCH, run.device)?;
        let all = 0..set.len();
        Ok(Scores::of(all.clone().map(|i| set.id(i)), all.map(|i| set.label(i)), &said))
    }

    /// The folds of the trial.
    fn folds(&self, seed: u64) -> Vec<Fold> {
        let labeled = &self.parts.labeled;
        let labels: Vec<u32> = (0..labeled.len()).filter_map(|i| labeled.label(i)).collect();
        let trial = &self.recipe.trial;
        match self.parts.validation {
            None => folds(&labels, trial.folds, trial.held_out, seeds::key(seed, "trial")),
            // One's own validation part is measured on; all labels are trained on.
            Some(_) => vec![Fold { trained: (0..labels.len()).collect(), held_out: Vec::new() }],
        }
    }

    /// How many trainings the trial has.
    pub(super) fn trainings(&self, seed: u64) -> usize {
        // A single row is no choice: it is tried only where there is nothing else to measure on.
        let measured = self.parts.test.is_some() || self.parts.validation.is_some();
        match self.rows.len() == 1 && measured {
            true => 0,
            false => self.folds(seed).len() * self.rows.len(),
        }
    }

    /// Runs all folds; `seconds` is what the whole trial may take.
    pub(super) fn trial(&self, seconds: f64, run: &mut SeedRun<'_, '_>) -> Result<Trial> {
        let (recipe, parts) = (self.recipe, self.parts);
        let trainings = self.trainings(run.seed);
        if trainings == 0 || (seconds <= 0.0 && parts.test.is_some()) {
            return Ok(Trial::default());
        }
        let folds = self.folds(run.seed);
        let seconds = seconds / trainings as f64;
        let steps = fitting(seconds, self.pace);
        let decides = steps >= recipe.trial.steps.min(recipe.train.steps);
        if !decides && parts.test.is_some() {
            return Ok(Trial::default());
        }
        let mut found = Trial { folds: folds.len(), seconds, decides, ..Trial::default() };
        for (number, fold) in folds.iter().enumerate() {
            let select = |at: &[usize]| {
                let at: Vec<u32> = at.iter().map(|&i| i as u32).collect();
                Arc::new(parts.labeled.select(&at))
            };
            let labeled = Arc::new(self.encode(&select(&fold.trained))?);
            let measured = match &parts.validation {
                Some(validation) => self.encode(validation)?,
                None => self.encode(&select(&fold.held_out))?,
            };
            for (name, start) in &self.rows {
                let dir = run.dir.join("trial").join(format!("{name}-{}", number + 1));
                let training = self.training((name, *start), &labeled, &dir);
                files::make_folder(&dir)?;
                let (scores, cost): (Scores, StageCost) =
                    files::once(&dir.join("scores.json"), || {
                        run.part("trial");
                        let trained = training.train(seconds, self.pace, run)?;
                        run.part("");
                        let scores = self.scores(&trained.net, &measured, run)?;
                        pace::remove(&dir.join("checkpoints"))?;
                        Ok((scores, trained.cost))
                    })?;
                found.add(name, scores);
                found.cost = StageCost::sum([found.cost, cost]);
            }
        }
        Ok(found)
    }
}
