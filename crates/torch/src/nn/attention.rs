//! Scaled dot-product attention.

use tch::{Device, Kind, Tensor};

use super::keyed_dropout;
use crate::{Mode, NoisyRows};

/// Fewer queries than these, as where a reply is written token by token, are left to libtorch's own
/// attention in bfloat16 too.
const FEW: i64 = 16;

/// softmax(q kᵀ / √width + `mask`) v (Vaswani et al. 2017), with dropout on the softmax at `rate`
/// for the samples (first dimension) that get noise. All three are `[batch, heads, tokens, width]`;
/// `mask` is added to the scores and must expand to `[batch, heads, tokens, tokens]`, with −∞ where
/// nothing is to be seen; each token must see at least one.
pub fn attention([q, k, v]: [&Tensor; 3], mask: Option<&Tensor>, rate: f64, mode: Mode) -> Tensor {
    let noise = rate > 0.0 && !matches!(mode.noise(), NoisyRows::None | NoisyRows::First(0));
    let learns = noise || q.requires_grad();
    // On a CPU the backward pass of libtorch's own is slower than that of single operations, and so
    // is its forward pass in bfloat16 (docs/results/electra.md).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::no_grad;

    /// Single operations, as they run in bfloat16, give what libtorch's own attention gives.
    #[test]
    fn half_the_numbers_are_the_same_attention() {
        let _alone = crate::rng::exclusive();
        crate::rng::seed(3);
        let draw = || Tensor::randn([2, 3, FEW + 4, 8], (Kind::Float, Device::Cpu));
        let [q, k, v] = [draw(), draw(), draw()];
        let hidden: Vec<f32> =
            (0..FEW + 4).map(|i| if i < 11 { 0.0 } else { f32::NEG_INFINITY }).collect();
        let mask = Tensor::from_slice(&hidden).view([1, 1, 1, FEW + 4]);
        let run = |kind| {
            let [q, k, v] = [&q, &k, &v].map(|x| x.to_kind(kind));
            no_grad(|| attention([&q, &k, &v], Some(&mask), 0.1, Mode::Eval))
        };
        let (whole, half) = (run(Kind::Float), run(Kind::BFloat16));
        assert_eq!(half.kind(), Kind::BFloat16);
        let off = (&whole - half.to_kind(Kind::Float)).abs().max().double_value(&[]);
        assert!(off > 0.0 && off < 0.03, "{off}");
        // What the mask hides has no influence.
        let other = v.copy();
        let _ = other.narrow(2, 11, FEW - 7).fill_(100.0);
        let moved = no_grad(|| {
            let [q, k, v] = [&q, &k, &other].map(|x| x.to_kind(Kind::BFloat16));
            attention([&q, &k, &v], Some(&mask), 0.1, Mode::Eval)
        });
        assert_eq!(moved, half);
    }
}
