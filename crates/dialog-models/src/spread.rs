//! Where the tokens of a batch lie while convolutions look at them.
//!
//! Everything else works on real tokens only, one sequence after another. Depthwise
//! convolutions have loops that know where a sequence ends. For the others, and where these loops
//! are not, all sequences lie in one long row with as many rows of zeros between two of them as the
//! convolution's reach: these are the zeros that it sees beyond the ends of a sequence.

use torch::rows::Rows;
use torch::sequences::Sequences;
use torch::{Device, Tensor};

/// Sequences in one row with zeros between them, for convolutions.
#[derive(Debug)]
pub(crate) struct Spread {
    /// From tokens to the row with zeros.
    inside: Rows,
    /// From tokens to what a convolution makes of the row.
    outside: Rows,
    /// Rows that a convolution makes.
    count: i64,
    /// Rows of zeros before a sequence.
    gap: i64,
    /// How far behind a token a convolution looks.
    ahead: i64,
    sequences: Sequences,
}

impl Spread {
    /// For convolutions that look back by up to `gap` tokens.
    pub(crate) fn causal(lengths: &[usize], gap: usize, device: Device) -> Self {
        Self::new(lengths, gap, 0, device)
    }

    /// For convolutions that look `reach` tokens both ways.
    pub(crate) fn same(lengths: &[usize], reach: usize, device: Device) -> Self {
        Self::new(lengths, reach, reach, device)
    }

    fn new(lengths: &[usize], gap: usize, ahead: usize, device: Device) -> Self {
        let mut inside = Vec::new();
        let mut token = 0;
        for &n in lengths {
            inside.extend(std::iter::repeat_n(None, gap));
            inside.extend((token..token + n).map(Some));
            token += n;
        }
        inside.extend(std::iter::repeat_n(None, ahead));
        let outside = &inside[gap..inside.len() - ahead];
        let (count, rows) = (outside.len() as i64, Rows::new(outside, token, device));
        let inside = Rows::new(&inside, token, device);
        let sequences = Sequences::new(lengths);
        Self { inside, outside: rows, count, gap: gap as i64, ahead: ahead as i64, sequences }
    }

    /// How many rows before a token the first of so many taps is.
    fn reach(&self, taps: i64) -> i64 {
        let reach = if self.ahead == 0 { taps - 1 } else { taps / 2 };
        assert!(reach <= self.gap, "{taps} taps where {} rows of zeros are", self.gap);
        reach
    }

    /// The convolution of `x` `[tokens, inputs]` with a kernel `[taps, inputs, outputs]`: `[tokens,
    /// outputs]`. A single matrix product: oneDNN makes code for every new number of tokens.
    pub(crate) fn conv(&self, x: &Tensor, kernel: &Tensor) -> Tensor {
        let [taps, inputs, outputs] = kernel.size()[..] else { panic!("a kernel of three axes") };
        let (row, first) = (self.inside.forward(x), self.gap - self.reach(taps));
        let seen = |tap| row.narrow(0, first + tap, self.count);
        let seen = Tensor::cat(&(0..taps).map(seen).collect::<Vec<_>>(), 1);
        self.outside.back(&seen.matmul(&kernel.reshape([taps * inputs, outputs])))
    }

    /// The convolution of each channel of `x` `[tokens, channels]` by itself, with a kernel `[taps,
    /// channels, 1]`.
    pub(crate) fn depthwise(&self, x: &Tensor, kernel: &Tensor) -> Tensor {
        let [taps, channels, _] = kernel.size()[..] else { panic!("a kernel of three axes") };
        let reach = self.reach(taps);
        if let Some(made) = self.sequences.depthwise(x, &kernel.squeeze_dim(2), reach) {
            return made;
        }
        let rows = self.count + taps - 1;
        let seen = self.inside.forward(x).narrow(0, self.gap - reach, rows);
        // An image with its channels last, one place wide.
        let image = seen.reshape([1, rows, 1, channels]).permute([0, 3, 1, 2]);
        let (kernel, none) = (kernel.permute([1, 2, 0]).unsqueeze(3), None::<&Tensor>);
        let made = image.conv2d(&kernel, none, [1, 1], [0, 0], [1, 1], channels);
        self.outside.back(&made.permute([0, 2, 3, 1]).reshape([self.count, channels]))
    }
}

#[cfg(test)]
mod tests {
    use torch::Kind;

    use super::*;

    #[test]
    fn convolutions_see_zeros_beyond_the_ends_of_a_sequence() {
        let kernel = Tensor::from_slice(&[100f32, 10.0, 1.0]).view([3, 1, 1]);
        let lengths = [2, 1, 2];
        let list = |t: Tensor| Vec::<f32>::try_from(t.to_kind(Kind::Float).reshape([-1])).unwrap();
        for (spread, expected) in [
            (Spread::same(&lengths, 4, Device::Cpu), [12.0, 120.0, 40.0, 96.0, 960.0]),
            (Spread::causal(&lengths, 10, Device::Cpu), [1.0, 12.0, 4.0, 8.0, 96.0]),
        ] {
            // By our own loops, and in a kind that they are not for.
            for kind in [Kind::Float, Kind::Double] {
                let x = Tensor::from_slice(&[1f32, 2.0, 4.0, 8.0, 16.0]).view([5, 1]).to_kind(kind);
                let kernel = kernel.to_kind(kind);
                assert_eq!(list(spread.conv(&x, &kernel)), expected);
                assert_eq!(list(spread.depthwise(&x, &kernel)), expected);
            }
        }
    }
}
