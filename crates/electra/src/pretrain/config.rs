//! What is pre-trained, and how.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults};

use crate::EncoderConfig;
use crate::heads::Sampling;

/// What the network learns from text alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Replaced-token detection over all tokens: ELECTRA.
    #[default]
    Electra,
    /// Replaced-token detection with the discriminator's loss at the masked positions alone:
    /// «ELECTRA 15 %».
    Electra15,
    /// A masked language model without a generator: BERT without next sentences.
    Mlm,
    /// A masked language model that sees the generator's tokens in place of `[MASK]`.
    ReplaceMlm,
    /// A masked language model that sees the generator's tokens and predicts every token, with a
    /// gate to copy what it sees.
    AllTokensMlm,
}

/// Which tensors generator and discriminator share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// The tables of tokens, positions and segments, with their norm.
    #[default]
    Embeddings,
    /// Nothing; the generator's embeddings are as wide as its layers.
    Nothing,
    /// The whole encoder: the generator is the discriminator with another head.
    Everything,
}

/// The generator.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `fraction` | 0.25 | its width, as part of the discriminator's | (0, 1\] |
/// | `sharing` | `embeddings` | tensors that it shares with the discriminator | `embeddings`, `nothing`, `everything` |
/// | `uniform` | false | tokens are drawn uniformly; nothing is learned | |
/// | `train` | true | whether it is trained; not in the second of two stages | |
/// | `weight` | 1 | weight of its loss | ≥ 0 |
/// | `temperature` | 1 | what its logits are divided by for sampling | > 0 |
/// | `disallow_correct` | false | whether the true token is never drawn | |
/// | `sampling` | `gumbel` | how a token is drawn | `gumbel`, `inverse` |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratorConfig {
    /// Its width, as part of the discriminator's.
    pub fraction: f64,
    /// Tensors that it shares with the discriminator.
    pub sharing: Sharing,
    /// Whether tokens are drawn uniformly.
    pub uniform: bool,
    /// Whether it is trained.
    pub train: bool,
    /// Weight of its loss.
    pub weight: f64,
    /// What its logits are divided by for sampling.
    pub temperature: f64,
    /// Whether the true token is never drawn.
    pub disallow_correct: bool,
    /// How a token is drawn.
    pub sampling: Sampling,
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            fraction: 0.25,
            sharing: Sharing::Embeddings,
            uniform: false,
            train: true,
            weight: 1.0,
            temperature: 1.0,
            disallow_correct: false,
            sampling: Sampling::Gumbel,
        }
    }
}

impl GeneratorConfig {
    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        let trained = self.train || self.sharing == Sharing::Nothing;
        let fault = "a generator that stays as it is shares nothing: set generator.sharing";
        Faults::default()
            .positive_fraction("fraction", self.fraction)
            .positive("temperature", self.temperature)
            .not_negative("weight", self.weight)
            .unless(trained, "train", fault)
            .done()
    }
}

/// A pre-training's networks and losses.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `task` | `electra` | what is learned | `electra`, `electra15`, `mlm`, `replace-mlm`, `all-tokens-mlm` |
/// | `encoder` | ELECTRA-Small | the network that is kept | |
/// | `generator` | a quarter as wide | see [`GeneratorConfig`] | |
/// | `discriminator_weight` | 50 | weight of the discriminator's loss | > 0 |
/// | `mask` | 103 | the token `[MASK]` | in the vocabulary |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PretrainConfig {
    /// What is learned.
    pub task: Task,
    /// The network that is kept.
    pub encoder: EncoderConfig,
    /// The generator.
    pub generator: GeneratorConfig,
    /// Weight of the discriminator's loss.
    pub discriminator_weight: f64,
    /// The token `[MASK]`.
    pub mask: i64,
}

impl Default for PretrainConfig {
    fn default() -> Self {
        Self {
            task: Task::Electra,
            encoder: EncoderConfig::small(),
            generator: GeneratorConfig::default(),
            discriminator_weight: 50.0,
            mask: 103,
        }
    }
}

impl PretrainConfig {
    /// The shape of the generator's encoder, if there is one beside the network that is kept.
    pub fn generator_encoder(&self) -> Option<EncoderConfig> {
        if self.task == Task::Mlm || self.generator.uniform {
            return None;
        }
        let shape = self.encoder.generator(self.generator.fraction);
        match self.generator.sharing {
            Sharing::Embeddings => Some(shape),
            Sharing::Nothing => Some(EncoderConfig { embedding: shape.hidden, ..shape }),
            Sharing::Everything => None,
        }
    }

    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        let (mask, vocabulary) = (self.mask, self.encoder.vocabulary);
        let known = (0..vocabulary).contains(&mask);
        let found = Faults::default()
            .within("encoder", self.encoder.faults())
            .within("generator", self.generator.faults())
            .positive("discriminator_weight", self.discriminator_weight)
            .unless(known, "mask", format!("{mask} is not in a vocabulary of {vocabulary}"))
            .done();
        // The generator's shape follows from numbers that make sense.
        if !found.is_empty() {
            return found;
        }
        let generator = self.generator_encoder().map(|shape| shape.faults());
        Faults::default().within("generator", generator.unwrap_or_default()).done()
    }
}
