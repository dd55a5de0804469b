//! The layers that blocks are made of: linear layers, convolutions along a sequence, attention.

use torch::nn::{LayerNorm, Linear, PackedAttention};
use torch::{Init, Mode, Role, Scope, Tensor};

use crate::cache::{Growing, attend};
use crate::contexts::{Contexts, Shared};
use crate::noise::Noise;
use crate::spread::Spread;

/// What layer norms add to variances.
pub(crate) const NORM_EPS: f64 = 1e-6;

/// Weights of a layer uniform in ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010), as
/// tensor2tensor's `uniform_unit_scaling`.
fn glorot(inputs: i64, outputs: i64) -> Init {
    Init::Uniform { bound: (6.0 / (inputs + outputs) as f64).sqrt() }
}

/// A linear layer with a bias.
pub(crate) fn linear(scope: &mut Scope<'_>, name: &str, inputs: i64, outputs: i64) -> Linear {
    Linear::with_init(&mut scope.sub(name), inputs, outputs, glorot(inputs, outputs))
}

/// A layer norm.
pub(crate) fn norm(scope: &mut Scope<'_>, name: &str, width: i64) -> LayerNorm {
    LayerNorm::new(&mut scope.sub(name), width, NORM_EPS)
}

/// Adds zeros at the end of each row: `[rows, width]` to `[rows, room]`.
pub(crate) fn widen(x: &Tensor, room: i64) -> Tensor {
    x.constant_pad_nd([0, room - x.size()[1]])
}

/// A square linear layer, with or without a bias.
#[derive(Debug)]
struct Projection {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Projection {
    fn new(scope: &mut Scope<'_>, name: &str, width: i64, biased: bool) -> Self {
        let mut scope = scope.sub(name);
        let weight = scope.tensor("weight", &[width, width], Role::Weight, glorot(width, width));
        let bias = biased.then(|| scope.tensor("bias", &[width], Role::Bias, Init::Const(0.0)));
        Self { weight, bias }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, self.bias.as_ref())
    }
}

/// A convolution along a sequence. Its kernel has TensorFlow's shape `[taps, inputs, outputs]`,
/// which Adafactor's factors depend on.
#[derive(Debug)]
pub(crate) struct Conv {
    kernel: Tensor,
    bias: Tensor,
}

impl Conv {
    pub(crate) fn new(scope: &mut Scope<'_>, name: &str, taps: i64, sizes: [i64; 2]) -> Self {
        let mut scope = scope.sub(name);
        let [inputs, outputs] = sizes;
        let init = glorot(taps * inputs, taps * outputs);
        let kernel = scope.tensor("weight", &[taps, inputs, outputs], Role::Weight, init);
        let bias = scope.tensor("bias", &[outputs], Role::Bias, Init::Const(0.0));
        Self { kernel, bias }
    }

    /// `[tokens, inputs]` to `[tokens, outputs]`.
    pub(crate) fn forward(&self, x: &Tensor, spread: &Spread) -> Tensor {
        spread.conv(x, &self.kernel) + &self.bias
    }
}

/// A separable convolution along a sequence: each channel by itself, then a linear layer. The
/// kernel has TensorFlow's shape `[taps, channels, 1]`.
#[derive(Debug)]
pub(crate) struct SepConv {
    depthwise: Tensor,
    pointwise: Linear,
}

impl SepConv {
    pub(crate) fn new(scope: &mut Scope<'_>, name: &str, taps: i64, sizes: [i64; 2]) -> Self {
        let mut scope = scope.sub(name);
        // TensorFlow takes the two last sides of the kernel for inputs and outputs.
        let init = glorot(taps * sizes[0], taps);
        let depthwise = scope.tensor("depthwise", &[taps, sizes[0], 1], Role::Weight, init);
        let pointwise = linear(&mut scope, "pointwise", sizes[0], sizes[1]);
        Self { depthwise, pointwise }
    }

