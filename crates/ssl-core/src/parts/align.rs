//! Distribution alignment (ReMixMatch, arXiv 1911.09785, section 3.1): guesses are corrected until classes come as often as
//! they should.

use torch::{Device, Kind, Tensor, no_grad};

/// `probabilities` `[batch, classes]` times `wanted / seen` (both `[classes]`), each row brought back to sum 1.
pub fn align(probabilities: &Tensor, wanted: &Tensor, seen: &Tensor) -> Tensor {
    let raised = probabilities * (wanted / seen.clamp_min(1e-6));
    &raised / raised.sum_dim_intlist([-1].as_slice(), true, Kind::Float)
}

/// How often classes come, as a moving average over batches that starts uniform: m ← d·m + (1 − d)·(mean of a batch).
pub struct Marginal {
    average: Tensor,
    decay: f64,
}

impl Marginal {
    /// Uniform over so many classes.
    pub fn new(classes: i64, decay: f64, device: Device) -> Self {
        let average = Tensor::full([classes], 1.0 / classes as f64, (Kind::Float, device));
        Self { average, decay }
    }

    /// Takes a batch of distributions `[batch, classes]` into account, without a gradient.
    pub fn see(&mut self, probabilities: &Tensor) {
        let batch = probabilities.detach().mean_dim([0].as_slice(), false, Kind::Float);
        no_grad(|| {
            let moved = &self.average * self.decay + batch * (1.0 - self.decay);
            self.average.copy_(&moved);
        });
    }

    /// The average, `[classes]`; always the same tensor, so that a checkpoint can restore it in place.
    pub fn tensor(&self) -> &Tensor {
        &self.average
    }
}
