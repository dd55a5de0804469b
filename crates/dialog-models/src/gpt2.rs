//! GPT-2 (Radford et al. 2019), and DialoGPT (Zhang et al. 2020, arXiv 1911.00536), which is the
//! same network trained on dialogues.
//!
//! Tensors have the names and shapes of Hugging Face's transformers: `transformer.wte`,
//! `transformer.h.N.attn.c_attn`, …; weights of its "Conv1D" layers are `[inputs, outputs]`.

use serde::{Deserialize, Serialize};
use torch::device::tensor_on;
use torch::nn::{Embedding, LayerNorm, PackedAttention};
use torch::{
    ConfigError, Device, Faults, Init, InvalidConfig, Kind, Mode, NoisyRows, Role, Scope, Tensor,
    no_grad,
};

use crate::cache::{Growing, attend};
use crate::contexts::{Contexts, Shared};
use crate::noise::Noise;
use crate::vocabulary::{TokenLoss, token_loss};
use crate::{Autoregressive, Continuation, LanguageModel, PackedSequences, Texts};

/// The shape of a GPT-2.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `vocabulary` | 50,257 | number of token ids | ≥ 2 |
/// | `positions` | 1,024 | longest text | ≥ 1 |
/// | `hidden` | 768 | width of a token | a multiple of `heads` |
/// | `layers` | 12 | layers | 1 to 200 |
/// | `heads` | 12 | heads of attention | ≥ 1 |
/// | `dropout` | 0.1 | dropout on vectors | \[0, 1) |
/// | `attention_dropout` | 0.1 | dropout on attention's probabilities | \[0, 1) |
/// | `norm_eps` | 1e-5 | added to variances by layer norm | above 0, below 1 |
///
/// The defaults are the small one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gpt2Config {
    /// Number of token ids.
    pub vocabulary: i64,
    /// Longest text.
    pub positions: i64,
    /// Width of a token.
    pub hidden: i64,
    /// Layers.
    pub layers: i64,
    /// Heads of attention.
    pub heads: i64,
    /// Dropout on vectors.
    pub dropout: f64,
    /// Dropout on attention's probabilities.
    pub attention_dropout: f64,
    /// What layer norm adds to variances.
    pub norm_eps: f64,
}

impl Default for Gpt2Config {
    fn default() -> Self {
        Self::small()
    }
}

impl Gpt2Config {
    /// A network of this shape with GPT-2's vocabulary and positions.
    pub fn sized(layers: i64, hidden: i64, heads: i64) -> Self {
        Self {
            vocabulary: 50_257,
            positions: 1024,
            hidden,
            layers,
            heads,
            dropout: 0.1,
            attention_dropout: 0.1,
            norm_eps: 1e-5,
        }
    }

    /// 12 layers, 768 wide: 124,439,808 parameters.
    pub fn small() -> Self {
        Self::sized(12, 768, 12)
    }

    /// 24 layers, 1,024 wide: 354,823,168 parameters.
    pub fn medium() -> Self {
        Self::sized(24, 1024, 16)
    }

    /// 36 layers, 1,280 wide: 774,030,080 parameters.
    pub fn large() -> Self {
        Self::sized(36, 1280, 20)
    }

    /// The number of parameters, counted without making any.
    pub fn parameters(&self) -> u64 {
        let [v, p, h, layers] =
            [self.vocabulary, self.positions, self.hidden, self.layers].map(i64::unsigned_abs);
        let layer = 2 * 2 * h + (3 * h * h + 3 * h) + (h * h + h) + (8 * h * h + 5 * h);
        (v + p) * h + layers * layer + 2 * h
    }

    /// Every value that no network can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let (hidden, heads) = (self.hidden, self.heads);
        let whole = heads < 1 || hidden % heads == 0;
        Faults::default()
            .in_range("vocabulary", self.vocabulary, 2..=1 << 24)
            .in_range("positions", self.positions, 1..=1 << 20)
            .in_range("hidden", hidden, 1..=1 << 16)
            .in_range("layers", self.layers, 1..=200)
            .in_range("heads", heads, 1..=1 << 10)
            .unless(whole, "hidden", format!("{hidden} is no multiple of {heads} heads"))
            .rate("dropout", self.dropout)
            .rate("attention_dropout", self.attention_dropout)
            .inner_fraction("norm_eps", self.norm_eps)
            .done()
    }
}

