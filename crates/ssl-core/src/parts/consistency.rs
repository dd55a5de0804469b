//! The squared error of two predictions, and the entropy of one.

use torch::{Kind, Tensor};

/// The squared difference of the probabilities of `logits` and `target` (probabilities), both
/// `[batch, classes]`, averaged over classes: `[batch]`, float32.
pub fn squared_error(logits: &Tensor, target: &Tensor) -> Tensor {
    let off = logits.softmax(-1, Kind::Float) - target;
    off.square().mean_dim([-1].as_slice(), false, Kind::Float)
}

/// The entropy of the probabilities of `logits` `[batch, classes]` in nats: `[batch]`, float32. Its
/// gradient reaches the logits.
pub fn entropy(logits: &Tensor) -> Tensor {
    let log = logits.log_softmax(-1, Kind::Float);
    -(log.exp() * log).sum_dim_intlist([-1].as_slice(), false, Kind::Float)
}
