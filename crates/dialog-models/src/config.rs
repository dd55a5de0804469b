//! The shape of a sequence-to-sequence network, the published ones, and what is wrong with one.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults};

/// What the blocks of a network are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// The Evolved Transformer (So et al. 2019, arXiv 1901.11117).
    #[default]
    EvolvedTransformer,
    /// The Transformer (Vaswani et al. 2017, arXiv 1706.03762) with its norms before the layers.
    Transformer,
}

/// A network that reads one sequence and writes another: an encoder, a decoder, and one table of
/// tokens that both and the softmax share.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `architecture` | `evolved-transformer` | what the blocks are | `evolved-transformer`, `transformer` |
/// | `vocabulary` | 8,192 | number of token ids | ≥ 2 |
/// | `hidden` | 256 | width of a token between blocks | even, a multiple of `heads` |
/// | `heads` | 4 | heads of attention | ≥ 1 |
/// | `encoder_blocks` | 1 | blocks of the encoder | 1 to 200 |
/// | `decoder_blocks` | 2 | blocks of the decoder | 1 to 200 |
/// | `dropout` | 0.1 | dropout on vectors | \[0, 1) |
/// | `attention_dropout` | 0.1 | dropout on attention's probabilities | \[0, 1) |
///
/// The perceptrons are four times as wide as `hidden`. The defaults are [`mini`](Self::mini).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seq2SeqConfig {
    /// What the blocks are.
    pub architecture: Architecture,
    /// Number of token ids.
    pub vocabulary: i64,
    /// Width of a token between blocks.
    pub hidden: i64,
    /// Heads of attention; the first attention of an evolved decoder block has more
    /// ([`wide_heads`](Self::wide_heads)).
    pub heads: i64,
    /// Blocks of the encoder.
    pub encoder_blocks: i64,
    /// Blocks of the decoder.
    pub decoder_blocks: i64,
    /// Dropout on vectors: the sums of embeddings, what a layer adds, inside perceptrons and
    /// convolutions.
    pub dropout: f64,
    /// Dropout on attention's probabilities.
    pub attention_dropout: f64,
}

impl Default for Seq2SeqConfig {
    fn default() -> Self {
        Self::mini()
    }
}

/// Heads and dropout of tensor2tensor's settings for a width: 128 is its `tiny`, 1024 its `big`.
fn paper_heads(hidden: i64) -> (i64, f64) {
    match hidden {
        ..=128 => (4, 0.1),
        1024.. => (16, 0.3),
        _ => (8, 0.1),
    }
}

impl Seq2SeqConfig {
    /// An Evolved Transformer of this shape, dropout 0.1.
    pub fn evolved(vocabulary: i64, hidden: i64, heads: i64, blocks: [i64; 2]) -> Self {
        let [encoder_blocks, decoder_blocks] = blocks;
        Self {
            architecture: Architecture::EvolvedTransformer,
            vocabulary,
            hidden,
            heads,
            encoder_blocks,
            decoder_blocks,
            dropout: 0.1,
            attention_dropout: 0.1,
        }
    }

    /// A plain Transformer of this shape, dropout 0.1.
    pub fn plain(vocabulary: i64, hidden: i64, heads: i64, blocks: [i64; 2]) -> Self {
        let architecture = Architecture::Transformer;
        Self { architecture, ..Self::evolved(vocabulary, hidden, heads, blocks) }
    }

    /// For two processor cores and minutes: 1 + 2 evolved blocks, 128 wide, 2,048 tokens.
    pub fn tiny() -> Self {
        Self::evolved(2048, 128, 4, [1, 2])
    }

    /// For two processor cores and an hour: 1 + 2 evolved blocks, 256 wide, 8,192 tokens.
    pub fn mini() -> Self {
        Self::evolved(8192, 256, 4, [1, 2])
    }

    /// The Evolved Transformer of its paper: 3 + 4 blocks of one of the paper's widths (128, 432,
    /// 512 "base", 768, 1024 "big"), 32,768 tokens.
    pub fn evolved_paper(hidden: i64) -> Self {
        let (heads, dropout) = paper_heads(hidden);
        Self { dropout, ..Self::evolved(32_768, hidden, heads, [3, 4]) }
    }

    /// The Transformer that the paper compares it with: 6 + 6 blocks, 32,768 tokens.
    pub fn plain_paper(hidden: i64) -> Self {
        let (heads, dropout) = paper_heads(hidden);
        Self { dropout, ..Self::plain(32_768, hidden, heads, [6, 6]) }
    }

