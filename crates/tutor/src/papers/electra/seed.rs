//! One seed: for each row a pre-training and its classifiers.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use data_pipeline::text::EncodedSet;
use electra::pretrain::{PretrainConfig, Pretrainer};
use serde::{Deserialize, Serialize};
use train::TrainConfig;

use super::finetuning::{self, Finetuning, Parts};
use super::measure::{ByTask, Labeled, Measure, find};
use super::recipe::{Recipe, Start};
use crate::run::cost::StageCost;
use crate::run::seeds::SeedRun;
use crate::run::stage::Trained;
use crate::text::pretraining::{self, Pretraining, Setting};
use crate::text::texts::draw;
use crate::text::tokens::Tokens;

/// What a row found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RowOutcome {
    pub(super) name: String,
    /// None for a row that starts at random.
    pub(super) pretraining: Option<Pretraining>,
    /// One for each of [`Measure::all`].
    pub(super) finetunings: Vec<Finetuning>,
}

impl RowOutcome {
    /// What all its trainings took.
    pub(super) fn cost(&self) -> StageCost {
        let pretraining = self.pretraining.iter().map(|p| p.cost);
        StageCost::sum(pretraining.chain(self.finetunings.iter().map(|f| f.cost)))
    }
}

/// Trains and measures all rows.
pub(super) fn run(
    rows: &[(String, Recipe)],
    tokens: &Tokens,
    (labeled, tests): (&ByTask<Labeled>, &ByTask<EncodedSet>),
    run: &mut SeedRun<'_, '_>,
) -> Result<Vec<RowOutcome>> {
    let dir = run.dir.clone();
    let mut found = Vec::new();
    for (i, (name, recipe)) in rows.iter().enumerate() {
        run.part(&format!("row {} of {}", i + 1, rows.len()));
        let dir = dir.join(name);
        let pretrained = match recipe.start {
            Start::Random => None,
            Start::PreTrained | Start::TwoStage => {
                let dir = dir.join("pretraining");
                Some(pretrain(recipe, (name, &dir), tokens, run)?)
            }
        };
        let mut finetunings = Vec::new();
        for measure in Measure::all(recipe) {
            let (texts, test) = (find(labeled, measure), find(tests, measure));
            let drawn = draw(&texts.from, measure.labels, run.seed)?;
            let labeled = Arc::new(drawn.encode(&tokens.tokenizer, texts.layout)?);
            let parts = Parts { labeled, test };
            let title = measure.named(name);
            let dir = dir.join(measure.folder());
            let start = pretrained.as_ref().map(|(net, _)| net.params());
            finetunings.push(finetuning::run(recipe, (&title, &dir), start, &parts, run)?);
        }
        let pretraining = pretrained.map(|(_, found)| found);
        found.push(RowOutcome { name: name.clone(), pretraining, finetunings });
    }
    Ok(found)
}

/// Pre-trains in `dir` for as many operations, or minutes, as the recipe says.
fn pretrain(
    recipe: &Recipe,
    (name, dir): (&str, &Path),
    tokens: &Tokens,
    run: &mut SeedRun<'_, '_>,
) -> Result<(Pretrainer, Pretraining)> {
    let stages = recipe.stages();
    let mut a_step = 0.0;
    for nets in &stages {
        a_step += setting(recipe, nets, &recipe.train).flops(tokens)?;
    }
    // All stages have as many steps, or as much time.
    let steps = match (recipe.flops, recipe.minutes) {
        (Some(flops), _) => ((flops / a_step) as u64).max(1),
        (None, Some(_)) => u64::MAX,
        (None, None) => recipe.train.steps,
    };
    let train = TrainConfig { steps, ..recipe.train.clone() };
    let mut done: Option<(Pretrainer, Pretraining)> = None;
    for (i, nets) in stages.iter().enumerate() {
        let is_last = i + 1 == stages.len();
        let begin = done.as_ref().map(|(net, _)| net);
        let setting = Setting { begin, ..setting(recipe, nets, &train) };
        let of_stage = match is_last {
            true => (name.to_owned(), dir.to_owned()),
            false => (format!("{name}, generator"), dir.with_extension("generator")),
        };
        let named = (&*of_stage.0, &*of_stage.1);
        let minutes = recipe.minutes.map(|minutes| minutes / stages.len() as f64);
        let pace = named.1.with_extension(if is_last { "pace" } else { "generator-pace" });
        let time = (minutes, &*pace);
        let (net, mut found) = pretraining::run_for(&setting, time, named, tokens, run)?;
        if let Some((_, before)) = done {
            found.steps += before.steps;
            found.planned += before.planned;
            found.flops += before.flops;
            found.cost = StageCost::sum([before.cost, found.cost]);
        }
        done = Some((net, found));
    }
    let (net, found) = done.expect("at least one stage");
    pretraining::keep_for_others(&net, (tokens, recipe.sequences.longest), dir)?;
    Ok((net, found))
}

fn setting<'a>(
    recipe: &'a Recipe,
    nets: &'a PretrainConfig,
    train: &'a TrainConfig,
) -> Setting<'a> {
    Setting {
        nets,
        masking: &recipe.masking,
        longest: recipe.sequences.longest,
        train,
        cadence: &recipe.cadence,
        precision: recipe.precision,
        workers: recipe.workers,
        seconds: None,
        begin: None,
    }
}
