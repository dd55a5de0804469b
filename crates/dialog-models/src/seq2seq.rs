//! An encoder, a decoder, and the table of tokens that both and the softmax share.
//!
//! Tensors are `embedding.weight`, `encoder.N.…`, `encoder.norm`, `decoder.N.…`, `decoder.norm`.

use torch::nn::{Embedding, LayerNorm};
use torch::{Device, Init, InvalidConfig, Kind, Mode, NoisyRows, Params, Scope, Tensor, no_grad};

use crate::autoregressive::{Autoregressive, Continuation};
use crate::batch::Reading;
use crate::block::{DecoderBlock, EncoderBlock, Memories};
use crate::contexts::Contexts;
use crate::evolved::{EvolvedDecoderBlock, EvolvedEncoderBlock};
use crate::layers::norm;
use crate::recompute::{Chain, Slopes, Stage, drawing_nothing};
use crate::transformer::{PlainDecoderBlock, PlainEncoderBlock};
use crate::vocabulary::{TokenLoss, token_loss};
use crate::{Architecture, LanguageModel, PackedSequences, Pairs, Seq2SeqConfig};

/// A network that reads a context and writes a response.
///
/// A batch has no padding ([`Pairs`]), so that a pair gives what it gives alone, to rounding. Modes
/// that give noise to some rows only are not for it, and panic.
#[derive(Debug)]
pub struct Seq2Seq {
    embedding: Embedding,
    encoder: Vec<Box<dyn EncoderBlock>>,
    encoder_norm: LayerNorm,
    decoder: Vec<Box<dyn DecoderBlock>>,
    decoder_norm: LayerNorm,
    config: Seq2SeqConfig,
}

impl Seq2Seq {
    /// Makes the tensors. Linear layers and convolutions are drawn uniformly by Glorot's rule, the
    /// table from N(0, 1 / hidden), as in tensor2tensor. Panics if the configuration has
    /// [faults](Seq2SeqConfig::faults).
    pub fn new(scope: &mut Scope<'_>, config: &Seq2SeqConfig) -> Self {
        InvalidConfig::assert_none(config.faults(), "no network can have this");
        let hidden = config.hidden;
        let init = Init::Normal { std: (hidden as f64).powf(-0.5) };
        let mut table = scope.sub("embedding");
        let embedding = Embedding::new(&mut table, config.vocabulary, hidden, init);
        let mut encoder: Vec<Box<dyn EncoderBlock>> = Vec::new();
        for i in 0..config.encoder_blocks {
            let mut scope = scope.sub(format!("encoder.{i}"));
            encoder.push(match config.architecture {
                Architecture::EvolvedTransformer => {
                    Box::new(EvolvedEncoderBlock::new(&mut scope, config))
                }
                Architecture::Transformer => Box::new(PlainEncoderBlock::new(&mut scope, config)),
            });
        }
        let encoder_norm = norm(scope, "encoder.norm", hidden);
        let mut decoder: Vec<Box<dyn DecoderBlock>> = Vec::new();
        for i in 0..config.decoder_blocks {
            let mut scope = scope.sub(format!("decoder.{i}"));
            decoder.push(match config.architecture {
                Architecture::EvolvedTransformer => {
                    Box::new(EvolvedDecoderBlock::new(&mut scope, config))
                }
                Architecture::Transformer => Box::new(PlainDecoderBlock::new(&mut scope, config)),
            });
        }
        let decoder_norm = norm(scope, "decoder.norm", hidden);
        let config = config.clone();
        Self { embedding, encoder, encoder_norm, decoder, decoder_norm, config }
    }

    /// What it was made from.
    pub fn config(&self) -> &Seq2SeqConfig {
        &self.config
    }

    /// Vectors of tokens, times √hidden.
    fn embed(&self, ids: &Tensor) -> Tensor {
        self.embedding.forward(ids) * (self.config.hidden as f64).sqrt()
    }

    /// Vectors of a batch's tokens, times √hidden. Panics if one is not in the vocabulary.
    fn embed_all(&self, batch: &PackedSequences) -> Tensor {
        batch.check(self.config.vocabulary);
        self.embed(batch.ids())
    }

