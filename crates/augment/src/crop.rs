//! The crops that ImageNet training and evaluation need: random-resized, central, and a plain
//! resize.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::image::Image;
use crate::resize::{self, Filter};
use crate::rng::Rng;
use crate::scratch::Scratch;

fn size_fault(size: usize) -> Option<Fault> {
    Fault::unless((1..=4096).contains(&size), "size", size, "1 to 4096 pixels")
}

/// The step `resize`.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `size` | 256 | pixels of the shorter side | 1 to 4096 |
/// | `square` | false | both sides become `size` and the shape is not kept | |
/// | `filter` | bicubic | `box`, `bilinear`, `bicubic` or `lanczos`, antialiased | |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resize {
    /// Pixels of the shorter side.
    pub size: usize,
    /// Whether both sides become `size`.
    pub square: bool,
    /// The resampling filter.
    pub filter: Filter,
}

impl Default for Resize {
    fn default() -> Self {
        Self { size: 256, square: false, filter: Filter::Bicubic }
    }
}

impl Resize {
    /// Resizes.
    pub fn apply(&self, image: &mut Image, scratch: &mut Scratch) {
        let short = image.width().min(image.height());
        let side =
            |side: usize| if self.square { self.size } else { (self.size * side / short).max(1) };
        let (width, height) = (side(image.width()), side(image.height()));
        resize::resize(image, width, height, self.filter, scratch);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        size_fault(self.size).into_iter().collect()
    }
}

/// The step `random-resized-crop`: a box of random area and shape, resized to a square (Szegedy et
/// al., arXiv 1409.4842).
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `size` | 224 | side of the result | 1 to 4096 |
/// | `area` | [0.08, 1] | share of the image's area, uniform | 0.0001 to 1 |
/// | `aspect` | [0.75, 1.333...] | width / height, uniform in its logarithm | 0.01 to 100 |
/// | `filter` | bicubic | see `resize` | |
///
/// A box that does not fit is drawn again, up to ten times in all; after that the central crop of
/// [`CenterCrop`] is taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomResizedCrop {
    /// Side of the result.
    pub size: usize,
    /// Least and greatest share of the image's area.
    pub area: [f64; 2],
    /// Least and greatest width / height.
    pub aspect: [f64; 2],
    /// The resampling filter.
    pub filter: Filter,
}

impl Default for RandomResizedCrop {
    fn default() -> Self {
        Self {
            size: 224,
            area: [0.08, 1.0],
            aspect: [3.0 / 4.0, 4.0 / 3.0],
            filter: Filter::Bicubic,
        }
    }
}

impl RandomResizedCrop {
    /// Crops and resizes.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        let (width, height) = (image.width(), image.height());
        for _ in 0..10 {
            let area = (width * height) as f64 * rng.range(self.area[0], self.area[1]);
            let aspect = rng.range(self.aspect[0].ln(), self.aspect[1].ln()).exp();
            let w = (area * aspect).sqrt().round() as usize;
            let h = (area / aspect).sqrt().round() as usize;
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                let (x, y) = (rng.below(width - w + 1), rng.below(height - h + 1));
                resize::crop(image, x, y, w, h, scratch);
                return resize::resize(image, self.size, self.size, self.filter, scratch);
            }
        }
        CenterCrop { size: self.size, fraction: None, filter: self.filter }.apply(image, scratch);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let ranges = [
            Fault::bad_range("area", self.area, 1e-4, 1.0),
            Fault::bad_range("aspect", self.aspect, 0.01, 100.0),
        ];
        size_fault(self.size).into_iter().chain(ranges.into_iter().flatten()).collect()
    }
}

/// The step `center-crop`: the central square, resized; how ImageNet models are evaluated, also
/// after Noisy Student's fix of the train-test resolution.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `size` | 224 | side `S` of the result | 1 to 4096 |
/// | `fraction` | `S / (S + 32)` | share of the shorter side that the square keeps | 0.01 to 1 |
/// | `filter` | bicubic | see `resize` | |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CenterCrop {
    /// Side of the result.
    pub size: usize,
    /// Share of the shorter side; `None` is `size / (size + 32)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
    /// The resampling filter.
    pub filter: Filter,
}

impl Default for CenterCrop {
    fn default() -> Self {
        Self { size: 224, fraction: None, filter: Filter::Bicubic }
    }
}

impl CenterCrop {
    /// Crops and resizes.
    pub fn apply(&self, image: &mut Image, scratch: &mut Scratch) {
        let (width, height) = (image.width(), image.height());
        let short = width.min(height) as f64;
        let fraction = self.fraction.unwrap_or(self.size as f64 / (self.size + 32) as f64);
        let side = ((fraction * short) as usize).clamp(1, width.min(height));
        let (x, y) = ((width - side).div_ceil(2), (height - side).div_ceil(2));
        resize::crop(image, x, y, side, side, scratch);
        resize::resize(image, self.size, self.size, self.filter, scratch);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let fraction =
            self.fraction.and_then(|fraction| Fault::outside("fraction", fraction, 0.01, 1.0));
        size_fault(self.size).into_iter().chain(fraction).collect()
    }
}
