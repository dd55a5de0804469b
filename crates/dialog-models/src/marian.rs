//! Marian (Junczys-Dowmunt et al. 2018, arXiv 1804.00344): the Transformer by which opus-mt
//! translates, as transformers has it.
//!
//! It is the plain Transformer with each norm behind its layer, biases in attention, sines and
//! cosines of its own wavelengths, a bias on the logits, and a token, that of padding, from which a
//! translation starts. Tensors have the names and shapes of transformers: `model.shared`,
//! `model.encoder.layers.N.self_attn.q_proj`, …

use serde::{Deserialize, Serialize};
use torch::device::tensor_on;
use torch::nn::{Embedding, LayerNorm, Linear};
use torch::{
    ConfigError, Device, Faults, Init, InvalidConfig, Kind, Mode, NoisyRows, Role, Scope, Tensor,
    no_grad,
};

use crate::batch::Reading;
use crate::block::Memories;
use crate::contexts::Contexts;
use crate::layers::Attention;
use crate::noise::Noise;
use crate::vocabulary::{TokenLoss, token_loss};
use crate::{Autoregressive, Continuation, LanguageModel, PackedSequences, Pairs};

/// What is between the two layers of a perceptron.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarianActivation {
    /// x · sigmoid(x).
    Swish,
    /// ReLU.
    Relu,
    /// GELU by the error function.
    Gelu,
    /// GELU by the hyperbolic tangent.
    GeluTanh,
}

/// The shape of a Marian.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `vocabularies` | 58,101 each | number of token ids of the encoder and of the decoder | ≥ 2 |
/// | `shared` | true | whether both have one table of tokens | then equal vocabularies |
/// | `tied` | true | whether the decoder's table gives the logits, too | |
/// | `positions` | 512 | longest text | ≥ 1 |
/// | `hidden` | 512 | width of a token | even, a multiple of both `heads` |
/// | `layers` | 6 each | layers of the encoder and of the decoder | 1 to 200 |
/// | `heads` | 8 each | heads of attention in each | ≥ 1 |
/// | `inner` | 2,048 each | width of the perceptrons in each | ≥ 1 |
/// | `activation` | swish | what is between the layers of a perceptron | |
/// | `scaled` | true | whether vectors of tokens are multiplied by √hidden | |
/// | `start` | 58,100 | the token from which a text starts | a token of the decoder |
/// | `dropout` | 0.1 | dropout on vectors | \[0, 1) |
/// | `attention_dropout` | 0 | dropout on attention's probabilities | \[0, 1) |
/// | `inner_dropout` | 0 | dropout inside perceptrons | \[0, 1) |
///
/// The defaults are those of opus-mt, whose vocabularies differ in size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MarianConfig {
    /// Number of token ids of the encoder and of the decoder.
    pub vocabularies: [i64; 2],
    /// Whether both have one table of tokens.
    pub shared: bool,
    /// Whether the decoder's table gives the logits, too.
    pub tied: bool,
    /// Longest text.
    pub positions: i64,
    /// Width of a token.
    pub hidden: i64,
    /// Layers of the encoder and of the decoder.
    pub layers: [i64; 2],
    /// Heads of attention in each.
    pub heads: [i64; 2],
    /// Width of the perceptrons in each.
    pub inner: [i64; 2],
    /// What is between the layers of a perceptron.
    pub activation: MarianActivation,
    /// Whether vectors of tokens are multiplied by √hidden.
    pub scaled: bool,
    /// The token from which a text starts.
    pub start: i64,
    /// Dropout on vectors.
    pub dropout: f64,
    /// Dropout on attention's probabilities.
    pub attention_dropout: f64,
    /// Dropout inside perceptrons.
    pub inner_dropout: f64,
}

impl Default for MarianConfig {
    fn default() -> Self {
        Self {
            vocabularies: [58_101; 2],
            shared: true,
            tied: true,
            positions: 512,
            hidden: 512,
            layers: [6; 2],
            heads: [8; 2],
            inner: [2048; 2],
            activation: MarianActivation::Swish,
            scaled: true,
            start: 58_100,
            dropout: 0.1,
            attention_dropout: 0.0,
            inner_dropout: 0.0,
        }
    }
}

