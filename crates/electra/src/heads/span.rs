//! Where an answer begins and ends, each for itself.

use torch::nn::Linear;
use torch::{Mode, Scope, Tensor};

use crate::encoder::fresh;
use crate::{Encoder, EncoderConfig, PackedSequences};

/// An encoder and a linear layer, as transformers' question answering. ELECTRA's own is
/// [`AnswerHead`](super::AnswerHead).
#[derive(Debug)]
pub struct SpanHead {
    encoder: Encoder,
    head: Linear,
}

impl SpanHead {
    /// Makes the encoder's tensors and `qa_outputs`.
    pub fn new(scope: &mut Scope<'_>, config: &EncoderConfig) -> Self {
        let encoder = Encoder::new(&mut scope.sub(config.family.prefix()), config);
        Self { encoder, head: fresh(scope, "qa_outputs", config.hidden, 2) }
    }

    /// The logits `[tokens]` of being the first token of the answer, and of being its last.
    pub fn forward(&self, batch: &PackedSequences, mode: Mode) -> [Tensor; 2] {
        let both = self.head.forward(&self.encoder.forward(batch, mode));
        [0, 1].map(|i| both.select(1, i))
    }
}
