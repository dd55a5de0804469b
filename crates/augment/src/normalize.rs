//! From bytes to the floats that a network takes, for callers without a tensor library that does it
//! on the device.

use crate::image::Image;
use crate::simd::{self, dispatch};

/// `(value / 255 - mean) / std` for each channel, as one multiplication and one addition in single
/// precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    scale: [f32; 3],
    shift: [f32; 3],
}

impl Normalize {
    /// Means and standard deviations of each channel, of values in `[0, 1]`. For grey images only
    /// the first of each counts. Panics if a deviation is not above 0.
    ///
    /// ```
    /// use augment::{image::Image, normalize::Normalize};
    /// let half = Normalize::new([0.5; 3], [0.5; 3]);
    /// let mut floats = [0.0; 6];
    /// half.planes(&Image::new(2, 1, 3, vec![0, 255, 0, 255, 0, 255]), &mut floats);
    /// assert_eq!(floats, [-1.0, 1.0, 1.0, -1.0, -1.0, 1.0]);
    /// ```
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        let above = |deviation: &f32| *deviation > 0.0;
        assert!(std.iter().all(above), "images cannot be divided by the deviations {std:?}");
        let scale = std.map(|std| 1.0 / (255.0 * std));
        Self { scale, shift: std::array::from_fn(|i| -mean[i] / std[i]) }
    }

    /// Writes the image as planes, `[channels][height][width]`. Panics unless `out` has that
    /// length.
    pub fn planes(&self, image: &Image, out: &mut [f32]) {
        let area = image.width() * image.height();
        assert_eq!(out.len(), area * image.channels(), "floats for {image:?}");
        if image.channels() == 1 {
            let level = simd::level();
            return dispatch!(level, simd => {
                let _ = simd;
                for (out, &value) in out.iter_mut().zip(image.pixels()) {
                    *out = f32::from(value) * self.scale[0] + self.shift[0];
                }
            });
        }
        let (red, rest) = out.split_at_mut(area);
        let (green, blue) = rest.split_at_mut(area);
        let (blocks, last) = image.pixels().as_chunks::<192>();
        let whole = 64 * blocks.len();
        let level = simd::level();
        let chunks = [red.as_chunks_mut::<64>().0, green.as_chunks_mut().0, blue.as_chunks_mut().0];
        if simd::shuffles_bytes(level) {
            dispatch!(level, simd => self.blocks(simd, blocks, chunks));
        } else {
            dispatch!(level, simd => {
                let _ = simd;
                self.plain_blocks(blocks, chunks)
            });
        }
        for (i, pixel) in last.as_chunks::<3>().0.iter().enumerate() {
            for (channel, plane) in [&mut *red, green, blue].into_iter().enumerate() {
                plane[whole + i] =
                    f32::from(pixel[channel]) * self.scale[channel] + self.shift[channel];
            }
        }
    }

    #[inline(always)]
    fn blocks<S: simd::Simd>(&self, simd: S, blocks: &[[u8; 192]], out: [&mut [[f32; 64]]; 3]) {
        let [red, green, blue] = out;
        for (((block, r), g), b) in blocks.iter().zip(red).zip(green).zip(blue) {
            let [red, green, blue] = simd::planes(simd, block);
            self.plane(0, &simd::bytes(red), r);
            self.plane(1, &simd::bytes(green), g);
            self.plane(2, &simd::bytes(blue), b);
        }
    }

    #[inline(always)]
    fn plane(&self, channel: usize, values: &[u8; 64], out: &mut [f32; 64]) {
        for i in 0..64 {
            out[i] = f32::from(values[i]) * self.scale[channel] + self.shift[channel];
        }
    }

    #[inline(always)]
    fn plain_blocks(&self, blocks: &[[u8; 192]], out: [&mut [[f32; 64]]; 3]) {
        let [red, green, blue] = out;
        for (((block, r), g), b) in blocks.iter().zip(red).zip(green).zip(blue) {
            for (channel, out) in [r, g, b].into_iter().enumerate() {
                for i in 0..64 {
                    out[i] = f32::from(block[3 * i + channel]) * self.scale[channel]
                        + self.shift[channel];
                }
            }
        }
    }
}