impl MarianConfig {
    /// Every value that no network can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let mut faults = Faults::default();
        for (key, values, range) in [
            ("vocabularies", self.vocabularies, 2..=1 << 24),
            ("layers", self.layers, 1..=200),
            ("heads", self.heads, 1..=1 << 10),
            ("inner", self.inner, 1..=1 << 18),
        ] {
            for value in values {
                faults.in_range(key, value, range.clone());
            }
        }
        let hidden = self.hidden;
        faults
            .in_range("positions", self.positions, 1..=1 << 20)
            .in_range("hidden", hidden, 2..=1 << 16)
            .must_be(hidden % 2 == 0, "hidden", hidden, "even");
        for heads in self.heads.into_iter().filter(|&heads| heads > 0) {
            let fault = format!("{hidden} is no multiple of {heads} heads");
            faults.unless(hidden % heads == 0, "hidden", fault);
        }
        let [read, written] = self.vocabularies;
        let one = !self.shared || read == written;
        let there = (0..written).contains(&self.start);
        faults
            .unless(one, "vocabularies", format!("{read} and {written} in one table"))
            .unless(there, "start", format!("{} is no token of {written}", self.start))
            .rate("dropout", self.dropout)
            .rate("attention_dropout", self.attention_dropout)
            .rate("inner_dropout", self.inner_dropout)
            .done()
    }
}

/// What layer norms add to variances.
const NORM_EPS: f64 = 1e-5;
/// The deviation of new tables of tokens and layers.
const INIT: Init = Init::Normal { std: 0.02 };

fn norm(scope: &mut Scope<'_>, name: &str, width: i64) -> LayerNorm {
    LayerNorm::new(&mut scope.sub(name), width, NORM_EPS)
}

/// Attention and a perceptron, in a decoder with attention on the context between them; each with
/// its norm behind it.
#[derive(Debug)]
struct Layer {
    attention: Attention,
    attention_norm: LayerNorm,
    memory: Option<(Attention, LayerNorm)>,
    inner: Linear,
    outer: Linear,
    norm: LayerNorm,
    activation: MarianActivation,
    dropout: f64,
    inner_dropout: f64,
}

impl Layer {
    fn new(scope: &mut Scope<'_>, config: &MarianConfig, which: usize) -> Self {
        let (hidden, heads, inner) = (config.hidden, config.heads[which], config.inner[which]);
        let mut attention = |name: &str| {
            Attention::with_biases(scope, name, hidden, heads, config.attention_dropout)
        };
        let (own, read) = (attention("self_attn"), (which == 1).then(|| attention("encoder_attn")));
        Self {
            attention: own,
            attention_norm: norm(scope, "self_attn_layer_norm", hidden),
            memory: read.map(|read| (read, norm(scope, "encoder_attn_layer_norm", hidden))),
            inner: Linear::with_init(&mut scope.sub("fc1"), hidden, inner, INIT),
            outer: Linear::with_init(&mut scope.sub("fc2"), inner, hidden, INIT),
            norm: norm(scope, "final_layer_norm", hidden),
            activation: config.activation,
            dropout: config.dropout,
            inner_dropout: config.inner_dropout,
        }
    }

    /// `attend` and `read` are attention on the text itself and on the context.
    fn forward(
        &self,
        x: &Tensor,
        noise: Noise<'_>,
        attend: impl FnOnce(&Attention, &Tensor) -> Tensor,
        read: impl FnOnce(&Attention, &Tensor) -> Tensor,
    ) -> Tensor {
        let drop = |x: &Tensor| noise.drop(x, self.dropout);
        let mut x = self.attention_norm.forward(&(x + drop(&attend(&self.attention, x))));
        if let Some((memory, norm)) = &self.memory {
            x = norm.forward(&(&x + drop(&read(memory, &x))));
        }
        let inner = self.inner.forward(&x);
        let inner = match self.activation {
            MarianActivation::Swish => inner.silu(),
            MarianActivation::Relu => inner.relu(),
            MarianActivation::Gelu => inner.gelu("none"),
            MarianActivation::GeluTanh => inner.gelu("tanh"),
        };
        let outer = self.outer.forward(&noise.drop(&inner, self.inner_dropout));
        self.norm.forward(&(x + drop(&outer)))
    }
}

/// A network that translates.
///
/// A batch has no padding ([`Pairs`]), so that a text gives what it gives alone, to rounding. Modes
/// that give noise to some rows only are not for it, and panic.
///
/// ```
/// use dialog_models::decode::{Prompt, SampleConfig, Sampling, Special, sample_all};
/// use dialog_models::{Marian, MarianConfig};
/// use torch::{Device, Params};
///
/// torch::rng::seed(1);
/// let config = MarianConfig {
///     vocabularies: [20; 2],
///     hidden: 16,
///     layers: [1; 2],
///     heads: [2; 2],
///     inner: [32; 2],
///     start: 19,
///     ..MarianConfig::default()
/// };
/// let (net, _) = Params::build(Device::Cpu, |scope| Marian::new(scope, &config));
///
/// // Five translations each of two texts, which are read once; 0 ends a text, 19 is in none.
/// let texts = [[5, 6, 7, 0].as_slice(), &[9, 0]];
/// let prompts = texts.map(|context| Prompt { context, seed: 3, max_tokens: 8 });
/// let special = Special { never: vec![19], forced: true, ..Special::end(0) };
/// let sampling = Sampling { temperature: 0.9, ..Sampling::default() };
/// let config = SampleConfig { candidates: 5, sampling, ..SampleConfig::default() };
/// let all = sample_all(&net, &prompts, &special, &config);
/// assert_eq!((all.len(), all[0].len()), (2, 5));
/// assert!(all.concat().iter().all(|one| one.finished && one.generated() <= 8));
/// ```
#[derive(Debug)]
pub struct Marian {
    /// The tables of the encoder and of the decoder, and the one that gives the logits.
    tables: [Embedding; 2],
    output: Tensor,
    bias: Tensor,
    /// Sines and cosines, float32 `[positions, hidden]`.
    places: Tensor,
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
    config: MarianConfig,
}

