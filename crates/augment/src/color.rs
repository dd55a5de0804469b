//! Operations on values alone, as Pillow computes them: a table of 256 entries or a few vector
//! instructions.
//!
//! Source: Pillow's `ImageOps` and `ImageEnhance`, matched byte for byte (`tests/it/golden.rs`).

use serde::{Deserialize, Serialize};

use crate::fill::luma;
use crate::image::Image;
use crate::simd::{self, dispatch};
use crate::table::{self, map_channels};

/// What `Contrast` blends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContrastMean {
    /// The rounded mean of the grey image, as in Pillow.
    #[default]
    Grey,
    /// The number of pixels divided by 256, clipped: what the TensorFlow code of Noisy Student
    /// computes in place of a mean.
    Tf,
}

/// Changes each byte independently of the others, with the widest vector instructions available.
macro_rules! each_byte {
    ($image:expr, $value:ident => $new:expr) => {{
        let bytes = $image.pixels_mut();
        dispatch!(simd::level(), simd => {
            let _ = simd;
            for byte in &mut *bytes {
                let $value = *byte;
                *byte = $new;
            }
        });
    }};
}

/// `255 - x`.
pub fn invert(image: &mut Image) {
    each_byte!(image, value => !value);
}

/// Keeps the upper `bits` bits of every value; 0 makes the image black, 8 and more leave it alone.
pub fn posterize(image: &mut Image, bits: u8) {
    let mask = (0xff00u16 >> bits.min(8)) as u8;
    each_byte!(image, value => value & mask);
}

/// Inverts every value that is not below `threshold`; 256 and more leave the image alone.
pub fn solarize(image: &mut Image, threshold: u16) {
    let Ok(threshold) = u8::try_from(threshold) else { return };
    each_byte!(image, value => if value < threshold { value } else { !value });
}

/// Adds `add` to every value below `threshold`, clipped to 255.
pub fn solarize_add(image: &mut Image, add: u16, threshold: u8) {
    let add = add.min(255) as u8;
    each_byte!(image, value => if value < threshold { value.saturating_add(add) } else { value });
}

/// Stretches each channel so that its least value becomes 0 and its greatest 255; a channel of one
/// value stays.
pub fn auto_contrast(image: &mut Image) {
    let extremes = table::extremes(image);
    map_channels(image, |channel| {
        let (low, high) = extremes[channel];
        if high <= low {
            return None;
        }
        let scale = 255.0 / f64::from(high - low);
        let offset = -f64::from(low) * scale;
        let mut table = [0; 256];
        dispatch!(simd::level(), simd => {
            let _ = simd;
            for (i, entry) in table.iter_mut().enumerate() {
                let value = f64::from(i as i32) * scale + offset;
                *entry = simd::whole(value.clamp(0.0, 255.0));
            }
        });
        Some(table)
    });
}

/// Flattens the histogram of each channel.
pub fn equalize(image: &mut Image) {
    let histograms = table::histograms(image);
    map_channels(image, |channel| {
        let histogram = &histograms[channel];
        let last = histogram.iter().rposition(|&n| n > 0)?;
        let total: u32 = histogram.iter().sum();
        let step = (total - histogram[last]) / 255;
        if step == 0 {
            return None;
        }
        let (mut n, mut sums) = (step / 2, [0u32; 256]);
        for (sum, count) in sums.iter_mut().zip(histogram) {
            *sum = n;
            n += count;
        }
        let mut table = [0; 256];
        dispatch!(simd::level(), simd => {
            let _ = simd;
            for (entry, sum) in table.iter_mut().zip(sums) {
                // The quotient of whole numbers of 32 bits is never rounded up to a whole number.
                *entry = simd::whole((f64::from(sum) / f64::from(step)).min(255.0));
            }
        });
        Some(table)
    });
}

/// Blends with black: factor 0 is black, 1 the image itself.
pub fn brightness(image: &mut Image, factor: f64) {
    blend_all(image, 0, factor);
}

/// Blends with one grey: factor 0 is grey, 1 the image itself.
pub fn contrast(image: &mut Image, factor: f64, mean: ContrastMean) {
    let pixels = image.width() * image.height();
    let mean = match mean {
        ContrastMean::Grey => (grey_sum(image) as f64 / pixels as f64 + 0.5) as u8,
        ContrastMean::Tf => (pixels / 256).min(255) as u8,
    };
    blend_all(image, mean, factor);
}

/// Blends with the grey image: factor 0 is grey, 1 the image itself. A grey image stays as it is.
pub fn color(image: &mut Image, factor: f64) {
    if image.channels() != 3 {
        return;
    }
    let factor = factor as f32;
    let bytes = image.pixels_mut();
    let level = simd::level();
    let (blocks, rest) = bytes.as_chunks_mut::<192>();
    if simd::shuffles_bytes(level) {
        dispatch!(level, simd => color_blocks(simd, blocks, factor));
    } else {
        dispatch!(level, simd => {
            let _ = simd;
            blocks.iter_mut().for_each(|block| color_pixels(block, factor));
        });
    }
    color_pixels(rest, factor);
}

