//! What is pre-trained, and how.

use serde::{Deserialize, Serialize};

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

    /// Every value that makes no sense: its key, and what is wrong with it.
    pub fn faults(&self) -> Vec<(String, String)> {
        let within = |part: &str, faults: Vec<(&'static str, String)>| {
            let part = part.to_owned();
            faults.into_iter().map(move |(key, fault)| (format!("{part}.{key}"), fault))
        };
        let mut faults: Vec<_> = within("encoder", self.encoder.faults()).collect();
        let g = &self.generator;
        let mut unless = |ok: bool, key: &str, fault: String| {
            if !ok {
                faults.push((key.to_owned(), fault));
            }
        };
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let fraction = g.fraction;
        let part = fraction > 0.0 && fraction <= 1.0;
        unless(part, "generator.fraction", format!("{fraction} is not in (0, 1]"));
        unless(
            positive(g.temperature),
            "generator.temperature",
            format!("{} is not above 0", g.temperature),
        );
        let weight = g.weight >= 0.0 && g.weight.is_finite();
        unless(weight, "generator.weight", format!("{} is below 0", g.weight));
        let weight = self.discriminator_weight;
        unless(positive(weight), "discriminator_weight", format!("{weight} is not above 0"));
        let (mask, vocabulary) = (self.mask, self.encoder.vocabulary);
        let known = (0..vocabulary).contains(&mask);
        unless(known, "mask", format!("{mask} is not in a vocabulary of {vocabulary}"));
        let trained = g.train || g.sharing == Sharing::Nothing;
        let fault = "a generator that stays as it is shares nothing: set generator.sharing";
        unless(trained, "generator.train", fault.to_owned());
        if faults.is_empty()
            && let Some(shape) = self.generator_encoder()
        {
            faults.extend(within("generator", shape.faults()));
        }
        faults
    }
}
