//! One seed: for each row a training, its perplexities, and its replies.

use std::path::Path;

use anyhow::{Context, Result};
use data_pipeline::dialog::DialogTokenizer;
use report::Curve;
use serde::{Deserialize, Serialize};
use torch::Kind;
use train::TrainConfig;

use super::recipe::{Recipe, Replies};
use super::replies::{self, Measured, Replied};
use crate::dialog::pairs::{Prepared, vocabulary};
use crate::dialog::perplexity::{self, Perplexity};
use crate::dialog::responder::Responder;
use crate::dialog::training::{DialogTraining, Network, PERPLEXITY};
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::experiment::Predictor;
use crate::run::seeds::{self, SeedRun};
use crate::run::stage::Stage;
use crate::run::{curve, files, processes};

/// What a row found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RowOutcome {
    pub(super) name: String,
    pub(super) parameters: u64,
    pub(super) steps: u64,
    pub(super) cost: StageCost,
    /// Of a token of the validation part.
    pub(super) validation: f64,
    pub(super) test: Perplexity,
    pub(super) curve: Curve,
    pub(super) replied: Replied,
    /// What weights in bfloat16 change, where it was measured.
    #[serde(default, alias = "halved")]
    pub(super) bfloat16: Option<InBfloat16>,
}

/// A network with weights in bfloat16, beside itself in float32.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct InBfloat16 {
    /// Perplexity of a token of the test part.
    pub(super) test: f64,
    /// Of the best replies to contexts of the test part, how many are the same word for word.
    pub(super) same: usize,
    pub(super) measures: Vec<Measured>,
}

const FILE: &str = "row.json";

/// Trains and measures all rows.
///
/// With `variants` the recipe's variants of replies are measured, and weights in bfloat16.
pub(super) fn run(
    recipe: &Recipe,
    data: &Prepared,
    variants: bool,
    run: &mut SeedRun<'_, '_>,
) -> Result<Vec<RowOutcome>> {
    let dir = run.dir.clone();
    let mut found: Vec<RowOutcome> = Vec::new();
    let rows = recipe.trainings()?;
    for (i, ((name, row), config)) in rows.iter().zip(&recipe.rows).enumerate() {
        run.part(&format!("row {} of {}", i + 1, rows.len()));
        let like = config.time_of.as_ref();
        let like = like.and_then(|other| found.iter().find(|earlier| earlier.name == *other));
        let seconds = like.map(|earlier| earlier.cost.seconds);
        found.push(one(row, (name, &dir.join(name)), seconds, (data, variants), run)?);
    }
    Ok(found)
}

fn one(
    recipe: &Recipe,
    (name, dir): (&str, &Path),
    seconds: Option<f64>,
    (data, variants): (&Prepared, bool),
    run: &mut SeedRun<'_, '_>,
) -> Result<RowOutcome> {
    files::make_folder(dir)?;
    let config = recipe.network();
    // The parts of a batch are this training's own, which weighs them by their tokens.
    let parts = recipe.train.accumulate;
    let train = TrainConfig { accumulate: 1, ..recipe.train.clone() };
    let task = DialogTraining {
        net: &config,
        smoothing: recipe.smoothing,
        parts,
        recompute: recipe.recompute,
        data,
        train: &train,
        along: recipe.along,
        // All rows see the same pairs in the same order.
        seed: seeds::key(run.seed, "stream/pairs"),
        workers: recipe.workers,
        device: run.device,
    };
    let stage = Stage {
        dir,
        // All rows start alike, as far as their tensors are alike.
        key: seeds::key(run.seed, "dialog"),
        config: &train,
        cadence: &recipe.cadence,
        select: &Select::default(),
        precision: recipe.precision,
        device: run.device,
        seconds,
        recipe_text: run.recipe_text,
    };
    let (network, cost) = stage.train(task, run.stage(name))?;
    let asked = (data, variants);
    files::once(&dir.join(FILE), || measure(recipe, (name, dir), (network, cost), asked, run))
}

/// What the finished network is worth.
fn measure(
    recipe: &Recipe,
    (name, dir): (&str, &Path),
    (network, cost): (Network, StageCost),
    (data, variants): (&Prepared, bool),
    run: &mut SeedRun<'_, '_>,
) -> Result<RowOutcome> {
    let (net, device) = (&network.net, run.device);
    let on = |part, indices| perplexity::measure(net, part, indices, &data.tokenizer, device);
    let all = data.validation.spread(usize::MAX);
    let validation = on(&data.validation, all)?.totals().perplexity().context("a pair")?;
    let whole = || data.test.spread(usize::MAX);
    let test = on(&data.test, whole())?;
    let half = variants && recipe.replies.bfloat16;
    let half = half.then(|| {
        let net = network.in_kind(Kind::BFloat16);
        perplexity::measure(&net, &data.test, whole(), &data.tokenizer, device)
    });
    let half = half.transpose()?;
    let run_dir = run.dir.parent().context("a seed's folder is below its run's")?;
    let tokenizer = DialogTokenizer::open(&vocabulary(run_dir))?;
    let parameters = net.config().parameters();
    let turns = Some(recipe.filters.max_turns);
    let mut responder =
        Responder::new(name.to_owned(), network.for_replies(), tokenizer, recipe.lengths, turns);
    run.say(&format!("{name}: validation perplexity {validation:.2}; now its replies"));
    let ask = |responder: &Responder, asked: &Replies, variants| {
        processes::each(|| replies::ask(responder, asked, data, run.seed, variants))
    };
    let replied = ask(&responder, &recipe.replies, variants)?;
    let bfloat16 = match half.and_then(|half| half.totals().perplexity()) {
        None => None,
        Some(test) => {
            responder.use_bfloat16()?;
            let asked = recipe.replies.contexts_alone();
            let again = ask(&responder, &asked, false)?;
            let both = again.items.iter().zip(&replied.items);
            let same = both
                .filter(|(half, whole)| {
                    !half.response.is_empty() && half.response == whole.response
                })
                .count();
            Some(InBfloat16 { test, same, measures: again.measures })
        }
    };
    Ok(RowOutcome {
        name: name.to_owned(),
        parameters,
        steps: cost.samples / recipe.train.batch as u64,
        cost,
        validation,
        test,
        curve: curve::read(dir, name, run.seed, PERPLEXITY)?,
        replied,
        bfloat16,
    })
}

/// The row of a seed whose perplexity on the validation part is lowest.
pub(super) fn best(rows: &[(String, Recipe)], seed: &Path) -> Result<String> {
    let mut best: Option<RowOutcome> = None;
    for (name, _) in rows {
        let found: Option<RowOutcome> = files::found_before(&seed.join(name).join(FILE))?;
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| found.validation < best.validation)
        {
            best = Some(found);
        }
    }
    let name = best.map(|best| best.name);
    name.with_context(|| format!("{} has no finished row yet: run it on", seed.display()))
}
