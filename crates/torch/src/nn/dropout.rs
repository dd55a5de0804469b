//! Dropout, on the samples that get noise.

use std::ops::Range;

use tch::Tensor;

use crate::{Mode, NoisyRows, ffi, group, rng};

/// Dropout with probability `rate`, on the samples (rows of `x`) that get noise in this mode.
pub fn dropout(x: &Tensor, rate: f64, mode: Mode) -> Tensor {
    on_noisy_rows(x, rate, mode, |x| match group::current() {
        None => x.dropout(rate, true),
        Some(_) => x * shared_noise(x, rate),
    })
}

/// Dropout with probability `rate`, on the samples (rows of `x`) that get noise in this mode, whose
/// mask follows from one number that is drawn and from each element's place. On a CPU, in float32
/// and bfloat16, it takes a fraction of the time of [`dropout`], and no mask is kept. Within a
/// group the rows are taken to be an equal share of a batch's, or of each of several that were [put
/// together](crate::group::joint).
pub fn keyed_dropout(x: &Tensor, rate: f64, mode: Mode) -> Tensor {
    keyed_dropout_at(&group::own_rows(x.size()[0] as usize), x, rate, mode)
}

/// [`keyed_dropout`] for some rows of a larger tensor, those in `rows`, in this order: what is
/// dropped of them is what is dropped in the whole. Rows of `x` beyond these follow the last of
/// them. Several processes that each have a part of a batch, and draw as often, drop what a single
/// one does: on a CPU, in float32 and bfloat16. Panics if `x` has rows and `rows` is empty.
///
/// ```
/// use torch::nn::keyed_dropout_at;
/// use torch::{Device, Kind, Mode, Tensor};
///
/// let _alone = torch::rng::exclusive();
/// let x = Tensor::ones([6, 40], (Kind::Float, Device::Cpu));
/// let drop = |rows: &[std::ops::Range<usize>], x: &Tensor| {
///     torch::rng::seed(1);
///     keyed_dropout_at(rows, x, 0.5, Mode::Train)
/// };
/// let whole = drop(&[0..1, 1..6], &x);
/// let part = drop(&[1..2, 4..6], &x.narrow(0, 0, 3));
/// assert_eq!(part, Tensor::cat(&[whole.narrow(0, 1, 1), whole.narrow(0, 4, 2)], 0));
/// ```
pub fn keyed_dropout_at(rows: &[Range<usize>], x: &Tensor, rate: f64, mode: Mode) -> Tensor {
    on_noisy_rows(x, rate, mode, |x| ffi::tokens::dropout(x, rate, &places(rows, x)))
}

/// The place in the whole of the first element of each range of rows, and how many elements of `x`
/// are in the range.
fn places(rows: &[Range<usize>], x: &Tensor) -> Vec<[i64; 2]> {
    let width = x.size()[1..].iter().product::<i64>();
    let (mut left, mut places) = (x.size()[0], Vec::with_capacity(rows.len()));
    for (i, range) in rows.iter().enumerate() {
        let count = if i + 1 == rows.len() { left } else { left.min(range.len() as i64) };
        places.push([range.start as i64 * width, count * width]);
        left -= count;
    }
    assert_eq!(left, 0, "rows without a place in the whole");
    places
}

fn on_noisy_rows(
    x: &Tensor,
    rate: f64,
    mode: Mode,
    drop: impl FnOnce(&Tensor) -> Tensor,
) -> Tensor {
    let drop = |x: &Tensor| {
        let _alone = rng::exclusive();
        drop(x)
    };
    match mode.noise() {
        _ if rate <= 0.0 => x.shallow_clone(),
        NoisyRows::None | NoisyRows::First(0) => x.shallow_clone(),
        NoisyRows::First(rows) if rows < x.size()[0] => {
            let (noisy, clean) = (x.narrow(0, 0, rows), x.narrow(0, rows, x.size()[0] - rows));
            Tensor::cat(&[drop(&noisy), clean], 0)
        }
        NoisyRows::First(_) | NoisyRows::All => drop(x),
    }
}

