//! Resizing with Pillow's antialiased filters: two passes in 22-bit fixed point, matched byte for byte.

use serde::{Deserialize, Serialize};

use crate::image::Image;
use crate::scratch::Scratch;

mod passes;

pub(crate) use passes::Blocks;
use passes::PRECISION;

/// A resampling filter; when an image shrinks it widens, so that every source pixel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The pixel that contains the place; the only one without antialiasing.
    Nearest,
    /// The mean of the covered pixels; enlarging repeats pixels.
    Box,
    /// A triangle of support 1.
    Bilinear,
    /// Keys' cubic, a = -1/2, of support 2.
    #[default]
    Bicubic,
    /// A sinc of support 1 in Hamming's window.
    Hamming,
    /// A windowed sinc of support 3.
    Lanczos,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let near = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - near).max(0.0),
            Self::Bicubic if near < 1.0 => ((-0.5 + 2.0) * near - (-0.5 + 3.0)) * near * near + 1.0,
            Self::Bicubic if near < 2.0 => (((near - 5.0) * near + 8.0) * near - 4.0) * -0.5,
            Self::Bicubic => 0.0,
            Self::Hamming if near < 1.0 => {
                sinc(near) * (0.54 + 0.46 * (near * std::f64::consts::PI).cos())
            }
            Self::Hamming => 0.0,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    let angle = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { angle.sin() / angle }
}

/// For each output position along one axis: the first source position and the weights from there on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taps {
    first: Vec<u32>,
    count: Vec<u32>,
    /// `size` weights an output, the surplus 0.
    weights: Vec<i32>,
    exact: Vec<f64>,
    size: usize,
    /// What they were found for: images of one size need them once.
    found: Option<(usize, usize, Filter)>,
}

impl Taps {
    /// Finds the weights anew, in the memory that is there.
    fn find(&mut self, from: usize, to: usize, filter: Filter) {
        if self.found.replace((from, to, filter)) == Some((from, to, filter)) {
            return;
        }
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        self.size = support.ceil() as usize * 2 + 1;
        self.first.clear();
        self.count.clear();
        self.weights.clear();
        self.weights.resize(to * self.size, 0);
        self.exact.resize(self.size, 0.0);
        for (out, fixed) in self.weights.chunks_exact_mut(self.size).enumerate() {
            let center = (out as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let last = ((center + support + 0.5) as usize).min(from);
            let exact = &mut self.exact[..last - first];
            let mut total = 0.0;
            for (i, weight) in exact.iter_mut().enumerate() {
                *weight = filter.weight(((i + first) as f64 - center + 0.5) * (1.0 / stretch));
                total += *weight;
            }
            for (fixed, weight) in fixed.iter_mut().zip(exact) {
                let share = if total == 0.0 { *weight } else { *weight / total };
                let weight = share * f64::from(1 << PRECISION);
                *fixed = (weight + 0.5f64.copysign(weight)) as i32;
            }
            self.first.push(first as u32);
            self.count.push((last - first) as u32);
        }
    }

    fn of(&self, out: usize) -> (usize, &[i32]) {
        let weights = &self.weights[out * self.size..][..self.count[out] as usize];
        (self.first[out] as usize, weights)
    }
}

/// Resizes to `width` by `height` (at least 1 each), first along rows, then along columns; an axis that keeps its length is left alone.
pub fn resize(
    image: &mut Image,
    width: usize,
    height: usize,
    filter: Filter,
    scratch: &mut Scratch,
) {
    let channels = image.channels();
    if filter == Filter::Nearest {
        return nearest(image, width, height, scratch);
    }
    if width != image.width() {
        let lines = image.height();
        let Scratch { bytes, taps: [taps, _], blocks, .. } = scratch;
        taps.find(image.width(), width, filter);
        bytes.resize(width * lines * channels, 0);
        match channels {
            1 => passes::along_rows::<1>(image, bytes, width, taps, blocks),
            _ => passes::along_rows::<3>(image, bytes, width, taps, blocks),
        }
        scratch.trade(image, width, lines);
    }
    if height != image.height() {
        let Scratch { bytes, taps: [_, taps], .. } = scratch;
        taps.find(image.height(), height, filter);
        bytes.resize(width * height * channels, 0);
        passes::along_columns(image, bytes, taps);
        scratch.trade(image, width, height);
    }
}

fn nearest(image: &mut Image, width: usize, height: usize, scratch: &mut Scratch) {
    let channels = image.channels();
    let step = [image.width() as f64 / width as f64, image.height() as f64 / height as f64];
    let Scratch { bytes, columns, .. } = scratch;
    columns.clear();
    for (step, side, from) in [(step[0], width, image.width()), (step[1], height, image.height())] {
        // Positions are summed up, as the reference does.
        let mut place = step * 0.5;
        for _ in 0..side {
            columns.push((place as usize).min(from - 1) as u32);
            place += step;
        }
    }
    let (columns, lines) = columns.split_at(width);
    bytes.resize(width * height * channels, 0);
    for (out, &line) in bytes.chunks_exact_mut(width * channels).zip(lines) {
        let row = image.row(line as usize);
        for (out, &column) in out.chunks_exact_mut(channels).zip(columns) {
            out.copy_from_slice(&row[column as usize * channels..][..channels]);
        }
    }
    scratch.trade(image, width, height);
}

/// Cuts `margin` of the width and of the height off on each side and enlarges the rest to the size there was, as CTAugment does.
pub fn rescale(image: &mut Image, margin: f64, filter: Filter, scratch: &mut Scratch) {
    let (width, height) = (image.width(), image.height());
    let kept = |side: usize| {
        let side = side as f64;
        let (first, last) = (margin * side, side - margin * side);
        let (first, last) = (first.round_ties_even() as usize, last.round_ties_even() as usize);
        (first.min(side as usize - 1), last.max(first + 1).min(side as usize))
    };
    let ((left, right), (top, bottom)) = (kept(width), kept(height));
    crop(image, left, top, right - left, bottom - top, scratch);
    resize(image, width, height, filter, scratch);
}

/// Cuts the box of `width` by `height` at `(x, y)` out. Panics if it leaves the image.
pub fn crop(
    image: &mut Image,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    scratch: &mut Scratch,
) {
    let channels = image.channels();
    assert!(
        x + width <= image.width() && y + height <= image.height(),
        "a crop of {width}x{height} at ({x}, {y}) from {}x{}",
        image.width(),
        image.height()
    );
    let out = scratch.bytes(width * height * channels);
    for (line, out) in out.chunks_exact_mut(width * channels).enumerate() {
        out.copy_from_slice(&image.row(y + line)[x * channels..][..width * channels]);
    }
    scratch.trade(image, width, height);
}
