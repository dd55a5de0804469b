//! The network that is fine-tuned: published, or pre-trained here, with its tokenizer.

use anyhow::{Result, ensure};
use data_pipeline::text::Tokenizer;
use electra::EncoderConfig;
use electra::hub::{Checkpoint, Heads};
use torch::Params;

use super::recipe::Recipe;
use crate::run::began::Began;
use crate::text::published;

/// What all seeds start from.
pub(super) struct Start {
    pub(super) tokenizer: Tokenizer,
    checkpoint: Checkpoint,
}

impl Start {
    /// Reads it; its positions must suffice for the task's sequences.
    pub(super) fn open(recipe: &Recipe) -> Result<Self> {
        let (checkpoint, tokenizer) = published::open(&recipe.weights)?;
        let positions = checkpoint.config.encoder.positions;
        let longest = recipe.task.longest();
        ensure!(
            longest as i64 <= positions,
            "sequences of {longest} tokens are asked for, and {} has {positions} positions",
            recipe.weights
        );
        Ok(Self { tokenizer, checkpoint })
    }

    /// The encoder.
    pub(super) fn encoder(&self) -> &EncoderConfig {
        &self.checkpoint.config.encoder
    }

    /// The token that fills padded input.
    pub(super) fn pad(&self) -> i64 {
        self.checkpoint.config.pad
    }

    /// Adds it to what a run began with.
    pub(super) fn add_to(&self, began: &mut Began) {
        published::add_to(began, &self.checkpoint, &self.tokenizer);
    }

    /// Loads it into a network, and says what was loaded.
    pub(super) fn load(&self, params: &Params) -> Result<String> {
        let loaded = self.checkpoint.load(params, Heads::Replace)?;
        let EncoderConfig { family, layers, hidden, .. } = self.encoder();
        let mut words = format!("{} of {layers} layers, {hidden} wide", family.prefix());
        for (what, names) in [("started anew", &loaded.fresh), ("not used", &loaded.unexpected)] {
            if !names.is_empty() {
                words += &format!("; {what}: {}", names.join(", "));
            }
        }
        Ok(words)
    }
}
