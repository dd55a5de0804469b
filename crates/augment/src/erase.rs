//! Cutout: a square of one colour (DeVries and Taylor, arXiv 1708.04552).

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::fill::Fill;
use crate::image::Image;
use crate::length::Length;
use crate::rng::Rng;

/// Paints the box `[x - half, x + half)` by `[y - half, y + half)`, clipped to the image.
pub fn cutout(image: &mut Image, x: usize, y: usize, half: usize, fill: Fill) {
    let range = |center: usize, side: usize| {
        (center.saturating_sub(half).min(side), center.saturating_add(half).min(side))
    };
    let (columns, rows) = (range(x, image.width()), range(y, image.height()));
    paint(image, columns, rows, fill);
}

/// Paints columns and rows from the first to before the last of each. The first row is painted
/// pixel by pixel, the others are copies.
fn paint(image: &mut Image, columns: (usize, usize), rows: (usize, usize), fill: Fill) {
    let (width, channels) = (image.width(), image.channels());
    if columns.0 >= columns.1 || rows.0 >= rows.1 {
        return;
    }
    let pixel = fill.pixel(channels);
    let pixels = image.pixels_mut();
    let boxes =
        |row: usize| (row * width + columns.0) * channels..(row * width + columns.1) * channels;
    for target in pixels[boxes(rows.0)].chunks_exact_mut(channels) {
        target.copy_from_slice(&pixel[..channels]);
    }
    for row in rows.0 + 1..rows.1 {
        pixels.copy_within(boxes(rows.0), boxes(row).start);
    }
}

/// Paints from `c - size / 2` to `c - size / 2 + size`, both included, as Pillow draws rectangles;
/// nothing for a size of 0.
pub fn inclusive(image: &mut Image, x: usize, y: usize, size: f64, fill: Fill) {
    if size <= 0.0 {
        return;
    }
    let range = |center: usize, side: usize| {
        let first = (center as f64 - size / 2.0).max(0.0) as usize;
        (first, ((first as f64 + size) as usize + 1).min(side))
    };
    let (columns, rows) = (range(x, image.width()), range(y, image.height()));
    paint(image, columns, rows, fill);
}

/// The step `cutout`: one square at a uniform place, as UDA and FixMatch end their strong view
/// with.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `size` | 16 | side of the square before clipping, rounded down to even | >= 0 |
/// | `extent` | exact | `exact`, `inclusive` or `up-to`: see [`Extent`] | |
/// | `fill` | 127 | its colour: 127 in FixMatch, the mean of the images in UDA, 128 in Noisy Student | |
///
/// `size` is in pixels or a fraction of the shorter side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cutout {
    /// Side of the square before clipping.
    pub size: Length,
    /// How the size is meant.
    pub extent: Extent,
    /// Its colour.
    pub fill: Fill,
}

/// How a cutout's size is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// `[c - size / 2, c + size / 2)`: UDA, FixMatch, Noisy Student.
    #[default]
    Exact,
    /// `[c - size / 2, c + size / 2]`, as Pillow draws rectangles: 17 pixels for 16 in kekmodel's
    /// FixMatch.
    Inclusive,
    /// A size uniform from 0 to `size`, then as Pillow draws: USB, with `size` half of the side.
    UpTo,
}

impl Default for Cutout {
    fn default() -> Self {
        Self { size: Length::Pixels(16.0), extent: Extent::Exact, fill: Fill::grey(127) }
    }
}

impl Cutout {
    /// Cuts a square whose centre is uniform over the pixels.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng) {
        let (x, y) = (rng.below(image.width()), rng.below(image.height()));
        let size = self.size.pixels(image.width().min(image.height()));
        match self.extent {
            Extent::Exact => cutout(image, x, y, size as usize / 2, self.fill),
            Extent::Inclusive => inclusive(image, x, y, size, self.fill),
            Extent::UpTo => inclusive(image, x, y, size * rng.unit(), self.fill),
        }
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.size.fault("size").into_iter().collect()
    }
}
