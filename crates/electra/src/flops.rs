//! What a pre-training costs, in floating-point operations, as the script `flops_computation.py`
//! of ELECTRA's authors counts them.
//!
//! An addition and a multiplication are two operations, exp is one; the backward pass costs as much
//! as the forward pass; tokens are looked up by multiplying with the whole table; the softmax over
//! the vocabulary is computed for 0.15625 of the tokens. The numbers of the paper's tables differ
//! from the script's for ELECTRA-Small (1.4e18, 1.29e18).

use crate::EncoderConfig;
use crate::pretrain::{PretrainConfig, Sharing, Task};

/// What single operations cost: dropout, layer norm, GELU and softmax for each number.
const DROPOUT: f64 = 4.0;
const NORM: f64 = 5.0;
const GELU: f64 = 8.0;
const SOFTMAX: f64 = 5.0;
/// Part of the tokens whose softmax over the vocabulary is computed.
pub const PREDICTED: f64 = 0.15625;
/// What GPT's pre-training cost by the script, 3.97e19; the paper's table has 4.0e19.
pub const GPT: f64 = 3.968_752_230_785_352e19;
/// What ELECTRA-Small's pre-training cost by the script.
pub const ELECTRA_SMALL: f64 = 1.293_743_798_272e18;
/// What ELMo's pre-training cost: ten passes over 768,648,884 words, of which TensorFlow counted
/// 568,093,262,680 operations of a forward pass for 20 sequences of 128.
pub const ELMO: f64 = 2.0 * 10.0 * 768_648_884.0 * 568_093_262_680.0 / (20.0 * 128.0);
/// What XLNet's pre-training cost: 500,000 steps of 8,192 sequences, of which TensorFlow counted
/// 15,064,773,691,518 operations of a forward pass for 32.
pub const XLNET: f64 = 2.0 * 500_000.0 * 8192.0 * 15_064_773_691_518.0 / 32.0;

/// A transformer whose cost is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transformer {
    /// Width of a token between layers.
    pub hidden: f64,
    /// Layers.
    pub layers: f64,
    /// Tokens of a sequence.
    pub tokens: f64,
    /// Number of token ids.
    pub vocabulary: f64,
    /// Width of a token's vector.
    pub embedding: f64,
    /// Width inside a layer's perceptron.
    pub feed_forward: f64,
    /// Heads of attention.
    pub heads: f64,
    /// Width of queries, keys and values, of all heads together.
    pub attention: f64,
    /// Attentions of a layer: 2 in a decoder, whose layers also look at what the encoder gave.
    pub attentions: f64,
    /// Part of the tokens whose softmax over the vocabulary is computed.
    pub predicted: f64,
}

/// What stands on a transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A softmax over the vocabulary.
    Vocabulary,
    /// A yes or no for each token.
    Replaced,
}

impl Transformer {
    /// An encoder on sequences of so many tokens, predicting [`PREDICTED`] of them.
    pub fn of(config: &EncoderConfig, tokens: usize) -> Self {
        Self {
            hidden: config.hidden as f64,
            layers: config.layers as f64,
            tokens: tokens as f64,
            vocabulary: config.vocabulary as f64,
            embedding: config.embedding as f64,
            feed_forward: config.feed_forward as f64,
            heads: config.heads as f64,
            attention: config.hidden as f64,
            attentions: 1.0,
            predicted: PREDICTED,
        }
    }

    /// Operations of one layer for one token.
    fn layer(&self) -> f64 {
        let &Self { hidden: h, feed_forward: i, tokens: s, heads: a, attention: w, .. } = self;
        let projections = 3.0 * (2.0 * h * w + w);
        let scores = 2.0 * w * s + (SOFTMAX + DROPOUT + 1.0) * s * a + 2.0 * h * s;
        // As in the script, the weighted values and the output have the layers' width, and the norm
        // of the output is counted once, not for each number.
        let output = 2.0 * h * h + h + DROPOUT * h + h + NORM;
        let inner = 2.0 * h * i + GELU * i + i;
        let perceptron = inner + 2.0 * h * i + h + DROPOUT * h + h + NORM * h;
        self.attentions * (projections + scores + output) + perceptron
    }

    /// Operations of looking tokens up, for one.
    fn input(&self) -> f64 {
        let &Self { hidden: h, embedding: e, tokens: s, vocabulary: v, .. } = self;
        let projected = if e == h { 0.0 } else { 2.0 * h * e + h };
        2.0 * e * v + 2.0 * e * (s + 2.0) + (2.0 + NORM + DROPOUT) * e + projected
    }

    /// Operations of the output, for one token.
    fn output(&self, output: Output) -> f64 {
        let &Self { hidden: h, embedding: e, vocabulary: v, .. } = self;
        match output {
            Output::Replaced => 2.0 * h * h + h + GELU * h + 2.0 * h,
            Output::Vocabulary => {
                let transform = 2.0 * h * e + e + (GELU + NORM) * e;
                self.predicted * (2.0 * e * v + transform + (SOFTMAX + 2.0) * v)
            }
        }
    }

