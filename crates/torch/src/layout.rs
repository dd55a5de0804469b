//! Memory formats: images with their channels last, which convolutions prefer on GPUs and in
//! bfloat16.

use tch::{Device, Kind, Tensor};

use crate::device::tensor_on;
use crate::ffi;

/// The images `x` `[n, c, h, w]` with their channels last in memory; no copy where they are.
/// libtorch's operations ask the strides for it, so that those of a single channel are made those
/// of the last one too. Panics if `x` has not four dimensions.
pub fn channels_last(x: &Tensor) -> Tensor {
    let (n, c, h, w) = x.size4().expect("images [n, c, h, w]");
    if x.stride() == [h * w * c, 1, w * c, c] {
        return x.shallow_clone();
    }
    x.permute([0, 2, 3, 1]).reshape([-1]).view([n, h, w, c]).permute([0, 3, 1, 2])
}

/// Makes a network's input of 8-bit images: `pixels` is `[n, h, w, c]` of `shape`, row by row with
/// channels interleaved; the result is float32 `[n, c, h, w]` on `device`, channels last in memory,
/// with values (x / 255 − mean) / std. `mean` and `std` hold one value a channel. The bytes are
/// copied to the device and become floats there; a GPU is not waited for
/// ([`copy_async`](crate::device::copy_async)). Panics if lengths do not fit `shape`.
pub fn image_batch(
    pixels: &[u8],
    shape: [usize; 4],
    mean: &[f64],
    std: &[f64],
    device: Device,
) -> Tensor {
    let [n, h, w, c] = shape;
    assert_eq!(pixels.len(), n * h * w * c, "bytes of {n} images of {h} x {w} x {c}");
    assert_eq!((mean.len(), std.len()), (c, c), "mean and standard deviation of each channel");
    let channel = |f: &dyn Fn(usize) -> f64| {
        let values: Vec<f32> = (0..c).map(|i| f(i) as f32).collect();
        tensor_on(&values, device)
    };
    let scale = channel(&|i| 1.0 / (255.0 * std[i]));
    let shift = channel(&|i| -mean[i] / std[i]);
    let size = shape.map(|x| x as i64);
    let bytes = match device {
        Device::Cpu => Tensor::from_slice(pixels).view(size),
        _ => ffi::send_bytes(pixels, &size, device),
    };
    let floats = bytes.to_kind(Kind::Float).g_mul_(&scale).g_add_(&shift);
    floats.permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_the_last_and_keep_their_values() {
        for size in [[2, 3, 4, 5], [3, 1, 4, 5], [1, 3, 1, 5], [2, 4, 1, 1], [0, 3, 4, 5]] {
            let n = size.iter().product::<i64>();
            let x = Tensor::arange(n, (Kind::Float, Device::Cpu)).view(size);
            let y = channels_last(&x);
            let [_, c, h, w] = size;
            assert_eq!(y.stride(), [h * w * c, 1, w * c, c], "{size:?}");
            assert_eq!(y, x);
            assert_eq!(channels_last(&y).data_ptr(), y.data_ptr(), "{size:?} is copied again");
        }
    }
}
