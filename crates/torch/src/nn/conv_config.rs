//! The settings of a convolution.

use tch::Tensor;

use crate::Init;

/// How a convolution pads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// This many zeros on every side.
    Symmetric(i64),
    /// TensorFlow's SAME: the output has `ceil(input / stride)` rows; an odd row of zeros goes to
    /// the bottom and right.
    Same,
}

/// The settings of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvConfig {
    /// Channels in.
    pub inputs: i64,
    /// Channels out.
    pub outputs: i64,
    /// Side of the square kernel.
    pub kernel: i64,
    /// Stride in both directions.
    pub stride: i64,
    /// Padding.
    pub padding: Padding,
    /// Groups: 1 is a full convolution, `inputs` a depthwise one.
    pub groups: i64,
    /// Whether a bias is added.
    pub bias: bool,
    /// How the kernel is filled; a bias starts at 0.
    pub init: Init,
    /// Whether training leaves the kernel as it is.
    pub fixed: bool,
}

impl ConvConfig {
    /// A full convolution of odd `kernel` with stride 1, TensorFlow padding and no bias, drawn from
    /// N(0, 2 / (kernel² · outputs)) (He et al. 2015, fan out).
    pub fn new(inputs: i64, outputs: i64, kernel: i64) -> Self {
        let std = (2.0 / (kernel * kernel * outputs) as f64).sqrt();
        let init = Init::Normal { std };
        Self {
            inputs,
            outputs,
            kernel,
            stride: 1,
            padding: Padding::Same,
            groups: 1,
            bias: false,
            init,
            fixed: false,
        }
    }

    /// A depthwise convolution: one kernel a channel, drawn with fan out `kernel²`.
    pub fn depthwise(channels: i64, kernel: i64) -> Self {
        let init = Init::Normal { std: (2.0 / (kernel * kernel) as f64).sqrt() };
        Self { groups: channels, init, ..Self::new(channels, channels, kernel) }
    }

    /// This configuration with another stride.
    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// This configuration with a bias.
    pub fn with_bias(self) -> Self {
        Self { bias: true, ..self }
    }
}

/// Channels that the shim's loops over depthwise convolutions take at once.
pub(super) const LANES: i64 = 16;

impl ConvConfig {
    /// Whether the shim has loops for it: a depthwise convolution with a small kernel.
    pub(super) fn has_loops(&self) -> bool {
        let each = self.groups == self.inputs && self.groups == self.outputs;
        each && [3, 5].contains(&self.kernel) && [1, 2].contains(&self.stride)
    }

    /// Rows of zeros above and below images `[n, c, h, w]`, columns to the left and the right.
    pub(super) fn zeros(&self, x: &Tensor) -> [(i64, i64); 2] {
        let size = x.size();
        [size[2], size[3]].map(|side| match self.padding {
            Padding::Symmetric(p) => (p, p),
            Padding::Same => same_padding(side, self.kernel, self.stride),
        })
    }

    /// What the shim's loops are told for such images: kernel, stride, rows of zeros above and
    /// columns to the left, rows and columns of the result. Panics if the images are smaller than
    /// the kernel.
    pub(super) fn loops(&self, x: &Tensor) -> [i64; 6] {
        let (size, [rows, columns]) = (x.size(), self.zeros(x));
        let outputs = [(size[2], rows), (size[3], columns)].map(|(side, (before, after))| {
            let room = side + before + after - self.kernel;
            assert!(room >= 0, "a side of {side} is too short for a kernel of {}", self.kernel);
            room / self.stride + 1
        });
        [self.kernel, self.stride, rows.0, columns.0, outputs[0], outputs[1]]
    }
}

/// Zeros before and after an axis of `size` so that the output has `ceil(size / stride)` places.
fn same_padding(size: i64, kernel: i64, stride: i64) -> (i64, i64) {
    let total = (((size + stride - 1) / stride - 1) * stride + kernel - size).max(0);
    (total / 2, total - total / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_row_last() {
        assert_eq!(same_padding(224, 3, 2), (0, 1));
        assert_eq!(same_padding(225, 3, 2), (1, 1));
        assert_eq!(same_padding(7, 5, 2), (2, 2));
        assert_eq!(same_padding(8, 5, 2), (1, 2));
        assert_eq!(same_padding(32, 1, 2), (0, 0));
    }
}
