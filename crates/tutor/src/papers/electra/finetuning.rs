//! What a network that starts from a pre-training, or from random weights, makes of labelled texts.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dataset::Samples;
use data_pipeline::text::EncodedSet;
use serde::{Deserialize, Serialize};
use torch::Params;

use super::recipe::Recipe;
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::scores::Scores;
use crate::run::seeds::{self, SeedRun};
use crate::run::stage::Stage;
use crate::run::{files, processes};
use crate::text::classification::Classification;
use crate::text::classifier::TextClassifier;

/// What a classifier said of the test texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Finetuning {
    /// How many labels it had.
    pub(super) labels: usize,
    pub(super) scores: Scores,
    pub(super) steps: u64,
    pub(super) cost: StageCost,
}

const FILE: &str = "finetuning.json";

/// Texts of a batch of an evaluation.
const BATCH: usize = 64;

/// What a classifier learns from and is measured on, in tokens.
pub(super) struct Parts<'a> {
    pub(super) labeled: Arc<EncodedSet>,
    pub(super) test: &'a EncodedSet,
}

/// Trains in `dir`, or reads what an earlier process found there.
pub(super) fn run(
    recipe: &Recipe,
    (title, dir): (&str, &Path),
    start: Option<&Params>,
    parts: &Parts<'_>,
    run: &mut SeedRun<'_, '_>,
) -> Result<Finetuning> {
    files::make_folder(dir)?;
    let labels = parts.labeled.len();
    files::once(&dir.join(FILE), || {
        let (net, cost) = train(recipe, (title, dir), start, parts, run)?;
        let said = processes::each(|| net.predict(parts.test, BATCH, run.device))?;
        let test = parts.test;
        let ids = (0..test.len()).map(|i| test.id(i));
        let truth = (0..test.len()).map(|i| test.label(i));
        let scores = Scores::of(ids, truth, &said);
        Ok(Finetuning { labels, scores, steps: recipe.finetune.train(labels).steps, cost })
    })
}

fn train(
    recipe: &Recipe,
    (title, dir): (&str, &Path),
    start: Option<&Params>,
    parts: &Parts<'_>,
    run: &mut SeedRun<'_, '_>,
) -> Result<(TextClassifier, StageCost)> {
    let (finetune, labels) = (&recipe.finetune, parts.labeled.len());
    let config = finetune.train(labels);
    let net = recipe.classifier();
    let task = Classification {
        net: &net,
        classes: parts.labeled.classes().len(),
        start,
        config: &config,
        rates: finetune.rates(),
        labeled: parts.labeled.clone(),
        seed: seeds::key(run.seed, "stream/finetune"),
        workers: recipe.workers,
        device: run.device,
    };
    let stage = Stage {
        dir,
        key: seeds::key(run.seed, "finetune"),
        config: &config,
        cadence: &recipe.cadence,
        select: &Select::default(),
        precision: recipe.precision,
        device: run.device,
        seconds: None,
        recipe_text: run.recipe_text,
    };
    stage.train(task, run.stage(title))
}
