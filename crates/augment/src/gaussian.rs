//! Gaussian blur as Pillow's `ImageFilter.GaussianBlur` makes it: by three passes of a box.
//!
//! The box has a fractional width, its outermost pixels count less: P. Gwosdek and others,
//! "Theoretical foundations of Gaussian convolution by extended box filtering", 2011. Pixels from
//! outside the image are those at its edge.

use crate::image::Image;
use crate::scratch::Scratch;
use crate::simd::{self, dispatch};

/// How often the box is applied in each direction.
const PASSES: usize = 3;

/// Blurs with a standard deviation of `radius` pixels, 0 or more.
pub fn gaussian_blur(image: &mut Image, radius: f64, scratch: &mut Scratch) {
    let Some(kernel) = Kernel::of(radius as f32) else { return };
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let len = width * height * channels;
    scratch.bytes.resize(2 * len, 0);
    let (one, other) = scratch.bytes.split_at_mut(len);
    // Both directions go down columns, whose sums are kept side by side in vectors.
    transpose(image.pixels(), one, [height, width], channels);
    kernel.blur_columns(one, other, height * channels, &mut scratch.columns);
    transpose(other, one, [width, height], channels);
    kernel.blur_columns(one, other, width * channels, &mut scratch.columns);
    image.pixels_mut().copy_from_slice(other);
}

/// Makes columns of rows; `[rows, columns]` are those of `from`.
fn transpose(from: &[u8], to: &mut [u8], [rows, columns]: [usize; 2], channels: usize) {
    for (row, from) in from.chunks_exact(columns * channels).enumerate() {
        let to = to[row * channels..].chunks_mut(rows * channels);
        for (from, to) in from.chunks_exact(channels).zip(to) {
            to[..channels].copy_from_slice(from);
        }
    }
}

/// A box, in parts of 2^24.
struct Kernel {
    /// How many pixels to either side count fully.
    half: usize,
    /// The weight of each of these.
    inner: u32,
    /// The weight of the two pixels beyond.
    outer: u32,
}

impl Kernel {
    /// The box whose three passes have this deviation; none for 0. Single precision, where the
    /// reference has it.
    fn of(deviation: f32) -> Option<Self> {
        let variance = deviation * deviation / PASSES as f32;
        let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
        let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
        let fraction = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance);
        let fraction = fraction / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
        let reach = whole + fraction;
        let half = reach as usize;
        let inner = ((1 << 24) as f32 / (reach * 2.0 + 1.0)) as u32;
        let outer = ((1 << 24) - (2 * half as u32 + 1) * inner) / 2;
        (reach != 0.0).then_some(Self { half, inner, outer })
    }

    /// Blurs all columns of rows of `stride` bytes; the result is in `other`.
    fn blur_columns(&self, one: &mut [u8], other: &mut [u8], stride: usize, sums: &mut Vec<u32>) {
        sums.resize(stride, 0);
        let (mut from, mut to) = (one, other);
        dispatch!(simd::level(), simd => {
            let _ = simd;
            for _ in 0..PASSES {
                self.pass(from, to, sums);
                std::mem::swap(&mut from, &mut to);
            }
        });
    }

    /// One pass down the columns; `sums` has a place for each.
    #[inline(always)]
    fn pass(&self, from: &[u8], to: &mut [u8], sums: &mut [u32]) {
        let stride = sums.len();
        let last = from.len() / stride - 1;
        let row = |y: usize| &from[y.min(last) * stride..][..stride];
        sums.fill(0);
        // The row beyond the edge is the first one, as often as the box reaches.
        for y in std::iter::repeat_n(0, self.half).chain(0..=self.half) {
            sums.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += u32::from(*value));
        }
        for (y, to) in to.chunks_exact_mut(stride).enumerate() {
            let before = row(y.saturating_sub(self.half + 1));
            let first = row(y.saturating_sub(self.half));
            let behind = row(y + self.half + 1);
            for i in 0..stride {
                let beyond = u32::from(before[i]) + u32::from(behind[i]);
                let whole = sums[i] * self.inner + beyond * self.outer;
                to[i] = ((whole + (1 << 23)) >> 24) as u8;
                sums[i] = sums[i] + u32::from(behind[i]) - u32::from(first[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_a_box_make_one() {
        for tenths in 1..300 {
            let Kernel { half, inner, outer } = Kernel::of(tenths as f32 / 10.0).unwrap();
            let sum = (2 * half as u32 + 1) * inner + 2 * outer;
            assert!(((1 << 24) - 1..=1 << 24).contains(&sum) && outer <= inner, "{tenths}");
        }
        assert!(Kernel::of(0.0).is_none());
    }

    #[test]
    fn the_deviation_is_the_radius() {
        for radius in [0.5, 1.0, 2.0, 4.0] {
            let mut image = Image::filled(81, 1, 1, 0);
            image.pixels_mut()[40] = 255;
            gaussian_blur(&mut image, radius, &mut Scratch::new());
            let (mut sum, mut square) = (0.0, 0.0);
            for (x, &value) in image.pixels().iter().enumerate() {
                sum += f64::from(value);
                square += f64::from(value) * (x as f64 - 40.0).powi(2);
            }
            assert!((square / sum / (radius * radius) - 1.0).abs() < 0.2, "{radius}");
        }
    }
}
