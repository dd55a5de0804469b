//! The blocks of the Evolved Transformer (So, Liang, Le 2019, arXiv 1901.11117), as in
//! tensor2tensor: each layer has its norm before it and is added to what it was given.

use torch::nn::{LayerNorm, Linear};
use torch::{Mode, Scope, Tensor};

use crate::Seq2SeqConfig;
use crate::batch::{Reading, Writing};
use crate::block::{DecoderBlock, EncoderBlock, Memories};
use crate::cache::push_frame;
use crate::contexts::Contexts;
use crate::layers::{Attention, Conv, SepConv, linear, norm, post, widen};
use crate::noise::Noise;
use crate::perceptron::{Activation, FeedForward};

/// Gated linear unit, convolutions of two widths, self-attention, perceptron.
#[derive(Debug)]
pub(crate) struct EvolvedEncoderBlock {
    glu_norm: LayerNorm,
    value: Linear,
    gate: Linear,
    conv_norm: LayerNorm,
    left: Linear,
    right: Conv,
    merged_norm: LayerNorm,
    merged: SepConv,
    attention_norm: LayerNorm,
    attention: Attention,
    feed_forward: FeedForward,
    dropout: f64,
}

impl EvolvedEncoderBlock {
    pub(crate) fn new(scope: &mut Scope<'_>, config: &Seq2SeqConfig) -> Self {
        let &Seq2SeqConfig { hidden: h, heads, dropout, attention_dropout, .. } = config;
        Self {
            glu_norm: norm(scope, "glu.norm", h),
            value: linear(scope, "glu.value", h, h),
            gate: linear(scope, "glu.gate", h, h),
            conv_norm: norm(scope, "conv.norm", h),
            left: linear(scope, "conv.left", h, 4 * h),
            right: Conv::new(scope, "conv.right", 3, [h, h / 2]),
            merged_norm: norm(scope, "conv.merged_norm", 4 * h),
            merged: SepConv::new(scope, "conv.merged", 9, [4 * h, h / 2]),
            attention_norm: norm(scope, "attention.norm", h),
            attention: Attention::new(scope, "attention", h, heads, attention_dropout),
            feed_forward: FeedForward::new(scope, h, dropout, Activation::Relu),
            dropout,
        }
    }
}

impl EncoderBlock for EvolvedEncoderBlock {
    fn forward(&self, x: &Tensor, reading: &Reading, mode: Mode) -> Tensor {
        let (rate, noise) = (self.dropout, reading.noise(mode));
        let width = x.size()[1];
        let n = self.glu_norm.forward(x);
        let x = post(x, &(self.value.forward(&n) * self.gate.forward(&n).sigmoid()), rate, noise);

        let n = self.conv_norm.forward(&x);
        let spread = &reading.spread;
        let left = noise.drop(&self.left.forward(&n).relu(), rate);
        let right = self.right.forward(&n, spread).relu();
        let right = noise.drop(&right, rate);
        let sum = self.merged_norm.forward(&(left + widen(&right, 4 * width)));
        let merged = self.merged.forward(&sum, spread);
        let x = post(&x, &widen(&merged, width), rate, noise);

        let n = self.attention_norm.forward(&x);
        let x = post(&x, &self.attention.forward(&n, &n, &reading.attending, mode), rate, noise);
        self.feed_forward.forward(&x, noise)
    }
}

/// Self-attention beside attention on the context, causal convolutions of two widths,
/// self-attention, attention on the context, perceptron.
#[derive(Debug)]
pub(crate) struct EvolvedDecoderBlock {
    first_norm: LayerNorm,
    wide_attention: Attention,
    first_memory: Attention,
    conv_norm: LayerNorm,
    left: SepConv,
    right: SepConv,
    merged_norm: LayerNorm,
    merged: SepConv,
    attention_norm: LayerNorm,
    attention: Attention,
    memory_norm: LayerNorm,
    memory: Attention,
    feed_forward: FeedForward,
    dropout: f64,
}