    /// Adds sines and cosines of places, and drops.
    fn placed(&self, x: &Tensor, batch: &PackedSequences, mode: Mode) -> Tensor {
        let table = timing(0, batch.longest() as i64, self.config.hidden, batch.device());
        let x = x + table.index_select(0, batch.positions()).to_kind(x.kind());
        batch.noise(mode).drop(&x, self.config.dropout)
    }

    /// What the encoder makes of contexts: `[tokens, hidden]`.
    fn encode(&self, context: &PackedSequences, reading: &Reading, mode: Mode) -> Tensor {
        let x = self.placed(&self.embed_all(context), context, mode);
        let x = self.encoder.iter().fold(x, |x, block| block.forward(&x, reading, mode));
        self.encoder_norm.forward(&x)
    }

    /// The hidden state `[tokens, hidden]` from which each token of the responses is predicted.
    pub fn hidden(&self, batch: &Pairs, mode: Mode) -> Tensor {
        let whole = !matches!(mode.noise(), NoisyRows::First(_));
        assert!(whole, "{mode:?} singles out rows, and rows are tokens here");
        let memory = self.encode(batch.context(), &batch.reading, mode);
        let mut x = self.begin(batch, mode);
        for block in &self.decoder {
            x = block.forward(&x, &memory, &batch.writing, mode);
        }
        self.decoder_norm.forward(&x)
    }

    /// What the decoder is given: for each token of a response the vector of the one before.
    fn begin(&self, batch: &Pairs, mode: Mode) -> Tensor {
        let response = batch.response();
        self.placed(&batch.shifted.forward(&self.embed_all(response)), response, mode)
    }

    /// The logits `[tokens, vocabulary]` of each token of the responses.
    pub fn logits(&self, batch: &Pairs, mode: Mode) -> Tensor {
        self.hidden(batch, mode).linear(self.embedding.weight(), None::<&Tensor>)
    }
}

impl LanguageModel for Seq2Seq {
    type Batch = Pairs;

    fn predicted(batch: &Pairs) -> usize {
        batch.response().tokens()
    }

    fn token_loss(&self, batch: &Pairs, smoothing: f64, mode: Mode) -> TokenLoss {
        let hidden = self.hidden(batch, mode);
        token_loss(&hidden, self.embedding.weight(), batch.response().ids(), smoothing)
    }

    fn flops(&self, batch: &Pairs) -> u64 {
        let lengths = batch.context().lengths().iter().zip(batch.response().lengths());
        3 * lengths.map(|(&read, &written)| self.config.flops(read, written)).sum::<u64>()
    }

    fn token_loss_recomputed(
        &self,
        params: &Params,
        batch: &Pairs,
        smoothing: f64,
        mode: Mode,
    ) -> TokenLoss {
        let nothing = Tensor::zeros([0], (Kind::Float, self.device()));
        let (reading, memory) = Chain::run(self.reading_stages(batch, mode), &nothing);
        let (writing, x) = Chain::run(self.writing_stages(batch, mode), &memory);
        let (x, mut slopes) = (x.set_requires_grad(true), Slopes::new(params));
        let hidden = self.decoder_norm.forward(&x);
        let truth = batch.response().ids();
        let TokenLoss { loss, nll } =
            token_loss(&hidden, self.embedding.weight(), truth, smoothing);
        drawing_nothing(&x, || {
            let last = ["decoder.norm.", "embedding."].map(str::to_owned);
            let slope = slopes.take(&loss, &[&x], &last).remove(0);
            let slope = writing.back(slope, &mut slopes).expect("blocks that read the context");
            reading.back(slope, &mut slopes);
        });
        TokenLoss { loss: loss.detach() + slopes.carrier(), nll }
    }
}