/// A linear layer with weights `[inputs, outputs]`, "Conv1D" in transformers.
#[derive(Debug)]
struct Conv1d {
    weight: Tensor,
    bias: Tensor,
}

impl Conv1d {
    fn new(scope: &mut Scope<'_>, name: &str, inputs: i64, outputs: i64) -> Self {
        let mut scope = scope.sub(name);
        let init = Init::Normal { std: 0.02 };
        let weight = scope.tensor("weight", &[inputs, outputs], Role::Weight, init);
        let bias = scope.tensor("bias", &[outputs], Role::Bias, Init::Const(0.0));
        Self { weight, bias }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight.tr(), Some(&self.bias))
    }
}

/// Attention and a perceptron, each with its norm before it.
#[derive(Debug)]
struct Layer {
    attention_norm: LayerNorm,
    qkv: Conv1d,
    mixed: Conv1d,
    norm: LayerNorm,
    inner: Conv1d,
    outer: Conv1d,
}

/// What one layer remembers: of the contexts, and of each text since.
struct Memory {
    read: Shared,
    own: Growing,
}

/// GPT-2: the probabilities of each token of a text, given those before.
///
/// A batch has no padding, so that a text gives what it gives alone, to rounding. Modes that give
/// noise to some rows only are not for it, and panic.
#[derive(Debug)]
pub struct Gpt2 {
    words: Embedding,
    positions: Embedding,
    layers: Vec<Layer>,
    norm: LayerNorm,
    config: Gpt2Config,
}

impl Gpt2 {
    /// Makes the tensors, drawn from N(0, 0.02²), biases 0. Panics if the configuration has
    /// [faults](Gpt2Config::faults).
    pub fn new(scope: &mut Scope<'_>, config: &Gpt2Config) -> Self {
        InvalidConfig::assert_none(config.faults(), "no network can have this");
        let mut scope = scope.sub("transformer");
        let (h, eps, init) = (config.hidden, config.norm_eps, Init::Normal { std: 0.02 });
        let words = Embedding::new(&mut scope.sub("wte"), config.vocabulary, h, init);
        let positions = Embedding::new(&mut scope.sub("wpe"), config.positions, h, init);
        let layer = |i: i64| {
            let mut scope = scope.sub(format!("h.{i}"));
            Layer {
                attention_norm: LayerNorm::new(&mut scope.sub("ln_1"), h, eps),
                qkv: Conv1d::new(&mut scope, "attn.c_attn", h, 3 * h),
                mixed: Conv1d::new(&mut scope, "attn.c_proj", h, h),
                norm: LayerNorm::new(&mut scope.sub("ln_2"), h, eps),
                inner: Conv1d::new(&mut scope, "mlp.c_fc", h, 4 * h),
                outer: Conv1d::new(&mut scope, "mlp.c_proj", 4 * h, h),
            }
        };
        let layers = (0..config.layers).map(layer).collect();
        let norm = LayerNorm::new(&mut scope.sub("ln_f"), h, eps);
        Self { words, positions, layers, norm, config: config.clone() }
    }

    /// What it was made from.
    pub fn config(&self) -> &Gpt2Config {
        &self.config
    }

    /// Layer by layer; `attention` makes of a layer's number, its queries, keys and values `[rows,
    /// hidden]` what is seen.
    fn run(
        &self,
        x: Tensor,
        noise: Noise<'_>,
        mut attention: impl FnMut(usize, [&Tensor; 3]) -> Tensor,
    ) -> Tensor {
        let drop = |x: Tensor| noise.drop(&x, self.config.dropout);
        let mut x = drop(x);
        for (i, layer) in self.layers.iter().enumerate() {
            let qkv = layer.qkv.forward(&layer.attention_norm.forward(&x)).chunk(3, 1);
            let mixed = attention(i, [&qkv[0], &qkv[1], &qkv[2]]);
            x = &x + drop(layer.mixed.forward(&mixed));
            let inner = layer.inner.forward(&layer.norm.forward(&x)).gelu("tanh");
            x = &x + drop(layer.outer.forward(&inner));
        }
        self.norm.forward(&x)
    }