    /// Operations of training on one sequence, forwards and backwards.
    pub fn sequence(&self, output: Output) -> f64 {
        2.0 * self.tokens * (self.layers * self.layer() + self.input() + self.output(output))
    }
}

/// Operations of a pre-training's step for one sequence of `tokens`, whatever its task.
///
/// What the script does not know is counted in its spirit: a masked language model that predicts
/// all tokens computes the softmax of all; a generator that stays as it is costs its forward pass.
///
/// ```
/// use electra::flops;
/// use electra::pretrain::PretrainConfig;
///
/// let small = flops::sequence(&PretrainConfig::default(), 128) * 128.0 * 1e6;
/// assert!((small / flops::ELECTRA_SMALL - 1.0).abs() < 1e-9);
/// assert_eq!((flops::GPT / flops::ELECTRA_SMALL * 10.0).round(), 307.0);
/// ```
pub fn sequence(config: &PretrainConfig, tokens: usize) -> f64 {
    let main = Transformer::of(&config.encoder, tokens);
    let kept = match config.task {
        Task::Electra | Task::Electra15 => main.sequence(Output::Replaced),
        Task::Mlm | Task::ReplaceMlm => main.sequence(Output::Vocabulary),
        Task::AllTokensMlm => Transformer { predicted: 1.0, ..main }.sequence(Output::Vocabulary),
    };
    let generator = match config.generator_encoder() {
        Some(shape) => Transformer::of(&shape, tokens).sequence(Output::Vocabulary),
        None if config.task != Task::Mlm
            && !config.generator.uniform
            && config.generator.sharing == Sharing::Everything =>
        {
            main.sequence(Output::Vocabulary)
        }
        None => 0.0,
    };
    kept + if config.generator.train { generator } else { generator / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `found` rounded to three digits is what language tables say.
    fn check(what: &str, found: f64, expected: &str) {
        assert_eq!(format!("{found:.2e}"), expected, "{what}");
    }

    fn bert(hidden: i64, layers: i64, embedding: i64, tokens: usize) -> Transformer {
        Transformer::of(&EncoderConfig::sized(layers, hidden, embedding), tokens)
    }

    #[test]
    fn the_scripts_numbers_come_out() {
        let masked =
            |t: Transformer, batch: f64, steps: f64| t.sequence(Output::Vocabulary) * batch * steps;
        let gpt = Transformer { vocabulary: 40_000.0, predicted: 1.0, ..bert(768, 12, 768, 512) };
        let gpt = masked(gpt, 128.0, 960_800.0);
        check("GPT", gpt, "3.97e19");
        assert!((gpt / GPT - 1.0).abs() < 1e-9, "{gpt:.17e}");
        check("BERT-small", masked(bert(256, 12, 128, 128), 128.0, 1.45e6), "1.42e18");
        check("BERT-base", masked(bert(768, 12, 768, 512), 256.0, 1e6), "6.43e19");
        check("BERT-large", masked(bert(1024, 24, 1024, 512), 256.0, 1e6), "1.92e20");
        let roberta = Transformer { vocabulary: 50_265.0, ..bert(1024, 24, 1024, 512) };
        check("RoBERTa-500K", masked(roberta, 8000.0, 5e5), "3.19e21");
        let albert = Transformer { vocabulary: 30_000.0, ..bert(4096, 12, 128, 512) };
        check("ALBERT", masked(albert, 4096.0, 1.5e6), "3.11e22");
        check("ELMo", ELMO, "3.41e18");
        check("XLNet", XLNET, "3.86e21");
        let t5 = Transformer {
            vocabulary: 32_000.0,
            feed_forward: 65_536.0,
            heads: 128.0,
            attention: 128.0 * 128.0,
            ..bert(1024, 24, 1024, 512)
        };
        let encoder = Transformer { predicted: 0.0, ..t5 };
        let decoder = Transformer { predicted: 1.0, attentions: 2.0, ..t5 };
        let t5 = masked(encoder, 2048.0, 1e6) + masked(decoder, 2048.0, 1e6);
        check("T5-11B", t5, "4.58e22");
    }

    #[test]
    fn electras_numbers_come_out() {
        let electra = |encoder: EncoderConfig, fraction, tokens, batch: f64, steps: f64| {
            let mut config = PretrainConfig { encoder, ..PretrainConfig::default() };
            config.generator.fraction = fraction;
            sequence(&config, tokens) * batch * steps
        };
        let small = electra(EncoderConfig::small(), 0.25, 128, 128.0, 1e6);
        check("ELECTRA-small", small, "1.29e18");
        assert!((small / ELECTRA_SMALL - 1.0).abs() < 1e-9, "{small:.17e}");
        let base = electra(EncoderConfig::base(), 1.0 / 3.0, 512, 256.0, 766e3);
        check("ELECTRA-base", base, "6.42e19");
        let large = |steps| electra(EncoderConfig::large(), 0.25, 512, 2048.0, steps);
        check("ELECTRA-400K", large(4e5), "7.12e20");
        check("ELECTRA-1.75M", large(1.75e6), "3.11e21");
    }
}
