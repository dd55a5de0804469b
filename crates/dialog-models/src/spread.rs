//! Where the tokens of a batch lie while convolutions look at them.
//!
//! Everything else works on real tokens only, one sequence after another. For a convolution all
//! sequences lie in one long row with as many rows of zeros between two of them as its reach: these
//! are the zeros that it sees beyond the ends of a sequence.

use torch::rows::Rows;
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
        Self { inside, outside: rows, count, gap: gap as i64, ahead: ahead as i64 }
    }

    /// `[tokens, width]` with the zeros.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        self.inside.forward(x)
    }

    /// The convolution of a row [with zeros](Self::forward): `kernel` is `[outputs, inputs /
    /// groups, taps]`, the result `[tokens, outputs]`.
    pub(crate) fn conv(&self, row: &Tensor, kernel: &Tensor, groups: i64) -> Tensor {
        let (width, taps) = (row.size()[1], kernel.size()[2]);
        let reach = if self.ahead == 0 { taps - 1 } else { taps / 2 };
        assert!(reach <= self.gap, "{taps} taps where {} rows of zeros are", self.gap);
        let rows = self.count + taps - 1;
        let seen = row.narrow(0, self.gap - reach, rows);
        // An image with its channels last, one place wide.
        let image = seen.reshape([1, rows, 1, width]).permute([0, 3, 1, 2]);
        let none = None::<&Tensor>;
        let made = image.conv2d(&kernel.unsqueeze(3), none, [1, 1], [0, 0], [1, 1], groups);
        let outputs = made.size()[1];
        self.outside.back(&made.permute([0, 2, 3, 1]).reshape([self.count, outputs]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convolutions_see_zeros_beyond_the_ends_of_a_sequence() {
        let x = Tensor::from_slice(&[1f32, 2.0, 4.0, 8.0, 16.0]).view([5, 1]);
        let kernel = Tensor::from_slice(&[100f32, 10.0, 1.0]).view([1, 1, 3]);
        let lengths = [2, 1, 2];
        let list = |t: Tensor| Vec::<f32>::try_from(t.reshape([-1])).unwrap();
        for (spread, expected) in [
            (Spread::same(&lengths, 4, Device::Cpu), [12.0, 120.0, 40.0, 96.0, 960.0]),
            (Spread::causal(&lengths, 10, Device::Cpu), [1.0, 12.0, 4.0, 8.0, 96.0]),
        ] {
            assert_eq!(list(spread.conv(&spread.forward(&x), &kernel, 1)), expected);
        }
    }
}