/// What libtorch's dropout of all processes' samples multiplies this one's by.
fn shared_noise(x: &Tensor, rate: f64) -> Tensor {
    // libtorch draws in the order of memory, which for images may have the channels last.
    let (sizes, strides) = (x.size(), x.stride());
    let mut axes: Vec<i64> = (0..x.dim() as i64).collect();
    axes[1..].sort_by_key(|&axis| std::cmp::Reverse(strides[axis as usize]));
    let shape: Vec<i64> = axes.iter().map(|&axis| sizes[axis as usize]).collect();
    let options = (x.kind(), x.device());
    let noise = group::draw_for_batch(&shape, |all| {
        Tensor::empty(all, options).bernoulli_float_(1.0 - rate)
    });
    let back: Vec<i64> = (0..axes.len() as i64)
        .map(|a| axes.iter().position(|&b| b == a).expect("it") as i64)
        .collect();
    noise.permute(back) / (1.0 - rate)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::grad::{grad, grad_with_graph};
    use crate::rng;

    fn ones(rows: i64) -> Tensor {
        Tensor::ones([rows, 10], (Kind::Float, Device::Cpu))
    }

    fn list(t: &Tensor) -> Vec<f64> {
        Vec::try_from(t.to_kind(Kind::Double).reshape([-1])).expect("a vector")
    }

    #[test]
    fn rows_without_noise_are_left_alone() {
        for drop in [dropout, keyed_dropout] {
            let x = ones(1000);
            let y = drop(&x, 0.5, Mode::TrainNoisyRows(600));
            assert_eq!(y.narrow(0, 600, 400), x.narrow(0, 600, 400));
            let noisy = list(&y.narrow(0, 0, 600));
            assert!(noisy.iter().all(|v| *v == 0.0 || *v == 2.0));
            let dropped = noisy.iter().filter(|v| **v == 0.0).count() as f64 / 6000.0;
            assert!((dropped - 0.5).abs() < 0.04, "{dropped}");
            assert_eq!(drop(&x, 0.5, Mode::Eval), x);
            assert_ne!(drop(&x, 0.5, Mode::EvalWithNoise), x);
        }
    }

    #[test]
    fn masks_of_keys_are_independent_and_have_no_pattern() {
        let _alone = rng::exclusive();
        rng::seed(6);
        let (n, rate) = (1 << 20, 0.1);
        let x = Tensor::ones([n], (Kind::Float, Device::Cpu));
        let mask = || keyed_dropout(&x, rate, Mode::Train).eq(0.0).to_kind(Kind::Double);
        let (a, b) = (mask(), mask());
        let mean = |t: &Tensor| t.mean(Kind::Double).double_value(&[]);
        let deviation = (rate * (1.0 - rate) / n as f64).sqrt();
        assert!((mean(&a) - rate).abs() < 5.0 * deviation, "{}", mean(&a));
        // Numbers dropped in both, and numbers dropped together with one at some distance.
        let both = rate * rate;
        let deviation = (both * (1.0 - both) / n as f64).sqrt();
        let mut pairs = vec![mean(&(&a * &b))];
        for distance in [1, 2, 3, 4, 8, 16, 64, 128, 256, 512, 768, 1024, 65_536] {
            let left = n - distance;
            pairs.push(mean(&(a.narrow(0, 0, left) * a.narrow(0, distance, left))));
        }
        for found in pairs {
            assert!((found - both).abs() < 5.0 * deviation, "{found}, not {both}");
        }
    }

    #[test]
    fn parts_drop_what_the_whole_does() {
        let _alone = rng::exclusive();
        let x = Tensor::ones([7, 3, 5], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let dropped = |rows: &[Range<usize>], x: &Tensor| {
            rng::seed(9);
            keyed_dropout_at(rows, x, 0.4, Mode::Train)
        };
        rng::seed(9);
        let whole = keyed_dropout(&x, 0.4, Mode::Train);
        let of = |rows: &[Range<usize>], t: &Tensor| {
            let rows = rows.iter().cloned().flatten().map(|row| row as i64);
            t.index_select(0, &Tensor::from_slice(&rows.collect::<Vec<_>>()))
        };
        for rows in [&[0..1, 1..4][..], &[4..4, 4..7], &[1..3, 4..5, 6..7], &[3..3, 7..7]] {
            let part = dropped(rows, &of(rows, &x));
            assert_eq!(part, of(rows, &whole), "{rows:?}");
            let slope = grad(&part.sum(Kind::Float), &[&x]).swap_remove(0);
            assert_eq!(of(rows, &slope), part, "{rows:?}");
        }
        // Rows behind the last range follow it.
        assert_eq!(dropped(&[0..2, 4..4], &of(&[0..2, 4..6], &x)), of(&[0..2, 4..6], &whole));
        // With noise for the first rows alone.
        rng::seed(9);
        let first = keyed_dropout_at(&[1..2, 4..7], &of(&[1..2, 4..7], &x), 0.4, FIRST);
        assert_eq!(first.narrow(0, 0, 2), of(&[1..2, 4..5], &whole));
        assert_eq!(first.narrow(0, 2, 2), x.narrow(0, 0, 2));
    }

    const FIRST: Mode = Mode::TrainNoisyRows(2);

    #[test]
    fn gradients_pass_where_numbers_did() {
        let _alone = rng::exclusive();
        for kind in [Kind::Float, Kind::BFloat16] {
            rng::seed(8);
            let x = Tensor::ones([1000, 70], (kind, Device::Cpu)).set_requires_grad(true);
            let y = keyed_dropout(&x, 0.3, Mode::Train);
            let slope = grad(&y.sum(Kind::Float), &[&x]).swap_remove(0);
            assert_eq!(slope, y, "{kind:?}");
            // The generator alone decides, not the number of threads or calls before.
            rng::seed(8);
            assert_eq!(keyed_dropout(&x, 0.3, Mode::Train), y);
            assert_ne!(keyed_dropout(&x, 0.3, Mode::Train), y);
        }
        let x = Tensor::arange(8, (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let y = keyed_dropout(&x, 0.5, Mode::Train);
        let kept = y.detach().ne(0.0).to_kind(Kind::Float);
        let slope = grad_with_graph(&y.square().sum(Kind::Float), &[&x]).swap_remove(0);
        let curvature = grad(&slope.sum(Kind::Float), &[&x]).swap_remove(0);
        assert_eq!(curvature * x.detach().ne(0.0), kept * 8.0);
    }
}