    /// The hidden state `[tokens, hidden]` from which the token after each one is predicted. Panics
    /// if a text is longer than the network has positions.
    pub fn hidden(&self, batch: &PackedSequences, mode: Mode) -> Tensor {
        let whole = !matches!(mode.noise(), NoisyRows::First(_));
        assert!(whole, "{mode:?} singles out rows, and rows are tokens here");
        let (longest, room) = (batch.longest(), self.config.positions);
        assert!(longest as i64 <= room, "{longest} tokens where there are {room} positions");
        batch.check(self.config.vocabulary);
        let attending = PackedAttention::causal_of(batch.part(), batch.device());
        let x = self.words.forward(batch.ids()) + self.positions.forward(batch.positions());
        let &Gpt2Config { heads, attention_dropout: rate, .. } = &self.config;
        self.run(x, batch.noise(mode), |_, qkv| attending.forward(qkv, heads, rate, mode))
    }

    /// The logits `[tokens, vocabulary]` of what follows each token.
    pub fn logits(&self, batch: &PackedSequences, mode: Mode) -> Tensor {
        self.hidden(batch, mode).linear(self.words.weight(), None::<&Tensor>)
    }

    /// `[rows, hidden]` as `[rows, heads, width]`.
    fn heads(&self, x: &Tensor) -> Tensor {
        x.reshape([x.size()[0], self.config.heads, self.config.hidden / self.config.heads])
    }
}

impl LanguageModel for Gpt2 {
    type Batch = Texts;

    fn predicted(batch: &Texts) -> usize {
        batch.predicted()
    }

    fn token_loss(&self, batch: &Texts, smoothing: f64, mode: Mode) -> TokenLoss {
        batch.check(self.config.vocabulary);
        let hidden = self.hidden(batch.tokens(), mode).index_select(0, batch.from());
        token_loss(&hidden, self.words.weight(), batch.truth(), smoothing)
    }
}

impl Autoregressive for Gpt2 {
    fn start<'a>(&'a self, contexts: &[&[i64]]) -> (Box<dyn Continuation + 'a>, Tensor) {
        no_grad(|| {
            let batch = PackedSequences::new(contexts, self.device());
            batch.check(self.config.vocabulary);
            let contexts = Contexts::new(batch.lengths(), batch.device());
            let attending = PackedAttention::causal(batch.lengths(), batch.device());
            let x = self.words.forward(batch.ids()) + self.positions.forward(batch.positions());
            let mut memories = Vec::new();
            let x = self.run(x, Noise::NONE, |_, qkv| {
                let read = Shared::new(qkv[1], qkv[2], self.config.heads, &contexts);
                memories.push(Memory { read, own: Growing::default() });
                attending.forward(qkv, self.config.heads, 0.0, Mode::Eval)
            });
            let mut end = 0;
            let last = batch.lengths().iter().map(|&length| {
                end += length as i64;
                end - 1
            });
            let last = tensor_on(&last.collect::<Vec<_>>(), self.device());
            let logits = x.index_select(0, &last).linear(self.words.weight(), None::<&Tensor>);
            let logits = logits.to_kind(Kind::Float);
            let decoding = Decoding { net: self, contexts, memories, written: 0 };
            (Box::new(decoding) as Box<dyn Continuation + 'a>, logits)
        })
    }

    fn vocabulary(&self) -> i64 {
        self.config.vocabulary
    }

    fn device(&self) -> Device {
        self.words.weight().device()
    }

    fn longest(&self) -> Option<usize> {
        Some(self.config.positions as usize)
    }
}

/// Several texts that go on from contexts, written token by token.
struct Decoding<'a> {
    net: &'a Gpt2,
    contexts: Contexts,
    memories: Vec<Memory>,
    /// Tokens of each since its context.
    written: i64,
}

impl Continuation for Decoding<'_> {
    fn step(&mut self, tokens: &Tensor) -> Tensor {
        no_grad(|| {
            let (net, contexts, memories) = (self.net, &self.contexts, &mut self.memories);
            let before = tensor_on(&contexts.lengths_of_rows(), net.device());
            let places = before + self.written;
            self.written += 1;
            let x = net.words.forward(tokens) + net.positions.forward(&places);
            let x = net.run(x, Noise::NONE, |i, [q, k, v]| {
                let Memory { read, own } = &mut memories[i];
                own.push(&net.heads(k), &net.heads(v));
                attend(&net.heads(q), Some((read, contexts)), Some(own))
            });
            x.linear(net.words.weight(), None::<&Tensor>).to_kind(Kind::Float)
        })
    }

    fn select(&mut self, rows: &[usize]) {
        no_grad(|| {
            let kept = self.contexts.select(rows);
            for Memory { read, own } in &mut self.memories {
                read.keep(&kept);
                own.keep(&kept);
            }
        });
    }
}
