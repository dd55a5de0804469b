//! BERT's vector of a text.

use torch::nn::Linear;
use torch::{Scope, Tensor};

use crate::encoder::linear;
use crate::{EncoderConfig, PackedSequences};

/// A linear layer and tanh on a text's first token.
#[derive(Debug)]
pub struct Pooler {
    dense: Linear,
}

impl Pooler {
    /// Makes `pooler.dense` below the family's prefix.
    pub fn new(scope: &mut Scope<'_>, config: &EncoderConfig) -> Self {
        let mut scope = scope.sub(config.family.prefix());
        Self { dense: linear(&mut scope.sub("pooler"), "dense", [config.hidden; 2], config) }
    }

    /// `[tokens, hidden]` to `[sequences, hidden]`.
    pub fn forward(&self, x: &Tensor, batch: &PackedSequences) -> Tensor {
        self.of_first(&x.index_select(0, batch.starts()))
    }

    /// The pooled vectors of first tokens, `[sequences, hidden]`.
    pub fn of_first(&self, x: &Tensor) -> Tensor {
        self.dense.forward(x).tanh()
    }
}
