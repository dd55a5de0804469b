//! Sharpening, hard labels and one-hot vectors.

use torch::{Kind, Tensor};

/// Sharpens probabilities `[batch, classes]` to p^(1/T) / Σ p^(1/T) (MixMatch, arXiv 1905.02249,
/// equation 7), float32. T = 1 changes nothing, T towards 0 gives probability 1 to the most
/// probable class (equal ones share it), T above 1 flattens; a probability of 0 stays 0. Rows need
/// not sum to 1, but must not be all 0.
pub fn sharpen(probabilities: &Tensor, temperature: f64) -> Tensor {
    if temperature == 1.0 {
        return probabilities.shallow_clone();
    }
    // Logarithms keep powers from underflowing; with the largest moved to 0, dividing by T cannot
    // overflow.
    let log = (probabilities / probabilities.amax([-1].as_slice(), true)).log();
    (log / temperature).softmax(-1, Kind::Float)
}

/// The most probable class of each row of `[batch, classes]`, int64 `[batch]`; on the CPU the first
/// of equal ones.
pub fn hard_labels(probabilities: &Tensor) -> Tensor {
    probabilities.argmax(-1, false)
}

/// Probability 1 for each class of `classes` (int64 `[batch]`), 0 for the others: float32 `[batch,
/// count]`.
pub fn one_hot(classes: &Tensor, count: i64) -> Tensor {
    classes.one_hot(count).to_kind(Kind::Float)
}
