//! Corruptions that treat all pixels alike, wherever they are.

use crate::affine;
use crate::fill::Fill;
use crate::geometry::{self, Sampling};
use crate::image::Image;
use crate::resize::{self, Filter};
use crate::scratch::Scratch;

/// Clips to `[0, 1]` and cuts to a byte.
pub(super) fn byte(x: f64) -> u8 {
    (x.clamp(0.0, 1.0) * 255.0) as u8
}

/// Maps every value in `[0, 1]`.
pub(crate) fn each_value(image: &Image, mut change: impl FnMut(f64) -> f64) -> Image {
    let pixels = image.pixels().iter().map(|&v| byte(change(f64::from(v) / 255.0))).collect();
    Image::new(image.width(), image.height(), image.channels(), pixels)
}

/// Adds `amount` to V, keeping hue and saturation; black becomes grey.
pub(crate) fn brighten(image: &Image, amount: f64) -> Image {
    let mut out = image.clone();
    for pixel in out.pixels_mut().chunks_exact_mut(image.channels()) {
        let value = f64::from(pixel.iter().copied().max().unwrap_or(0)) / 255.0;
        let raised = (value + amount).clamp(0.0, 1.0);
        for channel in pixel {
            let share = if value > 0.0 { f64::from(*channel) / 255.0 / value } else { 1.0 };
            *channel = byte(share * raised);
        }
    }
    out
}

/// How the saturation S of each pixel, from 0 to 1, changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    /// By which it is multiplied.
    pub factor: f64,
    /// What is added then.
    pub offset: f64,
}

/// Changes the saturation, keeping hue and value; a grey image stays as it is.
pub fn saturate(image: &Image, change: &Saturation) -> Image {
    let mut out = image.clone();
    let of = |saturation: f64| (saturation * change.factor + change.offset).clamp(0.0, 1.0);
    if image.channels() == 1 {
        return out;
    }
    for pixel in out.pixels_mut().as_chunks_mut::<3>().0 {
        let rgb = pixel.map(|v| f64::from(v) / 255.0);
        let value = rgb.iter().copied().fold(0.0, f64::max);
        let span = value - rgb.iter().copied().fold(1.0, f64::min);
        let new = of(if value > 0.0 { span / value } else { 0.0 });
        *pixel = if span > 0.0 {
            // The distance of each channel from the greatest keeps its proportion.
            rgb.map(|x| byte(value - (value - x) / span * new * value))
        } else {
            // Grey has the hue of red.
            [byte(value), byte(value * (1.0 - new)), byte(value * (1.0 - new))]
        };
    }
    out
}

/// Multiplies the distance to the mean of each channel by `factor`.
pub(super) fn flatten(image: &Image, factor: f64) -> Image {
    let channels = image.channels();
    let count = (image.width() * image.height()) as f64;
    let mut means = [0.0; 3];
    for pixel in image.pixels().chunks_exact(channels) {
        for (mean, &value) in means.iter_mut().zip(pixel) {
            *mean += f64::from(value) / 255.0 / count;
        }
    }
    let mut out = image.clone();
    for pixel in out.pixels_mut().chunks_exact_mut(channels) {
        for (value, mean) in pixel.iter_mut().zip(means) {
            *value = byte((f64::from(*value) / 255.0 - mean) * factor + mean);
        }
    }
    out
}

/// Shrinks by `factor` and enlarges again, in blocks.
pub(super) fn pixelate(image: &Image, factor: f64) -> Image {
    let (width, height) = (image.width(), image.height());
    let small = |side: usize| ((side as f64 * factor) as usize).max(1);
    let mut out = image.clone();
    let mut scratch = Scratch::new();
    resize::resize(&mut out, small(width), small(height), Filter::Box, &mut scratch);
    resize::resize(&mut out, width, height, Filter::Box, &mut scratch);
    out
}

/// The image shifted right and down and enlarged about its centre, bilinear, black outside.
pub(crate) fn moved(image: &Image, shift: [f64; 2], scale: f64) -> Image {
    let mut out = image.clone();
    let matrix = affine::matrix(image.width(), image.height(), 0.0, scale, 0.0, shift);
    geometry::affine(&mut out, matrix, Sampling::bilinear(Fill::BLACK), &mut Scratch::new());
    out
}