    /// The deep Evolved Transformer of its paper: 9 + 10 blocks, 640 wide.
    pub fn evolved_deep() -> Self {
        Self::evolved(32_768, 640, 8, [9, 10])
    }

    /// Meena (Adiwardana et al. 2020, arXiv 2001.09977): 1 + 13 evolved blocks, 2,560 wide, 8,192
    /// tokens, 2.592 billion parameters.
    pub fn meena() -> Self {
        Self::evolved(8192, 2560, 32, [1, 13])
    }

    /// A plain Transformer with the same width and encoder whose decoder has as many blocks as
    /// bring its number of parameters closest to this network's.
    #[must_use]
    pub fn plain_of_equal_size(&self) -> Self {
        let with = |decoder_blocks| Self {
            architecture: Architecture::Transformer,
            decoder_blocks,
            ..self.clone()
        };
        let off = |blocks: &i64| with(*blocks).parameters().abs_diff(self.parameters());
        let most = 2 * (self.decoder_blocks + self.encoder_blocks) + 2;
        with((1..=most).min_by_key(off).expect("at least one block"))
    }

    /// Heads of the first attention of an evolved decoder block: twice as many, but not more than
    /// 16 where `heads` is below that.
    pub fn wide_heads(&self) -> i64 {
        (2 * self.heads).min(16).max(self.heads)
    }

    /// The number of parameters, counted without making any.
    ///
    /// ```
    /// use dialog_models::Seq2SeqConfig;
    ///
    /// assert_eq!(Seq2SeqConfig::meena().parameters() / 1_000_000, 2592);
    /// ```
    pub fn parameters(&self) -> u64 {
        let h = self.hidden.unsigned_abs();
        let norm = |width: u64| 2 * width;
        let linear = |from: u64, to: u64| from * to + to;
        // A depthwise convolution of `k` taps, then a linear layer.
        let separable = |k: u64, from: u64, to: u64| k * from + linear(from, to);
        let attention = norm(h) + 4 * h * h;
        let feed_forward = norm(h) + linear(h, 4 * h) + linear(4 * h, h);
        let [encoder, decoder] = match self.architecture {
            Architecture::Transformer => [attention + feed_forward, 2 * attention + feed_forward],
            Architecture::EvolvedTransformer => {
                let glu = norm(h) + 2 * linear(h, h);
                let branches = linear(h, 4 * h) + 3 * h * (h / 2) + h / 2;
                let conv = norm(h) + branches + norm(4 * h) + separable(9, 4 * h, h / 2);
                let branches = separable(11, h, 2 * h) + separable(7, h, h / 2);
                let causal = norm(h) + branches + norm(2 * h) + separable(7, 2 * h, h);
                // Both attentions of the first step share a norm.
                let attentions = 4 * attention - norm(h);
                [
                    glu + conv + attention + feed_forward,
                    attentions + causal + feed_forward + norm(4 * h),
                ]
            }
        };
        let blocks = |n: i64, each: u64| n.unsigned_abs() * each + norm(h);
        let table = self.vocabulary.unsigned_abs() * h;
        table + blocks(self.encoder_blocks, encoder) + blocks(self.decoder_blocks, decoder)
    }

    /// Every value that no network can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let hidden = self.hidden;
        let mut faults = Faults::default();
        faults
            .in_range("vocabulary", self.vocabulary, 2..=1 << 24)
            .in_range("hidden", hidden, 2..=1 << 16)
            .in_range("heads", self.heads, 1..=1 << 10)
            .in_range("encoder_blocks", self.encoder_blocks, 1..=200)
            .in_range("decoder_blocks", self.decoder_blocks, 1..=200)
            .unless(hidden % 2 == 0, "hidden", format!("{hidden} is odd: half of it are sines"));
        let mut heads = vec![self.heads];
        if self.architecture == Architecture::EvolvedTransformer && self.heads >= 1 {
            heads.push(self.wide_heads());
        }
        heads.dedup();
        for heads in heads.into_iter().filter(|&heads| heads >= 1) {
            let fault = format!("{hidden} is no multiple of {heads} heads");
            faults.unless(hidden % heads == 0, "hidden", fault);
        }
        faults
            .rate("dropout", self.dropout)
            .rate("attention_dropout", self.attention_dropout)
            .done()
    }
}
