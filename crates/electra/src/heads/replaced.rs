//! The discriminator's head: was this token replaced?

use torch::nn::Linear;
use torch::{Scope, Tensor};

use crate::EncoderConfig;
use crate::encoder::{fresh, linear};

/// Linear, GELU, linear to one number. Above 0 it says that the token was replaced.
#[derive(Debug)]
pub struct ReplacedHead {
    dense: Linear,
    prediction: Linear,
}

impl ReplacedHead {
    /// Makes `discriminator_predictions.dense` and `discriminator_predictions.dense_prediction`
    /// at the root of names.
    pub fn new(scope: &mut Scope<'_>, config: &EncoderConfig) -> Self {
        let mut scope = scope.sub("discriminator_predictions");
        let dense = linear(&mut scope, "dense", [config.hidden; 2], config);
        Self { dense, prediction: fresh(&mut scope, "dense_prediction", config.hidden, 1) }
    }

    /// `[tokens, hidden]` to logits `[tokens]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.prediction.forward(&self.dense.forward(x).gelu("none")).squeeze_dim(1)
    }
}
