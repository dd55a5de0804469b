//! A class for each token.

use torch::nn::Linear;
use torch::{Mode, Scope, Tensor};

use crate::encoder::fresh;
use crate::{Encoder, EncoderConfig, PackedSequences};

/// An encoder, dropout and a linear layer, as transformers' token classification.
#[derive(Debug)]
pub struct Tagger {
    encoder: Encoder,
    head: Linear,
    dropout: f64,
}

impl Tagger {
    /// Makes the encoder's tensors and `classifier`. Panics if the configuration has
    /// [faults](EncoderConfig::faults) or there is no class.
    pub fn new(scope: &mut Scope<'_>, config: &EncoderConfig, classes: i64) -> Self {
        assert!(classes >= 1, "a tagger of {classes} classes: at least 1 is needed");
        let encoder = Encoder::new(&mut scope.sub(config.family.prefix()), config);
        let head = fresh(scope, "classifier", config.hidden, classes);
        Self { encoder, head, dropout: config.dropout }
    }

    /// Logits `[tokens, classes]`.
    pub fn forward(&self, batch: &PackedSequences, mode: Mode) -> Tensor {
        let x = self.encoder.forward(batch, mode);
        self.head.forward(&batch.drop_tokens(&x, self.dropout, mode))
    }
}
