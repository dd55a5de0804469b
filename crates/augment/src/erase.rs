//! Cutout: a square of one colour (DeVries and Taylor, arXiv 1708.04552).

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::fill::Fill;
use crate::image::Image;
use crate::length::Length;
use crate::rng::Rng;

/// Paints the box `[x - half, x + half)` by `[y - half, y + half)`, clipped to the image.
pub fn cutout(image: &mut Image, x: usize, y: usize, half: usize, fill: Fill) {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let (left, right) = (x.saturating_sub(half).min(width), x.saturating_add(half).min(width));
    let (top, bottom) = (y.saturating_sub(half).min(height), y.saturating_add(half).min(height));
    let pixel = fill.pixel(channels);
    let pixels = image.pixels_mut();
    let boxes = |row: usize| (row * width + left) * channels..(row * width + right) * channels;
    // The first row is painted pixel by pixel, the others are copies of it.
    for target in pixels[boxes(top.min(height - 1))].chunks_exact_mut(channels) {
        if top < bottom {
            target.copy_from_slice(&pixel[..channels]);
        }
    }
    for row in top + 1..bottom {
        pixels.copy_within(boxes(top), boxes(row).start);
    }
}

/// The step `cutout`: one square at a uniform place, as UDA and FixMatch end their strong view with.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `size` | 16 | side of the square before clipping, pixels or a fraction of the shorter side; rounded down to even | >= 0 |
/// | `fill` | 128 | its colour | |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cutout {
    /// Side of the square before clipping.
    pub size: Length,
    /// Its colour.
    pub fill: Fill,
}

impl Default for Cutout {
    fn default() -> Self {
        Self { size: Length::Pixels(16.0), fill: Fill::GREY }
    }
}

impl Cutout {
    /// Cuts a square whose centre is uniform over the pixels.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng) {
        let (x, y) = (rng.below(image.width()), rng.below(image.height()));
        let size = self.size.pixels(image.width().min(image.height())) as usize;
        cutout(image, x, y, size / 2, self.fill);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.size.fault("size").into_iter().collect()
    }
}
