//! The shape of an encoder, and what is wrong with one.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, InvalidConfig};

/// Whose names an encoder's tensors have, and whether it has a pooler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Tensors `electra.…`. The vector of a text is that of its first token.
    Electra,
    /// Tensors `bert.…`.
    Bert,
}

impl Family {
    /// What the names of its encoder's tensors begin with, and its name in a `config.json`.
    pub fn prefix(self) -> &'static str {
        match self {
            Family::Electra => "electra",
            Family::Bert => "bert",
        }
    }
}

/// An encoder of BERT's form (Devlin et al., arXiv 1810.04805; Clark et al., arXiv 2003.10555).
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `family` | `electra` | whose names the tensors have | `electra`, `bert` |
/// | `vocabulary` | 30,522 | number of token ids | ≥ 1 |
/// | `embedding` | 128 | width of token, position and segment vectors | ≥ 1 |
/// | `hidden` | 256 | width of a token between layers | a multiple of `heads` |
/// | `layers` | 12 | layers | 1 to 200 |
/// | `heads` | 4 | heads of attention, 64 wide in the published nets | ≥ 1 |
/// | `feed_forward` | 1,024 | width inside a layer's perceptron | ≥ 1 |
/// | `positions` | 512 | longest sequence | ≥ 1 |
/// | `segments` | 2 | kinds of segments | ≥ 1 |
/// | `dropout` | 0.1 | dropout on vectors | \[0, 1) |
/// | `attention_dropout` | 0.1 | dropout on attention's probabilities | \[0, 1) |
/// | `norm_eps` | 1e-12 | added to variances by layer norm | > 0 |
/// | `init` | 0.02 | deviation of the first numbers of tables and layers, cut at two of them | > 0 |
///
/// The defaults are ELECTRA-Small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderConfig {
    /// Whose names the tensors have.
    pub family: Family,
    /// Number of token ids.
    pub vocabulary: i64,
    /// Width of token, position and segment vectors.
    pub embedding: i64,
    /// Width of a token between layers.
    pub hidden: i64,
    /// Number of layers.
    pub layers: i64,
    /// Heads of attention.
    pub heads: i64,
    /// Width inside a layer's perceptron.
    pub feed_forward: i64,
    /// Longest sequence.
    pub positions: i64,
    /// Kinds of segments.
    pub segments: i64,
    /// Dropout on vectors.
    pub dropout: f64,
    /// Dropout on attention's probabilities.
    pub attention_dropout: f64,
    /// What layer norm adds to variances.
    pub norm_eps: f64,
    /// Standard deviation of the first numbers of tables and layers, cut at two of them. The
    /// published 0.02 suits layers of 768: what a narrow layer gives starts near nothing then, and
    /// narrow networks learn faster from 0.02 · √(768 / hidden).
    pub init: f64,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self::small()
    }
}

impl EncoderConfig {
    /// An encoder with heads of 64 (at least one) and a perceptron four times as wide, as all
    /// published ones have.
    pub fn sized(layers: i64, hidden: i64, embedding: i64) -> Self {
        Self {
            family: Family::Electra,
            vocabulary: 30_522,
            embedding,
            hidden,
            layers,
            heads: (hidden / 64).max(1),
            feed_forward: 4 * hidden,
            positions: 512,
            segments: 2,
            dropout: 0.1,
            attention_dropout: 0.1,
            norm_eps: 1e-12,
            init: 0.02,
        }
    }

    /// ELECTRA-Small: 12 layers, 256 wide, embeddings of 128.
    pub fn small() -> Self {
        Self::sized(12, 256, 128)
    }

    /// ELECTRA-Base and BERT-Base: 12 layers, 768 wide.
    pub fn base() -> Self {
        Self::sized(12, 768, 768)
    }

    /// ELECTRA-Large and BERT-Large: 24 layers, 1024 wide.
    pub fn large() -> Self {
        Self::sized(24, 1024, 1024)
    }

    /// For two processor cores: 4 layers, 128 wide.
    pub fn tiny() -> Self {
        Self::sized(4, 128, 128)
    }

    /// For two processor cores and an hour: 6 layers, 192 wide, embeddings of 128.
    pub fn mini() -> Self {
        Self::sized(6, 192, 128)
    }

    /// This shape under BERT's names.
    #[must_use]
    pub fn bert(self) -> Self {
        Self { family: Family::Bert, ..self }
    }

    /// The generator of a discriminator of this shape: `fraction` of its width with heads of 64, as
    /// many layers.
    #[must_use]
    pub fn generator(&self, fraction: f64) -> Self {
        let hidden = (self.hidden as f64 * fraction).round_ties_even() as i64;
        Self { hidden, feed_forward: 4 * hidden, heads: (hidden / 64).max(1), ..self.clone() }
    }

    /// Width of one head.
    pub fn head_width(&self) -> i64 {
        self.hidden / self.heads
    }

    /// Panics if no encoder can have this.
    pub(crate) fn check(&self) {
        InvalidConfig::assert_none(self.faults(), "no encoder can have this");
    }

    /// Every value that no encoder can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let (hidden, heads) = (self.hidden, self.heads);
        let whole = heads < 1 || hidden % heads == 0;
        let init = self.init;
        Faults::default()
            .in_range("vocabulary", self.vocabulary, 1..=1 << 24)
            .in_range("embedding", self.embedding, 1..=1 << 16)
            .in_range("hidden", hidden, 1..=1 << 16)
            .in_range("layers", self.layers, 1..=200)
            .in_range("heads", heads, 1..=1 << 10)
            .in_range("feed_forward", self.feed_forward, 1..=1 << 18)
            .in_range("positions", self.positions, 1..=1 << 20)
            .in_range("segments", self.segments, 1..=1 << 10)
            .unless(whole, "hidden", format!("{hidden} is no multiple of {heads} heads"))
            .rate("dropout", self.dropout)
            .rate("attention_dropout", self.attention_dropout)
            .inner_fraction("norm_eps", self.norm_eps)
            .must_be(init > 0.0 && init < 10.0, "init", init, "in (0, 10)")
            .done()
    }
}
