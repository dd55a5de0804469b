//! Scaled dot-product attention.

use tch::{Device, Kind, Tensor};

use super::keyed_dropout;
use crate::{Mode, NoisyRows};

/// Queries below which libtorch's own attention in bfloat16 is the faster one on a CPU.
const FEW: i64 = 16;

/// softmax(q kᵀ / √width + `mask`) v (Vaswani et al. 2017), with dropout on the softmax at `rate`
/// for the samples (first dimension) that get noise. All three are `[batch, heads, tokens, width]`;
/// `mask` is added to the scores and must expand to `[batch, heads, tokens, tokens]`, with −∞ where
/// nothing is to be seen; each token must see at least one.
pub fn attention([q, k, v]: [&Tensor; 3], mask: Option<&Tensor>, rate: f64, mode: Mode) -> Tensor {
    let noise = rate > 0.0 && !matches!(mode.noise(), NoisyRows::None | NoisyRows::First(0));
    let learns = noise || q.requires_grad();
    // On a CPU the backward pass of libtorch's own is slower than that of single operations, and so
    // is its forward pass in bfloat16, but for a few queries.
    let half = q.kind() == Kind::BFloat16 && q.size()[2] >= FEW;
    let step_by_step = noise || (q.device() == Device::Cpu && (learns || half));
    if !step_by_step {
        let mask = mask.map(|mask| mask.to_kind(q.kind()));
        return Tensor::scaled_dot_product_attention(q, k, v, mask, 0.0, false, None, false);
    }
    let width = q.size()[3] as f64;
    let scores = (q / width.sqrt()).matmul(&k.transpose(-2, -1));
    let scores = match mask {
        Some(mask) if learns => scores + mask,
        Some(mask) => &scores + mask.to_kind(scores.kind()),
        None => scores,
    };
    keyed_dropout(&scores.softmax(-1, None::<Kind>), rate, mode).matmul(v)
}
