//! Sharpening by what a blur takes away, as Pillow's `ImageFilter.UnsharpMask` does it.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::gaussian::gaussian_blur;
use crate::image::Image;
use crate::scratch::Scratch;
use crate::simd::{self, dispatch};

/// The step `unsharp-mask`: sharpens. Small pictures that are enlarged are blurred, and networks
/// that learned from sharp ones miss the fine structure: see `docs/results/own-images.md`.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `radius` | 2 | standard deviation of the blur, in pixels | 0 to 100 |
/// | `percent` | 150 | how much of the difference to the blurred image is added | 0 to 1000 |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnsharpMask {
    /// The standard deviation of the blur, in pixels.
    pub radius: f64,
    /// How much of the difference is added, in hundredths.
    pub percent: u32,
}

impl Default for UnsharpMask {
    fn default() -> Self {
        Self { radius: 2.0, percent: 150 }
    }
}

impl UnsharpMask {
    /// Sharpens.
    pub fn apply(&self, image: &mut Image, scratch: &mut Scratch) {
        unsharp_mask(image, self.radius, self.percent, scratch);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let percent = (self.percent <= 1000, "percent", self.percent, "0 to 1000");
        let percent = Fault::unless(percent.0, percent.1, percent.2, percent.3);
        Fault::outside("radius", self.radius, 0.0, 100.0).into_iter().chain(percent).collect()
    }
}

/// Adds `percent` hundredths of the difference to the image blurred with a standard deviation of
/// `radius` pixels. Pillow's bytes with a threshold of 0.
pub fn unsharp_mask(image: &mut Image, radius: f64, percent: u32, scratch: &mut Scratch) {
    let mut before = std::mem::take(&mut scratch.before);
    before.clear();
    before.extend_from_slice(image.pixels());
    gaussian_blur(image, radius, scratch);
    let (bytes, percent) = (image.pixels_mut(), percent as i32);
    dispatch!(simd::level(), simd => {
        let _ = simd;
        for (byte, &before) in bytes.iter_mut().zip(&before) {
            let value = i32::from(before);
            let sharp = value + (value - i32::from(*byte)) * percent / 100;
            *byte = sharp.clamp(0, 255) as u8;
        }
    });
    scratch.before = before;
}
