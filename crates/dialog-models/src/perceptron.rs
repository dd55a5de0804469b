//! The perceptron that every block ends with.

use torch::nn::{LayerNorm, Linear};
use torch::{Scope, Tensor};

use crate::layers::{linear, norm, post};
use crate::noise::Noise;

/// What is between its two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    /// ReLU.
    Relu,
    /// Swish, and after the dropout a layer norm: the Evolved Transformer's decoder.
    SwishThenNorm,
}

/// Norm, a layer to four times the width, an activation, and a layer back; added to what it was
/// given.
#[derive(Debug)]
pub(crate) struct FeedForward {
    norm: LayerNorm,
    inner: Linear,
    inner_norm: Option<LayerNorm>,
    outer: Linear,
    dropout: f64,
}

impl FeedForward {
    pub(crate) fn new(
        scope: &mut Scope<'_>,
        hidden: i64,
        dropout: f64,
        activation: Activation,
    ) -> Self {
        let mut scope = scope.sub("feed_forward");
        let normed = activation == Activation::SwishThenNorm;
        Self {
            norm: norm(&mut scope, "norm", hidden),
            inner: linear(&mut scope, "inner", hidden, 4 * hidden),
            inner_norm: normed.then(|| norm(&mut scope, "inner_norm", 4 * hidden)),
            outer: linear(&mut scope, "outer", 4 * hidden, hidden),
            dropout,
        }
    }

    pub(crate) fn forward(&self, x: &Tensor, noise: Noise<'_>) -> Tensor {
        let inner = self.inner.forward(&self.norm.forward(x));
        let drop = |x: &Tensor| noise.drop(x, self.dropout);
        let inner = match &self.inner_norm {
            Some(norm) => norm.forward(&drop(&inner.silu())),
            None => drop(&inner.relu()),
        };
        post(x, &self.outer.forward(&inner), self.dropout, noise)
    }
}
