//! The mask of confident samples, and the mean under it.

use torch::{Kind, Tensor, group};

use crate::parts::{hard_labels, one_hot};

/// 1 for each row of `probabilities` `[batch, classes]` whose largest is at least its threshold,
/// else 0: float32 `[batch]`. `threshold` is one number or one a row.
pub fn confident(probabilities: &Tensor, threshold: impl Into<Tensor>) -> Tensor {
    let threshold = threshold.into();
    // One number is compared as it is: to copy it would wait for the device.
    let threshold = match threshold.dim() {
        0 => threshold,
        _ => threshold.to_device(probabilities.device()),
    };
    let largest = probabilities.amax([-1].as_slice(), false);
    largest.ge_tensor(&threshold.to_kind(largest.kind())).to_kind(Kind::Float)
}

/// The sum of `mask · values` (both `[batch]`) divided by the whole batch, not by the samples that
/// the mask keeps (FixMatch, arXiv 2001.07685, equation 4: 1/μB).
pub fn masked_mean(values: &Tensor, mask: &Tensor) -> Tensor {
    (values * mask).mean(Kind::Float)
}

/// For each class the mean of `mask` `[batch]` over the samples whose largest probability
/// (`probabilities` is `[batch, classes]`) is that of the class: `[classes]`, 0 for a class without
/// samples.
pub fn mask_by_class(probabilities: &Tensor, mask: &Tensor) -> Tensor {
    let taken = one_hot(&hard_labels(probabilities), probabilities.size()[1]);
    let kept = (&taken * mask.unsqueeze(-1)).sum_dim_intlist([0].as_slice(), false, Kind::Float);
    let taken = taken.sum_dim_intlist([0].as_slice(), false, Kind::Float);
    kept / group::mean(&taken).clamp_min(group::min_per_process(1.0))
}
