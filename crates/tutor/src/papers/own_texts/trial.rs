//! The trial: every row for a short time on some of the labels, measured on the others, to choose
//! by and, where there is no test part, to report.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{EncodedSet, TextSet, TextViews};
use torch::Params;

use super::linear::Linears;
use super::parts::Parts;
use super::recipe::{LATENT, Recipe, STUDENT, UDA};
use super::start::Source;
use super::student;
use super::training::{Both, Learned, Trained, Training};
use crate::run::cost::StageCost;
use crate::run::files;
use crate::run::folds::{Fold, folds};
use crate::run::pace::{self, Span, fitting};
use crate::run::scores::Scores;
use crate::run::seeds::{self, SeedRun};
use crate::run::trial::{Trained as Taken, Trial};
use crate::text::augmentation::Changes;
use crate::text::classifier::TextClassifier;
use crate::text::linear::Fitted;

/// What trainings of a seed share.
pub(super) struct Setting<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) parts: &'a Parts,
    /// What nets start from; none where there is no row of a net.
    pub(super) source: Option<&'a Source>,
    pub(super) linears: &'a Linears,
    /// Every row of a net, and the network whose encoder it starts from.
    pub(super) rows: Vec<(&'static str, Option<&'a Params>)>,
    /// Seconds of a step of a net that learns from labelled texts.
    pub(super) pace: f64,
    /// How the row `uda` changes texts, where there is one, and seconds of a step of it.
    pub(super) changes: Option<Changes>,
    pub(super) uda_pace: f64,
}

/// Texts of a batch of an evaluation.
const BATCH: usize = 64;