impl EvolvedDecoderBlock {
    pub(crate) fn new(scope: &mut Scope<'_>, config: &Seq2SeqConfig) -> Self {
        let &Seq2SeqConfig { hidden: h, heads, dropout, attention_dropout: rate, .. } = config;
        let wide = config.wide_heads();
        Self {
            first_norm: norm(scope, "first.norm", h),
            wide_attention: Attention::new(scope, "first.attention", h, wide, rate),
            first_memory: Attention::new(scope, "first.memory", h, heads, rate),
            conv_norm: norm(scope, "conv.norm", h),
            left: SepConv::new(scope, "conv.left", 11, [h, 2 * h]),
            right: SepConv::new(scope, "conv.right", 7, [h, h / 2]),
            merged_norm: norm(scope, "conv.merged_norm", 2 * h),
            merged: SepConv::new(scope, "conv.merged", 7, [2 * h, h]),
            attention_norm: norm(scope, "attention.norm", h),
            attention: Attention::new(scope, "attention", h, heads, rate),
            memory_norm: norm(scope, "memory.norm", h),
            memory: Attention::new(scope, "memory", h, heads, rate),
            feed_forward: FeedForward::new(scope, h, dropout, Activation::SwishThenNorm),
            dropout,
        }
    }
}

impl DecoderBlock for EvolvedDecoderBlock {
    fn forward(&self, x: &Tensor, memory: &Tensor, writing: &Writing, mode: Mode) -> Tensor {
        let (rate, noise) = (self.dropout, writing.noise(mode));
        let width = x.size()[1];
        let n = self.first_norm.forward(x);
        let own = self.wide_attention.forward(&n, &n, &writing.attending, mode);
        let read = self.first_memory.forward(&n, memory, &writing.memory, mode);
        let x = post(&post(x, &own, rate, noise), &read, rate, noise);

        let spread = &writing.spread;
        let n = self.conv_norm.forward(&x);
        let left = noise.drop(&self.left.forward(&n, spread).relu(), rate);
        let right = noise.drop(&self.right.forward(&n, spread), rate);
        let sum = self.merged_norm.forward(&(left + widen(&right, 2 * width)));
        let x = post(&x, &self.merged.forward(&sum, spread), rate, noise);

        let n = self.attention_norm.forward(&x);
        let x = post(&x, &self.attention.forward(&n, &n, &writing.attending, mode), rate, noise);
        let n = self.memory_norm.forward(&x);
        let x = post(&x, &self.memory.forward(&n, memory, &writing.memory, mode), rate, noise);
        self.feed_forward.forward(&x, noise)
    }

    fn start(&self, memory: &Tensor, contexts: &Contexts) -> Memories {
        let width = memory.size()[1];
        let zeros = |frames, width| {
            Tensor::zeros([contexts.count(), frames, width], (memory.kind(), memory.device()))
        };
        Memories {
            read: vec![
                self.first_memory.keys_and_values(memory, contexts),
                self.memory.keys_and_values(memory, contexts),
            ],
            own: vec![Default::default(), Default::default()],
            frames: vec![zeros(10, width), zeros(6, 2 * width)],
        }
    }

    fn step(&self, x: &Tensor, memories: &mut Memories, contexts: &Contexts) -> Tensor {
        let Memories { read, own, frames } = memories;
        let width = x.size()[1];
        let n = self.first_norm.forward(x);
        let x = x
            + self.wide_attention.step(&n, &mut own[0])
            + self.first_memory.read(&n, &read[0], contexts);

        let seen = push_frame(&mut frames[0], &self.conv_norm.forward(&x));
        let left = self.left.step(&seen).relu();
        let right = self.right.step(&seen);
        let sum = self.merged_norm.forward(&(left + widen(&right, 2 * width)));
        let x = x + self.merged.step(&push_frame(&mut frames[1], &sum));

        let x = &x + self.attention.step(&self.attention_norm.forward(&x), &mut own[1]);
        let x = &x + self.memory.read(&self.memory_norm.forward(&x), &read[1], contexts);
        self.feed_forward.forward(&x, Noise::NONE)
    }
}
