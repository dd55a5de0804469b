//! One training of a row with a number of labels, and what it found.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{Layout, TextSet, TextViews};
use electra::heads::ClassifierConfig;
use serde::{Deserialize, Serialize};
use train::record;

use super::recipe::{Draw, Recipe, named};
use super::start::Source;
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::scores::Scores;
use crate::run::seeds::{self, SeedRun};
use crate::run::stage::Stage;
use crate::run::{files, processes};
use crate::text::augmentation::Changes;
use crate::text::predictor::Kept;
use crate::text::semi_supervised::SemiSupervised;
use crate::text::texts::{Texts, draw};

/// What one training found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Training {
    pub(super) row: String,
    /// How many labels it had.
    pub(super) labels: usize,
    /// What the classifier said of the test texts.
    pub(super) scores: Scores,
    pub(super) steps: u64,
    /// Numbers along the training by their names in the record, each with its step.
    pub(super) course: BTreeMap<String, Vec<(u64, f64)>>,
    pub(super) cost: StageCost,
}

const FILE: &str = "training.json";

/// Texts of a batch of an evaluation.
const BATCH: usize = 64;

/// What is kept of the record: the share of the unlabelled texts that count, the mean of their
/// largest probabilities, and annealing's threshold with the share of the labelled texts under it.
pub(super) const COURSE: [&str; 4] =
    ["note/mask", "note/confidence", "note/released_below", "note/released"];

/// What trainings of a row share.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) texts: &'a Texts,
    pub(super) source: &'a Source,
    pub(super) changes: &'a Changes,
}

/// Trains in `dir`, or reads what an earlier process found there.
pub(super) fn run(
    (row, recipe, labels): (&str, &Recipe, usize),
    given: Given<'_>,
    dir: &Path,
    run: &mut SeedRun<'_, '_>,
) -> Result<Training> {
    files::make_folder(dir)?;
    files::once(&dir.join(FILE), || {
        let name = named(labels, row);
        train((row, recipe, labels), given, dir, run).with_context(|| name)
    })
}

/// The labelled texts.
pub(super) fn labeled(
    recipe: &Recipe,
    texts: &Texts,
    labels: usize,
    seed: u64,
) -> Result<Arc<TextSet>> {
    match recipe.draw {
        Draw::Seed => draw(&texts.labeled, labels, seed),
        Draw::First => {
            let first = texts.labeled.first_by_class(labels)?;
            Ok(Arc::new(texts.labeled.select(&first)))
        }
    }
}

fn train(
    (row, recipe, labels): (&str, &Recipe, usize),
    given: Given<'_>,
    dir: &Path,
    run: &mut SeedRun<'_, '_>,
) -> Result<Training> {
    let Given { texts, source, changes } = given;
    let net = recipe.classifier(source.encoder.clone());
    let classes = texts.test.classes().to_vec();
    keep(&net, &classes, recipe.layout, source, dir)?;
    let config = recipe.train(labels);
    let (tokenizer, layout) = (source.tokenizer.clone(), recipe.layout);
    let [weak, strong] = recipe.policies().map(|policy| changes.view(policy, &tokenizer));
    let task = SemiSupervised {
        net: &net,
        classes: classes.len(),
        start: source.start(recipe.start),
        config: &config,
        rates: recipe.rates(),
        method: &recipe.method,
        ratio: recipe.unlabeled_ratio,
        labeled: labeled(recipe, texts, labels, run.seed)?,
        unlabeled: texts.unlabeled.clone(),
        tokens: TextViews { tokenizer, layout, views: Vec::new() },
        weak,
        strong,
        // All rows of a seed see the same texts in the same order.
        seeds: ["stream/labeled", "stream/unlabeled"].map(|name| seeds::key(run.seed, name)),
        workers: recipe.workers,
        device: run.device,
    };
    let stage = Stage {
        dir,
        // All rows start alike, as far as their tensors are alike.
        key: seeds::key(run.seed, "train"),
        config: &config,
        cadence: &recipe.cadence,
        select: &Select::default(),
        precision: recipe.precision,
        device: run.device,
        seconds: None,
        recipe_text: run.recipe_text,
    };
    let (net, cost) = stage.train(task, run.stage(&named(labels, row)))?;
    let said = processes::each(|| net.predict(&source.test, BATCH, run.device))?;
    let all = 0..source.test.len();
    let (ids, truth) = (all.clone().map(|i| source.test.id(i)), all.map(|i| source.test.label(i)));
    let scores = Scores::of(ids, truth, &said);
    // Rank 0 alone keeps a record.
    let (row, course) = (row.to_owned(), processes::from_first(|| course(dir))?);
    Ok(Training { row, labels, scores, steps: config.steps, course, cost })
}

/// Keeps what is needed to use the classifier on other texts.
fn keep(
    net: &ClassifierConfig,
    classes: &[String],
    layout: Layout,
    source: &Source,
    dir: &Path,
) -> Result<()> {
    let vocabulary = Kept::vocabulary(dir);
    if !vocabulary.join("tokenizer.json").is_file() {
        source.tokenizer.save(&vocabulary)?;
    }
    let pad = i64::from(source.tokenizer.specials().pad);
    let net = ClassifierConfig { pad, ..net.clone() };
    Kept { net, classes: classes.to_vec(), layout }.keep(dir)
}

fn course(dir: &Path) -> Result<BTreeMap<String, Vec<(u64, f64)>>> {
    let mut found: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
    for row in record::read(&dir.join(record::FILE))? {
        for name in COURSE {
            if let Some(value) = row.values.get(name).copied().flatten() {
                found.entry(name.to_owned()).or_default().push((row.step, value));
            }
        }
    }
    Ok(found)
}
