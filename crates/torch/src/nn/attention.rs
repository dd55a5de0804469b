//! Scaled dot-product attention.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::keyed_dropout_at;
use crate::precision::without_autocast;
use crate::{Mode, NoisyRows, group};

/// Pairs of tokens that are compared, those of all heads and samples together, below which bfloat16
/// is left for float32 on a CPU. libtorch multiplies bfloat16 by code that is made for each shape,
/// in half a millisecond or more, and batches of texts have ever new shapes; float32 has no such
/// code.
const FEW_PAIRS: i64 = 200_000;

/// Fewer queries than these that see more keys than they are, as where one token of a text looks at
/// all of it, are left to libtorch's own attention: there is more to turn into float32, or to lay
/// out anew, than to compute.
const FEW_QUERIES: i64 = 16;

/// softmax(q kᵀ / √width + `mask`) v (Vaswani et al. 2017), with dropout on the softmax at `rate`
/// for the samples (first dimension) that get noise. All three are `[batch, heads, tokens, width]`;
/// `mask` is added to the scores and must expand to `[batch, heads, tokens, tokens]`, with −∞ where
/// nothing is to be seen; each token must see at least one. On a CPU attention over few tokens of
/// bfloat16 is computed in float32; the result is of the kind of `q` all the same.
pub fn attention(qkv: [&Tensor; 3], mask: Option<&Tensor>, rate: f64, mode: Mode) -> Tensor {
    attention_at(&group::own_rows(qkv[0].size()[0] as usize), qkv, mask, rate, mode)
}

/// [`attention`] for some samples of a larger batch, which get the dropout that they have in the
/// whole, as in [`keyed_dropout_at`].
pub(super) fn attention_at(
    samples: &[Range<usize>],
    [q, k, v]: [&Tensor; 3],
    mask: Option<&Tensor>,
    rate: f64,
    mode: Mode,
) -> Tensor {
    let noise = rate > 0.0 && !matches!(mode.noise(), NoisyRows::None | NoisyRows::First(0));
    let learns = noise || q.requires_grad();
    let on_cpu = q.device() == Device::Cpu;
    let (queries, keys) = (q.size()[2], k.size()[2]);
    let half = q.kind() == Kind::BFloat16 && queries >= FEW_QUERIES.min(keys);
    // On a CPU the backward pass of libtorch's own is slower than that of single operations, and so
    // is its forward pass in bfloat16 (docs/results/electra.md).
    if !(noise || on_cpu && (learns || half)) {
        let mask = mask.map(|mask| mask.to_kind(q.kind()));
        return Tensor::scaled_dot_product_attention(q, k, v, mask, 0.0, false, None, false);
    }
    let pairs = q.numel() as i64 / q.size()[3] * keys;
    if on_cpu && half && pairs < FEW_PAIRS {
        let [q, k, v] = [q, k, v].map(|x| x.to_kind(Kind::Float));
        let whole = || in_steps(samples, [&q, &k, &v], mask, learns, rate, mode);
        return without_autocast(Device::Cpu, whole).to_kind(Kind::BFloat16);
    }
    in_steps(samples, [q, k, v], mask, learns, rate, mode)
}

/// Attention by one operation after the other.
fn in_steps(
    samples: &[Range<usize>],
    [q, k, v]: [&Tensor; 3],
    mask: Option<&Tensor>,
    learns: bool,
    rate: f64,
    mode: Mode,
) -> Tensor {
    let width = q.size()[3] as f64;
    let scores = (q / width.sqrt()).matmul(&k.transpose(-2, -1));
    let scores = match mask {
        Some(mask) if learns => scores + mask,
        Some(mask) => &scores + mask.to_kind(scores.kind()),
        None => scores,
    };
    keyed_dropout_at(samples, &scores.softmax(-1, None::<Kind>), rate, mode).matmul(v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grad::grad;
    use crate::no_grad;
    use crate::precision::{Precision, autocast};

    /// In bfloat16 it is the same attention as libtorch's own in float32, for few tokens and for
    /// many.
    #[test]
    fn half_the_numbers_are_the_same_attention() {
        let _alone = crate::rng::exclusive();
        crate::rng::seed(3);
        for (batch, tokens) in [(2, 20), (5, 120), (2, 12)] {
            let draw = || Tensor::randn([batch, 3, tokens, 8], (Kind::Float, Device::Cpu));
            let [q, k, v] = [draw(), draw(), draw()];
            let hidden: Vec<f32> =
                (0..tokens).map(|i| if i < 11 { 0.0 } else { f32::NEG_INFINITY }).collect();
            let mask = Tensor::from_slice(&hidden).view([1, 1, 1, tokens]);
            let run = |kind| {
                let [q, k, v] = [&q, &k, &v].map(|x| x.to_kind(kind));
                no_grad(|| attention([&q, &k, &v], Some(&mask), 0.1, Mode::Eval))
            };
            let (whole, half) = (run(Kind::Float), run(Kind::BFloat16));
            assert_eq!(half.kind(), Kind::BFloat16);
            let off = (&whole - half.to_kind(Kind::Float)).abs().max().double_value(&[]);
            assert!(off > 0.0 && off < 0.03, "{tokens}: {off}");
            // What the mask hides has no influence.
            let other = v.copy();
            let _ = other.narrow(2, 11, tokens - 11).fill_(100.0);
            let moved = no_grad(|| {
                let [q, k, v] = [&q, &k, &other].map(|x| x.to_kind(Kind::BFloat16));
                attention([&q, &k, &v], Some(&mask), 0.1, Mode::Eval)
            });
            assert_eq!(moved, half);
        }
    }

    /// Few tokens are compared in float32 under autocast too, and learn as they do in bfloat16.
    #[test]
    fn few_tokens_of_bfloat16_learn_in_float32() {
        let _alone = crate::rng::exclusive();
        crate::rng::seed(4);
        let draw = || Tensor::randn([2, 3, 20, 8], (Kind::Float, Device::Cpu));
        let all = [draw(), draw(), draw()].map(|x| x.to_kind(Kind::BFloat16));
        let run = |kind| {
            let leaves = all.each_ref().map(|x| x.detach().set_requires_grad(true));
            let [q, k, v] = leaves.each_ref().map(|x| x.to_kind(kind));
            let y = autocast(Precision::Bfloat16, Device::Cpu, || match kind {
                Kind::BFloat16 => attention([&q, &k, &v], None, 0.0, Mode::Train),
                _ => without_autocast(Device::Cpu, || {
                    in_steps(&[], [&q, &k, &v], None, true, 0.0, Mode::Train)
                }),
            });
            let loss = y.to_kind(Kind::Float).square().sum(Kind::Float);
            (y, grad(&loss, &leaves.each_ref()))
        };
        let ((y, slopes), (exact, expected)) = (run(Kind::BFloat16), run(Kind::Float));
        assert_eq!(y, exact.to_kind(Kind::BFloat16), "one rounding, at the end");
        for (slope, expected) in slopes.iter().zip(&expected) {
            let off = (slope - expected).to_kind(Kind::Float).norm().double_value(&[]);
            assert!(off < 0.01 * expected.to_kind(Kind::Float).norm().double_value(&[]), "{off}");
        }
    }
}
