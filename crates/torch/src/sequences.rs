//! Sequences of different lengths that lie one after another in a matrix, a row for each token.

use tch::Tensor;

use crate::ffi;

/// Where sequences lie.
///
/// ```
/// use torch::{Device, Kind, Tensor, sequences::Sequences};
///
/// // Two sequences, of 2 and 3 rows of one channel, and the sum of a row and the one before it.
/// let sequences = Sequences::new(&[2, 3]);
/// let x = Tensor::from_slice(&[1f32, 2.0, 10.0, 20.0, 30.0]).view([5, 1]);
/// let both = Tensor::ones([2, 1], (Kind::Float, Device::Cpu));
/// let sums = sequences.depthwise(&x, &both, 1).expect("loops for a CPU");
/// assert_eq!(sums, Tensor::from_slice(&[1f32, 3.0, 10.0, 30.0, 50.0]).view([5, 1]));
/// ```
#[derive(Debug)]
pub struct Sequences {
    /// Where each begins, and where the last one ends: int64 on the CPU.
    starts: Tensor,
}

impl Sequences {
    /// The places of sequences with these lengths in rows, one after another.
    pub fn new(lengths: &[usize]) -> Self {
        let mut starts = vec![0_i64];
        starts.extend(lengths.iter().scan(0, |end, &length| {
            *end += length as i64;
            Some(*end)
        }));
        Self { starts: Tensor::from_slice(&starts) }
    }