/// The parts in which gradients are computed when blocks are run again.
impl Seq2Seq {
    fn reading_stages<'a>(&'a self, batch: &'a Pairs, mode: Mode) -> Vec<Stage<'a>> {
        let context = batch.context();
        let first =
            move |_: &Tensor, _: &Tensor| self.placed(&self.embed_all(context), context, mode);
        let mut stages = vec![Stage {
            prefixes: vec!["embedding.".to_owned()],
            follows: false,
            reads: false,
            run: Box::new(first),
        }];
        for (i, block) in self.encoder.iter().enumerate() {
            stages.push(Stage {
                prefixes: vec![format!("encoder.{i}.")],
                follows: true,
                reads: false,
                run: Box::new(move |x, _| block.forward(x, &batch.reading, mode)),
            });
        }
        stages.push(Stage {
            prefixes: vec!["encoder.norm.".to_owned()],
            follows: true,
            reads: false,
            run: Box::new(|x, _| self.encoder_norm.forward(x)),
        });
        stages
    }

    fn writing_stages<'a>(&'a self, batch: &'a Pairs, mode: Mode) -> Vec<Stage<'a>> {
        let mut stages = vec![Stage {
            prefixes: vec!["embedding.".to_owned()],
            follows: false,
            reads: false,
            run: Box::new(move |_, _| self.begin(batch, mode)),
        }];
        for (i, block) in self.decoder.iter().enumerate() {
            stages.push(Stage {
                prefixes: vec![format!("decoder.{i}.")],
                follows: true,
                reads: true,
                run: Box::new(move |x, memory| block.forward(x, memory, &batch.writing, mode)),
            });
        }
        stages
    }
}

/// Sines of places `start` to `start + count`, then cosines, of wavelengths from 2π to 2π · 10,000:
/// float32 `[count, hidden]`.
fn timing(start: i64, count: i64, hidden: i64, device: Device) -> Tensor {
    let options = (Kind::Float, device);
    let half = hidden / 2;
    let step = 10_000_f64.ln() / (half - 1).max(1) as f64;
    let rates = (Tensor::arange(half, options) * -step).exp();
    let places = Tensor::arange_start(start, start + count, options).unsqueeze(1);
    let angles = places * rates;
    Tensor::cat(&[angles.sin(), angles.cos()], 1)
}

impl Autoregressive for Seq2Seq {
    fn start<'a>(&'a self, contexts: &[&[i64]]) -> (Box<dyn Continuation + 'a>, Tensor) {
        no_grad(|| {
            let device = self.embedding.weight().device();
            let read = PackedSequences::new(contexts, device);
            let memory = self.encode(&read, &Reading::new(&read), Mode::Eval);
            let contexts = Contexts::new(read.lengths(), device);
            let blocks = self.decoder.iter();
            let memories = blocks.map(|block| block.start(&memory, &contexts)).collect();
            // The first token follows nothing.
            let shape = [contexts.count(), self.config.hidden];
            let nothing = Tensor::zeros(shape, (memory.kind(), device));
            let mut decoding = Decoding { net: self, contexts, memories, tokens: 0 };
            let logits = decoding.advance(&nothing);
            (Box::new(decoding) as Box<dyn Continuation + 'a>, logits)
        })
    }

    fn vocabulary(&self) -> i64 {
        self.config.vocabulary
    }

    fn device(&self) -> Device {
        self.embedding.weight().device()
    }
}

/// Several responses to contexts, written token by token.
struct Decoding<'a> {
    net: &'a Seq2Seq,
    contexts: Contexts,
    memories: Vec<Memories>,
    tokens: i64,
}

impl Decoding<'_> {
    /// The next input of each response, `[rows, hidden]`, to logits.
    fn advance(&mut self, before: &Tensor) -> Tensor {
        let net = self.net;
        let place = timing(self.tokens, 1, net.config.hidden, before.device());
        let x = before + place.to_kind(before.kind());
        self.tokens += 1;
        let blocks = net.decoder.iter().zip(&mut self.memories);
        let x = blocks.fold(x, |x, (block, memories)| block.step(&x, memories, &self.contexts));
        let hidden = net.decoder_norm.forward(&x);
        hidden.linear(net.embedding.weight(), None::<&Tensor>).to_kind(Kind::Float)
    }
}

impl Continuation for Decoding<'_> {
    fn step(&mut self, tokens: &Tensor) -> Tensor {
        no_grad(|| self.advance(&self.net.embed(tokens)))
    }

    fn select(&mut self, rows: &[usize]) {
        no_grad(|| {
            let kept = self.contexts.select(rows);
            self.memories.iter_mut().for_each(|memories| memories.keep(&kept));
        });
    }
}