impl Marian {
    /// Makes the tensors. Panics if the configuration has [faults](MarianConfig::faults).
    pub fn new(scope: &mut Scope<'_>, config: &MarianConfig) -> Self {
        InvalidConfig::assert_none(config.faults(), "no network can have this");
        let ([read, written], hidden) = (config.vocabularies, config.hidden);
        let bias = scope.tensor("final_logits_bias", &[1, written], Role::Buffer, Init::Const(0.0));
        let mut table = |name: &str, rows| {
            Embedding::new(&mut scope.sub(format!("model.{name}")), rows, hidden, INIT)
        };
        let tables = match config.shared {
            true => {
                let one = table("shared", read);
                [one.shared(), one]
            }
            false => [table("encoder.embed_tokens", read), table("decoder.embed_tokens", written)],
        };
        let output = match config.tied {
            true => tables[1].weight().shallow_clone(),
            false => scope.sub("lm_head").tensor("weight", &[written, hidden], Role::Weight, INIT),
        };
        let mut layers = |which: usize, part: &str| -> Vec<Layer> {
            let layer = |i| {
                let mut scope = scope.sub(format!("model.{part}.layers.{i}"));
                Layer::new(&mut scope, config, which)
            };
            (0..config.layers[which]).map(layer).collect()
        };
        let (encoder, decoder) = (layers(0, "encoder"), layers(1, "decoder"));
        let places = places(config.positions, hidden).to_device(scope.device());
        Self { tables, output, bias, places, encoder, decoder, config: config.clone() }
    }

    /// What it was made from.
    pub fn config(&self) -> &MarianConfig {
        &self.config
    }

    /// Vectors of tokens `[rows]` at places `[rows]` or one place, in the encoder (0) or decoder.
    fn embed(&self, which: usize, ids: &Tensor, places: &Tensor) -> Tensor {
        let x = self.tables[which].forward(ids);
        let x = if self.config.scaled { x * (self.config.hidden as f64).sqrt() } else { x };
        x + self.places.index_select(0, places)
    }

    /// What the encoder makes of contexts: `[tokens, hidden]`.
    fn encode(&self, context: &PackedSequences, reading: &Reading, mode: Mode) -> Tensor {
        self.fits(0, context);
        let noise = context.noise(mode);
        let x = self.embed(0, context.ids(), context.positions());
        let x = noise.drop(&x, self.config.dropout);
        self.encoder.iter().fold(x, |x, layer| {
            let attend = |own: &Attention, x: &Tensor| own.forward(x, x, &reading.attending, mode);
            layer.forward(&x, noise, attend, |_, _| unreachable!("an encoder reads no context"))
        })
    }

    /// Panics unless a text is one for the encoder (0) or decoder.
    fn fits(&self, which: usize, text: &PackedSequences) {
        text.check(self.config.vocabularies[which]);
        let (longest, room) = (text.longest(), self.config.positions);
        assert!(longest as i64 <= room, "{longest} tokens where there are {room} positions");
    }

    /// The hidden state `[tokens, hidden]` from which each token of the responses is predicted.
    /// Panics if a text is longer than the network has positions.
    pub fn hidden(&self, batch: &Pairs, mode: Mode) -> Tensor {
        let whole = !matches!(mode.noise(), NoisyRows::First(_));
        assert!(whole, "{mode:?} singles out rows, and rows are tokens here");
        let memory = self.encode(batch.context(), &batch.reading, mode);
        let (response, writing) = (batch.response(), &batch.writing);
        self.fits(1, response);
        // Each token is predicted from the one before, the first one from the start.
        let start = tensor_on(&[self.config.start], response.device());
        let before = response.ids().narrow(0, 0, response.tokens() as i64 - 1);
        let before = Tensor::cat(&[&start, &before], 0);
        let before = before.where_self(&response.positions().not_equal(0), &start);
        let x = self.embed(1, &before, response.positions());
        let noise = response.noise(mode);
        let x = noise.drop(&x, self.config.dropout);
        self.decoder.iter().fold(x, |x, layer| {
            let attend = |own: &Attention, x: &Tensor| own.forward(x, x, &writing.attending, mode);
            let read =
                |read: &Attention, x: &Tensor| read.forward(x, &memory, &writing.memory, mode);
            layer.forward(&x, noise, attend, read)
        })
    }