    /// `[tokens, channels]` to `[tokens, outputs]`.
    pub(crate) fn forward(&self, x: &Tensor, spread: &Spread) -> Tensor {
        self.pointwise.forward(&spread.depthwise(x, &self.depthwise))
    }

    /// The last of frames `[rows, frames, channels]`, of which there are at least as many as taps,
    /// to `[rows, outputs]`.
    pub(crate) fn step(&self, frames: &Tensor) -> Tensor {
        let (taps, count) = (self.depthwise.size()[0], frames.size()[1]);
        let seen = frames.narrow(1, count - taps, taps);
        let sum = (seen * self.depthwise.squeeze_dim(2)).sum_dim_intlist(1, false, frames.kind());
        self.pointwise.forward(&sum)
    }
}

/// Attention with several heads.
#[derive(Debug)]
pub(crate) struct Attention {
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    heads: i64,
    dropout: f64,
}

impl Attention {
    /// Its four layers have no biases, as in tensor2tensor.
    pub(crate) fn new(
        scope: &mut Scope<'_>,
        name: &str,
        hidden: i64,
        heads: i64,
        dropout: f64,
    ) -> Self {
        let names = ["query", "key", "value", "output"];
        Self::named(&mut scope.sub(name), names, [hidden, heads], dropout, false)
    }

    /// With biases, under the names that transformers has for Marian.
    pub(crate) fn with_biases(
        scope: &mut Scope<'_>,
        name: &str,
        hidden: i64,
        heads: i64,
        dropout: f64,
    ) -> Self {
        let names = ["q_proj", "k_proj", "v_proj", "out_proj"];
        Self::named(&mut scope.sub(name), names, [hidden, heads], dropout, true)
    }

    fn named(
        scope: &mut Scope<'_>,
        names: [&str; 4],
        [hidden, heads]: [i64; 2],
        dropout: f64,
        biased: bool,
    ) -> Self {
        let [query, key, value, output] =
            names.map(|name| Projection::new(scope, name, hidden, biased));
        Self { query, key, value, output, heads, dropout }
    }

    /// Queries of `x`, keys and values of `seen`, both `[tokens, hidden]`, to `[tokens, hidden]`.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        seen: &Tensor,
        attending: &PackedAttention,
        mode: Mode,
    ) -> Tensor {
        let (q, k, v) = (self.query.forward(x), self.key.forward(seen), self.value.forward(seen));
        let mixed = attending.forward([&q, &k, &v], self.heads, self.dropout, mode);
        self.output.forward(&mixed)
    }

    /// `[rows, hidden]` as `[rows, heads, width]`.
    fn heads(&self, x: &Tensor) -> Tensor {
        let (rows, hidden) = x.size2().expect("a matrix");
        x.view([rows, self.heads, hidden / self.heads])
    }

    /// Keys and values of contexts that were read, `[tokens, hidden]`, for [`read`](Self::read).
    pub(crate) fn keys_and_values(&self, seen: &Tensor, contexts: &Contexts) -> Shared {
        Shared::new(&self.key.forward(seen), &self.value.forward(seen), self.heads, contexts)
    }

    /// Attention of one token of each of several sequences, `[rows, hidden]`, on their contexts.
    pub(crate) fn read(&self, x: &Tensor, memory: &Shared, contexts: &Contexts) -> Tensor {
        let q = self.heads(&self.query.forward(x));
        self.output.forward(&attend(&q, Some((memory, contexts)), None))
    }

    /// Attention of the next token of each of several sequences, `[rows, hidden]`, on those before
    /// and itself.
    pub(crate) fn step(&self, x: &Tensor, before: &mut Growing) -> Tensor {
        let [q, k, v] =
            [&self.query, &self.key, &self.value].map(|layer| self.heads(&layer.forward(x)));
        before.push(&k, &v);
        self.output.forward(&attend(&q, None, Some(before)))
    }
}

/// What follows every layer: dropout, and the sum with what the layer was given.
pub(crate) fn post(x: &Tensor, branch: &Tensor, rate: f64, noise: Noise<'_>) -> Tensor {
    x + noise.drop(branch, rate)
}