    /// A depthwise convolution along each sequence, with zeros beyond its ends: at row t channel c
    /// of the result is Σₖ `weight[k, c]` · `x[t − back + k, c]`. `x` is `[rows, channels]`,
    /// `weight` `[taps, channels]`. Computed in float32 for bfloat16 too; has first derivatives
    /// only. None where there are no loops of ours: on other devices than a CPU, for other kinds,
    /// and for more than 32 taps.
    ///
    /// # Panics
    /// If `x` has other rows than the sequences, `weight` other channels or another device, or
    /// `back` is none of its taps; in the backward pass, if the gradient is to have a graph.
    pub fn depthwise(&self, x: &Tensor, weight: &Tensor, back: i64) -> Option<Tensor> {
        ffi::tokens::sequences(x, weight, &self.starts, back)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::grad::grad;
    use crate::rng;

    /// One sequence after another by libtorch's convolution.
    fn one_by_one(lengths: &[usize], x: &Tensor, weight: &Tensor, back: i64) -> Tensor {
        let (taps, channels) = weight.size2().expect("a matrix");
        let mut start = 0;
        let parts = lengths.iter().filter(|&&length| length > 0).map(|&length| {
            let own = x.narrow(0, start, length as i64).transpose(0, 1).unsqueeze(0);
            start += length as i64;
            let padded = own.constant_pad_nd([back, taps - 1 - back]);
            let kernel = weight.transpose(0, 1).unsqueeze(1);
            let none = None::<&Tensor>;
            padded.conv1d(&kernel, none, [1], [0], [1], channels).squeeze_dim(0).transpose(0, 1)
        });
        Tensor::cat(&parts.collect::<Vec<_>>(), 0)
    }

    fn apart(a: &Tensor, b: &Tensor) -> f64 {
        let kind = Kind::Double;
        let largest = b.to_kind(kind).abs().max().double_value(&[]);
        (a.to_kind(kind) - b.to_kind(kind)).abs().max().double_value(&[]) / largest
    }

    #[test]
    fn each_sequence_is_convolved_by_itself() {
        let _alone = rng::exclusive();
        rng::seed(3);
        let lengths = [1, 40, 0, 2, 7, 300];
        let rows: usize = lengths.iter().sum();
        let sequences = Sequences::new(&lengths);
        for (channels, taps, back) in [(48, 11, 10), (64, 9, 4), (37, 7, 6), (5, 3, 1), (16, 1, 0)]
        {
            let options = (Kind::Float, Device::Cpu);
            let x = Tensor::randn([rows as i64, channels], options).set_requires_grad(true);
            let weight = Tensor::randn([taps, channels], options).set_requires_grad(true);
            let slope = Tensor::randn([rows as i64, channels], options);
            let all = |y: Tensor, x: &Tensor, weight: &Tensor| {
                let mut found = grad(&(&y * &slope).sum(Kind::Float), &[x, weight]);
                found.push(y.detach());
                found
            };
            let found = sequences.depthwise(&x, &weight, back).expect("loops");
            let found = all(found, &x, &weight);
            let wanted = all(one_by_one(&lengths, &x, &weight, back), &x, &weight);
            for (found, wanted) in found.iter().zip(&wanted) {
                assert!(apart(found, wanted) < 2e-6, "{}", apart(found, wanted));
            }
            let [half_x, half_weight] =
                [&x, &weight].map(|t| t.detach().to_kind(Kind::BFloat16).set_requires_grad(true));
            let half = sequences.depthwise(&half_x, &half_weight, back).expect("loops");
            assert_eq!(half.kind(), Kind::BFloat16);
            let kind = Kind::BFloat16;
            let mut halves =
                grad(&(&half * slope.to_kind(kind)).sum(kind), &[&half_x, &half_weight]);
            halves.push(half.detach());
            for (found, wanted) in halves.iter().zip(&wanted) {
                assert_eq!(found.kind(), kind);
                assert!(apart(found, wanted) < 0.02, "{}", apart(found, wanted));
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let _alone = rng::exclusive();
        rng::seed(4);
        let lengths = [123, 456, 78];
        let sequences = Sequences::new(&lengths);
        let x = Tensor::randn([657, 96], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let weight = Tensor::randn([11, 96], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let with = |threads| {
            tch::set_num_threads(threads);
            let y = sequences.depthwise(&x, &weight, 10).expect("loops");
            let mut found = grad(&y.square().sum(Kind::Float), &[&x, &weight]);
            found.push(y.detach());
            found
        };
        let before = tch::get_num_threads();
        let (one, three) = (with(1), with(3));
        tch::set_num_threads(before);
        assert_eq!(one[1], three[1]);
        assert_eq!(one[2], three[2]);
        // The sum before it is libtorch's own.
        assert!(apart(&one[0], &three[0]) < 1e-6);
    }

    #[test]
    fn what_has_no_loops_is_left_to_others() {
        let sequences = Sequences::new(&[4]);
        let of = |kind, taps| {
            let x = Tensor::ones([4, 2], (kind, Device::Cpu));
            sequences.depthwise(&x, &Tensor::ones([taps, 2], (kind, Device::Cpu)), 0)
        };
        assert!(of(Kind::Float, 32).is_some());
        assert!(of(Kind::Float, 33).is_none() && of(Kind::Double, 3).is_none());
    }

    #[test]
    fn nothing_to_convolve_gives_nothing() {
        let options = (Kind::Float, Device::Cpu);
        for (rows, channels) in [(0, 3), (4, 0)] {
            let x = Tensor::ones([rows, channels], options).set_requires_grad(true);
            let weight = Tensor::ones([2, channels], options).set_requires_grad(true);
            let y = Sequences::new(&[rows as usize]).depthwise(&x, &weight, 1).expect("loops");
            assert_eq!(y.size(), [rows, channels]);
            let found = grad(&y.sum(Kind::Float), &[&x, &weight]);
            assert_eq!((found[0].size(), found[1].size()), (x.size(), weight.size()));
            assert_eq!(found[1].abs().sum(Kind::Float).double_value(&[]), 0.0);
        }
    }

    #[test]
    #[should_panic(expected = "first derivatives only")]
    fn a_gradient_has_no_graph() {
        let x = Tensor::ones([4, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let y = Sequences::new(&[4]).depthwise(&x, &x.narrow(0, 0, 3), 0).expect("loops");
        let _ = Tensor::run_backward(&[y.square().sum(Kind::Float)], &[&x], true, true);
    }

    #[test]
    #[should_panic(expected = "sequences of 4 rows were expected")]
    fn the_rows_are_those_of_the_sequences() {
        let x = Tensor::ones([5, 2], (Kind::Float, Device::Cpu));
        let _ = Sequences::new(&[4]).depthwise(&x, &x.narrow(0, 0, 3), 0);
    }
}