    /// The logits `[tokens, vocabulary]` of each token of the responses.
    pub fn logits(&self, batch: &Pairs, mode: Mode) -> Tensor {
        self.to_logits(&self.hidden(batch, mode))
    }

    fn to_logits(&self, hidden: &Tensor) -> Tensor {
        hidden.linear(&self.output, Some(&self.bias.view([-1])))
    }
}

/// Sines of the places, then cosines: float32 `[positions, hidden]`. The wavelengths are 2π ·
/// 10,000^(2i / hidden), computed in double precision.
fn places(positions: i64, hidden: i64) -> Tensor {
    let options = (Kind::Double, Device::Cpu);
    let half = Tensor::arange(hidden / 2, options) * (-2.0 / hidden as f64 * 10_000_f64.ln());
    let angles = Tensor::arange(positions, options).unsqueeze(1) * half.exp();
    Tensor::cat(&[angles.sin(), angles.cos()], 1).to_kind(Kind::Float)
}

impl LanguageModel for Marian {
    type Batch = Pairs;

    fn predicted(batch: &Pairs) -> usize {
        batch.response().tokens()
    }

    /// The bias of the logits, which is no parameter, is not in it: it is 0 in what is trained.
    fn token_loss(&self, batch: &Pairs, smoothing: f64, mode: Mode) -> TokenLoss {
        token_loss(&self.hidden(batch, mode), &self.output, batch.response().ids(), smoothing)
    }
}

impl Autoregressive for Marian {
    fn start<'a>(&'a self, contexts: &[&[i64]]) -> (Box<dyn Continuation + 'a>, Tensor) {
        no_grad(|| {
            let device = self.device();
            let read = PackedSequences::new(contexts, device);
            let memory = self.encode(&read, &Reading::new(&read), Mode::Eval);
            let contexts = Contexts::new(read.lengths(), device);
            let remember = |layer: &Layer| {
                let keys =
                    |(read, _): &(Attention, LayerNorm)| read.keys_and_values(&memory, &contexts);
                let read = layer.memory.iter().map(keys).collect();
                Memories { read, own: vec![Default::default()], frames: Vec::new() }
            };
            let memories = self.decoder.iter().map(remember).collect();
            let start = Tensor::full([contexts.count()], self.config.start, (Kind::Int64, device));
            let mut decoding = Decoding { net: self, contexts, memories, tokens: 0 };
            let logits = decoding.advance(&start);
            (Box::new(decoding) as Box<dyn Continuation + 'a>, logits)
        })
    }

    fn vocabulary(&self) -> i64 {
        self.config.vocabularies[1]
    }

    fn device(&self) -> Device {
        self.output.device()
    }

    fn longest_response(&self) -> Option<usize> {
        Some(self.config.positions as usize)
    }
}

/// Several translations, written token by token.
struct Decoding<'a> {
    net: &'a Marian,
    contexts: Contexts,
    memories: Vec<Memories>,
    tokens: i64,
}

impl Decoding<'_> {
    /// The token before of each translation, `[rows]`, to logits.
    fn advance(&mut self, before: &Tensor) -> Tensor {
        let net = self.net;
        let room = net.config.positions;
        assert!(self.tokens < room, "a text of more tokens than {room} positions");
        let place = tensor_on(&[self.tokens], before.device());
        self.tokens += 1;
        let x = net.embed(1, before, &place);
        let x = net.decoder.iter().zip(&mut self.memories).fold(x, |x, (layer, memories)| {
            let Memories { read: kept, own, .. } = memories;
            let attend = |attention: &Attention, x: &Tensor| attention.step(x, &mut own[0]);
            let read = |read: &Attention, x: &Tensor| read.read(x, &kept[0], &self.contexts);
            layer.forward(&x, Noise::NONE, attend, read)
        });
        net.to_logits(&x)
    }
}

impl Continuation for Decoding<'_> {
    fn step(&mut self, tokens: &Tensor) -> Tensor {
        no_grad(|| self.advance(tokens))
    }

    fn select(&mut self, rows: &[usize]) {
        no_grad(|| {
            let kept = self.contexts.select(rows);
            self.memories.iter_mut().for_each(|memories| memories.keep(&kept));
        });
    }
}
