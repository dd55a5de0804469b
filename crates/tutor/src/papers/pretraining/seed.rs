//! One seed: a pre-training, and the folders of its networks.

use anyhow::Result;
use electra::pretrain::PretrainConfig;

use super::recipe::Recipe;
use crate::run::seeds::SeedRun;
use crate::text::pretraining::{self, Pretraining, Setting};
use crate::text::tokens::Tokens;

/// Pre-trains, or goes on, and keeps the networks as published ones are. `nets` are the recipe's,
/// with as many rows of embeddings as there are tokens.
pub(super) fn run(
    recipe: &Recipe,
    nets: &PretrainConfig,
    tokens: &Tokens,
    run: &mut SeedRun<'_, '_>,
) -> Result<Pretraining> {
    let setting = Setting {
        nets,
        masking: &recipe.masking,
        longest: recipe.sequences.longest,
        train: &recipe.train,
        cadence: &recipe.cadence,
        precision: recipe.precision,
        workers: recipe.workers,
        seconds: None,
        begin: None,
    };
    let name = recipe.row();
    let dir = run.dir.join(&name);
    let named = (&*name, &*dir);
    let pace = run.dir.join("pace");
    let time = (recipe.minutes, &*pace);
    let (net, pretraining) = pretraining::run_for(&setting, time, named, tokens, run)?;
    let of_tokens = (tokens, recipe.sequences.longest);
    pretraining::keep_for_others(&net, of_tokens, &dir)?;
    pretraining::keep_generator(&net, of_tokens, &dir)?;
    Ok(pretraining)
}
