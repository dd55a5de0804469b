//! The blocks of the Transformer (Vaswani et al. 2017, arXiv 1706.03762), each layer with its norm
//! before it, as tensor2tensor has them since its second version.

use torch::nn::LayerNorm;
use torch::{Mode, Scope, Tensor};

use crate::Seq2SeqConfig;
use crate::batch::{Reading, Writing};
use crate::block::{DecoderBlock, EncoderBlock, Memories};
use crate::contexts::Contexts;
use crate::layers::{Attention, norm, post};
use crate::noise::Noise;
use crate::perceptron::{Activation, FeedForward};

/// Self-attention and a perceptron.
#[derive(Debug)]
pub(crate) struct PlainEncoderBlock {
    attention_norm: LayerNorm,
    attention: Attention,
    feed_forward: FeedForward,
    dropout: f64,
}

impl PlainEncoderBlock {
    pub(crate) fn new(scope: &mut Scope<'_>, config: &Seq2SeqConfig) -> Self {
        let &Seq2SeqConfig { hidden, heads, dropout, attention_dropout, .. } = config;
        Self {
            attention_norm: norm(scope, "attention.norm", hidden),
            attention: Attention::new(scope, "attention", hidden, heads, attention_dropout),
            feed_forward: FeedForward::new(scope, hidden, dropout, Activation::Relu),
            dropout,
        }
    }
}

impl EncoderBlock for PlainEncoderBlock {
    fn forward(&self, x: &Tensor, reading: &Reading, mode: Mode) -> Tensor {
        let n = self.attention_norm.forward(x);
        let mixed = self.attention.forward(&n, &n, &reading.attending, mode);
        let noise = reading.noise(mode);
        self.feed_forward.forward(&post(x, &mixed, self.dropout, noise), noise)
    }
}

/// Self-attention, attention on the context, and a perceptron.
#[derive(Debug)]
pub(crate) struct PlainDecoderBlock {
    attention_norm: LayerNorm,
    attention: Attention,
    memory_norm: LayerNorm,
    memory: Attention,
    feed_forward: FeedForward,
    dropout: f64,
}

impl PlainDecoderBlock {
    pub(crate) fn new(scope: &mut Scope<'_>, config: &Seq2SeqConfig) -> Self {
        let &Seq2SeqConfig { hidden, heads, dropout, attention_dropout, .. } = config;
        Self {
            attention_norm: norm(scope, "attention.norm", hidden),
            attention: Attention::new(scope, "attention", hidden, heads, attention_dropout),
            memory_norm: norm(scope, "memory.norm", hidden),
            memory: Attention::new(scope, "memory", hidden, heads, attention_dropout),
            feed_forward: FeedForward::new(scope, hidden, dropout, Activation::Relu),
            dropout,
        }
    }
}

impl DecoderBlock for PlainDecoderBlock {
    fn forward(&self, x: &Tensor, memory: &Tensor, writing: &Writing, mode: Mode) -> Tensor {
        let (rate, noise) = (self.dropout, writing.noise(mode));
        let n = self.attention_norm.forward(x);
        let x = post(x, &self.attention.forward(&n, &n, &writing.attending, mode), rate, noise);
        let n = self.memory_norm.forward(&x);
        let x = post(&x, &self.memory.forward(&n, memory, &writing.memory, mode), rate, noise);
        self.feed_forward.forward(&x, noise)
    }

    fn start(&self, memory: &Tensor, contexts: &Contexts) -> Memories {
        let read = vec![self.memory.keys_and_values(memory, contexts)];
        Memories { read, own: vec![Default::default()], frames: Vec::new() }
    }

    fn step(&self, x: &Tensor, memories: &mut Memories, contexts: &Contexts) -> Tensor {
        let Memories { read, own, .. } = memories;
        let x = x + self.attention.step(&self.attention_norm.forward(x), &mut own[0]);
        let x = &x + self.memory.read(&self.memory_norm.forward(&x), &read[0], contexts);
        self.feed_forward.forward(&x, Noise::NONE)
    }
}
