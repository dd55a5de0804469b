//! Losses, one value for each sample: masks and means are up to the method.

use tch::{Kind, Reduction, Tensor};

/// Cross entropy −Σ p log q with soft targets. `logits` and `targets` (probabilities, no gradient)
/// are `[batch, classes]`; the result is `[batch]`, in nats, float32.
pub fn soft_cross_entropy(logits: &Tensor, targets: &Tensor) -> Tensor {
    assert_eq!(logits.size(), targets.size(), "logits and targets");
    -(logits.log_softmax(-1, Kind::Float) * targets).sum_dim_intlist(-1, false, Kind::Float)
}

/// Cross entropy with class numbers. `logits` is `[batch, classes]`, `labels` int64 `[batch]`; the
/// result is `[batch]`, in nats, float32. Panics if there are more or fewer labels than rows.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    let rows = logits.size();
    assert_eq!(
        rows.split_last().map(|(_, rows)| rows),
        Some(&labels.size()[..]),
        "logits and labels"
    );
    -logits.log_softmax(-1, Kind::Float).gather(-1, &labels.unsqueeze(-1), false).squeeze_dim(-1)
}

/// Soft targets with label smoothing: 1 − ε + ε/K for the class, ε/K for the others, of K classes
/// (Szegedy et al. 2016). `labels` is int64 `[batch]`; the result is float32 `[batch, classes]`.
pub fn smoothed_targets(labels: &Tensor, classes: i64, epsilon: f64) -> Tensor {
    labels.one_hot(classes).to_kind(Kind::Float) * (1.0 - epsilon) + epsilon / classes as f64
}

/// Cross entropy of a yes or no, −y ln σ(x) − (1 − y) ln(1 − σ(x)). `logits` and `labels` (0 to 1,
/// no gradient) are of one shape, which the result has too, in nats, float32.
pub fn binary_cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    assert_eq!(logits.size(), labels.size(), "logits and labels");
    let (logits, labels) = (logits.to_kind(Kind::Float), labels.to_kind(Kind::Float));
    let none = None::<&Tensor>;
    logits.binary_cross_entropy_with_logits(&labels, none, none, Reduction::None)
}

/// Kullback-Leibler divergence KL(p ‖ softmax(logits)). `p` (probabilities, no gradient) and
/// `logits` are `[batch, classes]`; the result is `[batch]`, in nats, never below 0 but for
/// rounding.
pub fn kl_divergence(p: &Tensor, logits: &Tensor) -> Tensor {
    let entropy = -(p * p.clamp_min(f64::from(f32::MIN_POSITIVE)).log()).sum_dim_intlist(
        -1,
        false,
        Kind::Float,
    );
    soft_cross_entropy(logits, p) - entropy
}