#[inline(always)]
fn color_pixels(bytes: &mut [u8], factor: f32) {
    for pixel in bytes.as_chunks_mut::<3>().0 {
        let grey = luma(pixel[0], pixel[1], pixel[2]);
        *pixel = pixel.map(|value| blend(grey, value, factor));
    }
}

#[inline(always)]
fn color_blocks<S: simd::Simd>(simd: S, blocks: &mut [[u8; 192]], factor: f32) {
    for block in blocks {
        // No closure handed to the standard library: it may be compiled separately, without the
        // vector instructions.
        let [red, green, blue] = simd::planes(simd, block);
        let (mut red, mut green, mut blue) =
            (simd::bytes(red), simd::bytes(green), simd::bytes(blue));
        let grey = lumas(&red, &green, &blue);
        blend_plane(&grey, &mut red, factor);
        blend_plane(&grey, &mut green, factor);
        blend_plane(&grey, &mut blue, factor);
        let [red, green, blue] =
            [simd::vector(simd, &red), simd::vector(simd, &green), simd::vector(simd, &blue)];
        simd::interleave(simd, [red, green, blue], block);
    }
}

#[inline(always)]
fn blend_plane(grey: &[u8; 64], plane: &mut [u8; 64], factor: f32) {
    for i in 0..64 {
        plane[i] = blend(grey[i], plane[i], factor);
    }
}

/// The grey of 64 pixels.
#[inline(always)]
fn lumas(red: &[u8; 64], green: &[u8; 64], blue: &[u8; 64]) -> [u8; 64] {
    let mut grey = [0; 64];
    for i in 0..64 {
        grey[i] = luma(red[i], green[i], blue[i]);
    }
    grey
}

/// Pillow's blend of a degenerate value with the value itself: in single precision, clipped, the
/// fraction dropped.
#[inline(always)]
pub(crate) fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let (from, to) = (i32::from(degenerate), i32::from(value));
    let mixed = (from as f32 + factor * (to - from) as f32).clamp(0.0, 255.0);
    // Cut to a whole number by adding 2^23, whose last bit is worth 1, and taking back what was
    // rounded up: unlike a cast this compiles to vector instructions.
    const WHOLE: f32 = 8_388_608.0;
    let rounded = mixed + WHOLE;
    (rounded.to_bits() - u32::from(rounded - WHOLE > mixed)) as u8
}

/// Blends the bytes from `before` an operation with the image's own, of which `share` is taken.
pub(crate) fn blend_with(image: &mut Image, before: &[u8], share: f64) {
    let share = share as f32;
    let bytes = image.pixels_mut();
    dispatch!(simd::level(), simd => {
        let _ = simd;
        for (byte, &before) in bytes.iter_mut().zip(before) {
            *byte = blend(before, *byte, share);
        }
    });
}

/// Blends one degenerate value with all others.
fn blend_all(image: &mut Image, degenerate: u8, factor: f64) {
    let factor = factor as f32;
    if simd::permutes_bytes(simd::level()) {
        let mut table = [0; 256];
        dispatch!(simd::level(), simd => {
            let _ = simd;
            for (i, entry) in table.iter_mut().enumerate() {
                *entry = blend(degenerate, i as u8, factor);
            }
        });
        table::look_up(image.pixels_mut(), &table);
    } else {
        // Arithmetic on whole vectors beats a table that is read byte by byte.
        each_byte!(image, value => blend(degenerate, value, factor));
    }
}

/// The sum of the grey image.
fn grey_sum(image: &Image) -> u64 {
    if image.channels() == 1 {
        return image.pixels().iter().map(|&v| u64::from(v)).sum();
    }
    let (blocks, rest) = image.pixels().as_chunks::<192>();
    let pixels = rest.as_chunks::<3>().0;
    let rest: u64 = pixels.iter().map(|p| u64::from(luma(p[0], p[1], p[2]))).sum();
    let level = simd::level();
    let blocks = if simd::shuffles_bytes(level) {
        dispatch!(level, simd => grey_sum_of_blocks(simd, blocks))
    } else {
        dispatch!(level, simd => {
            let _ = simd;
            let of_block = |block: &[u8; 192]| -> u64 {
                let pixels = block.as_chunks::<3>().0;
                pixels.iter().map(|p| u32::from(luma(p[0], p[1], p[2]))).sum::<u32>().into()
            };
            blocks.iter().map(of_block).sum()
        })
    };
    blocks + rest
}

#[inline(always)]
fn grey_sum_of_blocks<S: simd::Simd>(simd: S, blocks: &[[u8; 192]]) -> u64 {
    let mut total = 0;
    for block in blocks {
        let [red, green, blue] = simd::planes(simd, block);
        let grey = lumas(&simd::bytes(red), &simd::bytes(green), &simd::bytes(blue));
        let mut sum = 0;
        for value in grey {
            sum += u32::from(value);
        }
        total += u64::from(sum);
    }
    total
}