impl Setting<'_> {
    fn source(&self) -> Result<&Source> {
        self.source.context("a net to train")
    }

    /// Texts in tokens.
    pub(super) fn encode(&self, set: &Arc<TextSet>) -> Result<EncodedSet> {
        Ok(set.encode(&self.source()?.tokenizer, self.recipe.layout)?)
    }

    /// The training of a row of a net on labelled texts, in a folder of its own.
    pub(super) fn training<'a>(
        &'a self,
        (name, start): (&'a str, Option<&'a Params>),
        labeled: &Arc<TextSet>,
        dir: &'a Path,
    ) -> Result<Training<'a>> {
        let (recipe, source) = (self.recipe, self.source()?);
        let most = self.most(name);
        let learned = match (&recipe.uda, &self.changes) {
            (Some(uda), Some(changes)) if name == UDA => {
                let tokenizer = Arc::clone(&source.tokenizer);
                let strong = changes.view(&uda.strong, &tokenizer);
                let tokens = TextViews { tokenizer, layout: recipe.layout, views: Vec::new() };
                let (labeled, unlabeled) = (labeled.clone(), self.parts.unlabeled.clone());
                Learned::Both(Box::new(Both { uda, labeled, unlabeled, tokens, strong }))
            }
            _ => Learned::Labels(Arc::new(self.encode(labeled)?)),
        };
        Ok(Training { recipe, net: &source.net, learned, name, start, most, dir })
    }

    /// What a training of a row of a net took.
    pub(super) fn taken(&self, name: &str, trained: &Trained) -> Taken {
        Taken {
            steps: trained.steps,
            seconds: trained.cost.seconds,
            most: self.most(name),
            enough: self.recipe.trial.steps.min(self.most(name)),
        }
    }

    /// Steps of a row of a net at most.
    fn most(&self, name: &str) -> u64 {
        match (name, self.recipe.student, &self.recipe.uda) {
            (STUDENT, Some(student), _) => student.steps,
            (UDA, _, Some(uda)) => uda.steps,
            _ => self.recipe.train.steps,
        }
    }

    /// Seconds of a step of a row of a net.
    pub(super) fn pace_of(&self, name: &str) -> f64 {
        if name == UDA { self.uda_pace } else { self.pace }
    }

    /// Seconds that a training of a row in a trial is worth: enough for a training on all labels by
    /// the row of the labels alone, or for the steps that decide by any other.
    pub(super) fn wanted(&self) -> f64 {
        let steps = self.recipe.train.steps;
        let of_uda = self.recipe.trial.steps.min(self.most(UDA));
        let of_uda = pace::needed(of_uda, self.uda_pace);
        let of_uda = if self.recipe.uda.is_some() { of_uda } else { 0.0 };
        pace::needed(steps, self.pace).max(of_uda)
    }

    /// Whether a training of so many seconds is long enough to judge a row by.
    fn decides(&self, name: &str, seconds: f64) -> bool {
        let enough = self.recipe.trial.steps.min(self.most(name));
        fitting(seconds, self.pace_of(name)) >= enough
    }

    /// The texts that a row of a net learns from, of the labelled ones at these positions.
    /// `teacher` is what `latent-semantic` learned from the same.
    pub(super) fn learned(
        &self,
        name: &str,
        at: &[usize],
        teacher: Option<&Fitted>,
    ) -> Result<Arc<TextSet>> {
        let parts = self.parts;
        let positions: Vec<u32> = at.iter().map(|&i| i as u32).collect();
        let labeled = parts.labeled.select(&positions);
        match (name, self.recipe.student) {
            (STUDENT, Some(student)) => {
                let teacher = teacher.with_context(|| {
                    format!(
                        "{STUDENT} has no teacher: no term is in enough texts for {LATENT}; lower \
                         latent_semantic.texts, or take student out of the recipe"
                    )
                })?;
                let said = self.linears.unlabeled(LATENT, teacher)?;
                student::texts(&labeled, (&parts.unlabeled, &said), student.labels)
            }
            _ => Ok(Arc::new(labeled)),
        }
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
        // A single row is no choice: tried only where there is nothing else to measure on.
        if self.recipe.rows().count() == 1 && self.parts.is_measured() {
            return Vec::new();
        }
        let labeled = &self.parts.labeled;
        let labels: Vec<u32> = (0..labeled.len()).filter_map(|i| labeled.label(i)).collect();
        let trial = &self.recipe.trial;
        match self.parts.validation {
            None => folds(&labels, trial.folds, trial.held_out, seeds::key(seed, "trial")),
            // One's own validation part is measured on; all labels are trained on.
            Some(_) => vec![Fold { trained: (0..labels.len()).collect(), held_out: Vec::new() }],
        }
    }

    /// How many trainings of nets the trial has.
    pub(super) fn trainings(&self, seed: u64) -> usize {
        self.folds(seed).len() * self.recipe.net_rows().count()
    }

    /// Runs all folds; `span` is what the whole trial may take.
    pub(super) fn trial(&self, span: Span, run: &mut SeedRun<'_, '_>) -> Result<Trial> {
        let (recipe, parts) = (self.recipe, self.parts);
        let folds = self.folds(run.seed);
        let trainings = self.trainings(run.seed);
        let [seconds, most] =
            [span.planned, span.most].map(|seconds| seconds / trainings.max(1) as f64);
        let long_enough = fitting(seconds, self.pace) >= recipe.trial.steps.min(recipe.train.steps);
        // Nets are tried if it can decide, or if there is nothing else to measure on.
        let nets = trainings > 0 && (long_enough || (seconds > 0.0 && !parts.is_measured()));
        let decides = self.linears.names().next().is_some() || (nets && long_enough);
        if folds.is_empty() || !(decides || nets) {
            return Ok(Trial { no_labels: folds.is_empty(), ..Trial::default() });
        }
        let seconds = if nets { seconds } else { 0.0 };
        let mut found = Trial { folds: folds.len(), decides, ..Trial::default() };
        for (number, fold) in folds.iter().enumerate() {
            let measured = match &parts.validation {
                Some(validation) => validation.clone(),
                None => {
                    let at: Vec<u32> = fold.held_out.iter().map(|&i| i as u32).collect();
                    Arc::new(parts.labeled.select(&at))
                }
            };
            let mut teacher = None;
            for name in self.linears.names() {
                let fitted = self.linears.fit(name, &fold.trained)?;
                found.add(name, self.linears.scores(name, &fitted, &measured)?);
                let chosen = found.chosen.entry(name.to_owned()).or_default();
                chosen.push(self.linears.chosen(name, &fitted)?);
                teacher = (name == LATENT).then_some(fitted).or(teacher);
            }
            // Of a row whose steps take longer there may be too few; where there is nothing else to
            // measure on, all are tried.
            let tried = |name: &str| {
                nets && (name != UDA || !parts.is_measured() || self.decides(name, seconds))
            };
            for (name, start) in self.rows.iter().filter(|(name, _)| tried(name)) {
                let dir = run.dir.join("trial").join(format!("{name}-{}", number + 1));
                files::make_folder(&dir)?;
                let (scores, cost, taken): (Scores, StageCost, Taken) =
                    files::once(&dir.join("scores.json"), || {
                        let labeled = self.learned(name, &fold.trained, teacher.as_ref())?;
                        let training = self.training((name, *start), &labeled, &dir)?;
                        run.part("trial");
                        let span = Span { planned: seconds, most };
                        let trained = training.train(span, self.pace_of(name), run)?;
                        run.part("");
                        let scores = self.scores(&trained.net, &self.encode(&measured)?, run)?;
                        pace::remove(&dir.join("checkpoints"))?;
                        Ok((scores, trained.cost, self.taken(name, &trained)))
                    })?;
                found.add(name, scores);
                found.took(name, taken);
                found.cost = StageCost::sum([found.cost, cost]);
            }
        }
        Ok(found)
    }
}
