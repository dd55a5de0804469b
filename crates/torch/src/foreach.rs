//! Operations on lists of tensors at once, for moving averages.

use tch::Tensor;

use crate::ffi;

/// Moves each of `to` towards its counterpart in `from`: `to ← to + weight · (from − to)`, in place
/// and without a gradient. An exponential moving average with decay d is a `weight` of 1 − d.
/// Panics if lengths, shapes or kinds differ.
pub fn lerp(to: &[Tensor], from: &[Tensor], weight: f64) {
    ffi::lerp(to, from, weight, true);
}

/// Copies each of `from` into its counterpart in `to`, in place and without a gradient. Kinds and
/// devices may differ; panics if lengths or shapes do.
pub fn copy(to: &[Tensor], from: &[Tensor]) {
    ffi::copy(to, from);
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn one_loop_averages_as_libtorch_does() {
        let options = (Kind::Float, Device::Cpu);
        let make = |shape: &[i64]| Tensor::randn(shape, options);
        let shapes: [&[i64]; 4] = [&[3, 5, 3, 3], &[37], &[1], &[0]];
        let from: Vec<_> = shapes.iter().map(|s| make(s)).collect();
        let loops: Vec<_> = shapes.iter().map(|s| make(s)).collect();
        let ops: Vec<_> = loops.iter().map(Tensor::copy).collect();
        lerp(&loops, &from, 0.1);
        ffi::lerp(&ops, &from, 0.1, false);
        // libtorch may fuse the product with the sum, which moves the last bit.
        assert!(loops.iter().zip(&ops).all(|(a, b)| a.allclose(b, 1e-6, 1e-7, false)));
        assert!(loops[0] != from[0]);
        lerp(&loops, &from, 1.0);
        assert!(loops.iter().zip(&from).all(|(a, b)| a == b));
    }
}
