//! Making a guess more decided.

use torch::{Kind, Tensor};

/// Sharpens probabilities `[batch, classes]` to p^(1/T) / Σ p^(1/T) (MixMatch, equation 7). T = 1 changes nothing, T towards 0
/// gives the most probable class.
pub fn sharpen(probabilities: &Tensor, temperature: f64) -> Tensor {
    if temperature == 1.0 {
        return probabilities.shallow_clone();
    }
    // In the log domain, so that no power underflows.
    let log = probabilities.clamp_min(f64::from(f32::MIN_POSITIVE)).log();
    (log / temperature).softmax(-1, Kind::Float)
}

/// The most probable class of each row of `[batch, classes]`, int64 `[batch]`; the first of equals.
pub fn hard(probabilities: &Tensor) -> Tensor {
    probabilities.argmax(-1, false)
}
