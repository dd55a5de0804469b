//! Resizing with Pillow's antialiased filters: two passes in 22-bit fixed point, matched byte for byte.

use serde::{Deserialize, Serialize};

use crate::image::Image;
use crate::scratch::Scratch;

/// A resampling filter; when an image shrinks it widens, so that every source pixel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The mean of the covered pixels; enlarging repeats pixels.
    Box,
    /// A triangle of support 1.
    Bilinear,
    /// Keys' cubic, a = -1/2, of support 2.
    #[default]
    Bicubic,
    /// A windowed sinc of support 3.
    Lanczos,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let near = x.abs();
        match self {
            Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - near).max(0.0),
            Self::Bicubic if near < 1.0 => ((-0.5 + 2.0) * near - (-0.5 + 3.0)) * near * near + 1.0,
            Self::Bicubic if near < 2.0 => (((near - 5.0) * near + 8.0) * near - 4.0) * -0.5,
            Self::Bicubic => 0.0,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    let angle = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { angle.sin() / angle }
}

const PRECISION: u32 = 22;

/// For each output position along one axis: the first source position and the weights from there on.
struct Taps {
    first: Vec<usize>,
    count: Vec<usize>,
    /// `size` weights an output, the surplus 0.
    weights: Vec<i32>,
    size: usize,
}

fn taps(from: usize, to: usize, filter: Filter) -> Taps {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let size = support.ceil() as usize * 2 + 1;
    let mut taps = Taps { first: Vec::new(), count: Vec::new(), weights: vec![0; to * size], size };
    let mut exact = vec![0.0; size];
    for out in 0..to {
        let center = (out as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let last = ((center + support + 0.5) as usize).min(from);
        let exact = &mut exact[..last - first];
        let mut total = 0.0;
        for (i, weight) in exact.iter_mut().enumerate() {
            *weight = filter.weight(((i + first) as f64 - center + 0.5) * (1.0 / stretch));
            total += *weight;
        }
        for (fixed, weight) in taps.weights[out * size..].iter_mut().zip(exact) {
            let weight =
                if total == 0.0 { *weight } else { *weight / total } * f64::from(1 << PRECISION);
            *fixed = (weight + if weight < 0.0 { -0.5 } else { 0.5 }) as i32;
        }
        taps.first.push(first);
        taps.count.push(last - first);
    }
    taps
}

impl Taps {
    fn of(&self, out: usize) -> (usize, &[i32]) {
        (self.first[out], &self.weights[out * self.size..][..self.count[out]])
    }
}

fn settle(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION - 1);

/// Resizes to `width` by `height` (at least 1 each), first along rows, then along columns; an axis that keeps its length is left alone.
pub fn resize(
    image: &mut Image,
    width: usize,
    height: usize,
    filter: Filter,
    scratch: &mut Scratch,
) {
    let channels = image.channels();
    if width != image.width() {
        let taps = taps(image.width(), width, filter);
        let lines = image.height();
        let out = scratch.bytes(width * lines * channels);
        for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
            let row = image.row(y);
            for (x, pixel) in out.chunks_exact_mut(channels).enumerate() {
                let (first, weights) = taps.of(x);
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let values = row[first * channels + channel..].iter().step_by(channels);
                    *value = settle(
                        values.zip(weights).fold(HALF, |sum, (&v, &w)| sum + i32::from(v) * w),
                    );
                }
            }
        }
        scratch.trade(image, width, lines);
    }
    if height != image.height() {
        let taps = taps(image.height(), height, filter);
        let stride = width * channels;
        let mut sums = vec![0i32; stride];
        let out = scratch.bytes(height * stride);
        for (y, out) in out.chunks_exact_mut(stride).enumerate() {
            let (first, weights) = taps.of(y);
            sums.fill(HALF);
            for (row, &weight) in weights.iter().enumerate() {
                for (sum, &value) in sums.iter_mut().zip(image.row(first + row)) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (value, &sum) in out.iter_mut().zip(&sums) {
                *value = settle(sum);
            }
        }
        scratch.trade(image, width, height);
    }
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
