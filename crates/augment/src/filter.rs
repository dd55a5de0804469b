//! Sharpness: the one operation of the papers that looks at neighbours.
//!
//! Source: Pillow's `ImageEnhance.Sharpness` over its SMOOTH kernel, `[1 1 1; 1 5 1; 1 1 1] / 13`.

use crate::color::blend;
use crate::image::Image;
use crate::scratch::Scratch;
use crate::simd::{self, dispatch};

/// Blends with the smoothed image: factor 0 is smooth, 1 the image itself, above 1 sharper. The
/// outermost pixels stay, and so does an image with a side below 3.
pub fn sharpness(image: &mut Image, factor: f64, scratch: &mut Scratch) {
    sharpness_by(image, factor, Thirteenth::Rounded, scratch);
}

/// Smooths: each pixel becomes the mean of its 3x3 neighbourhood, itself counted five times. The
/// outermost pixels stay.
pub fn smooth(image: &mut Image, scratch: &mut Scratch) {
    sharpness_by(image, 0.0, Thirteenth::Rounded, scratch);
}

/// How a sum of 13 bytes becomes their mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thirteenth {
    Rounded,
    Cut,
}

pub(crate) fn sharpness_by(
    image: &mut Image,
    factor: f64,
    mean: Thirteenth,
    scratch: &mut Scratch,
) {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    if width < 3 || height < 3 {
        return;
    }
    let stride = width * channels;
    let out = scratch.bytes(height * stride);
    let source = image.pixels();
    // The border is copied, the rest is computed.
    out[..stride].copy_from_slice(&source[..stride]);
    out[(height - 1) * stride..].copy_from_slice(&source[(height - 1) * stride..]);
    let (factor, half) = (factor as f32, if mean == Thirteenth::Rounded { 6 } else { 0 });
    dispatch!(simd::level(), simd => {
        let _ = simd;
        let rows = source.windows(3 * stride).step_by(stride);
        for (rows, out) in rows.zip(out[stride..].chunks_exact_mut(stride)) {
            row(rows, out, channels, factor, half);
        }
    });
    scratch.trade(image, width, height);
}

/// Blurs: each pixel becomes the mean of the ring two pixels away from it, the outermost two of
/// 5x5. The two outermost rows and columns stay, and so does an image with a side below 5.
pub fn blur(image: &mut Image, scratch: &mut Scratch) {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    if width < 5 || height < 5 {
        return;
    }
    let stride = width * channels;
    let source = image.pixels();
    let out = scratch.bytes(height * stride);
    out.copy_from_slice(source);
    for y in 2..height - 2 {
        let rows: [&[u8]; 5] = std::array::from_fn(|i| &source[(y + i - 2) * stride..][..stride]);
        let out = &mut out[y * stride..][..stride];
        for (i, out) in out.iter_mut().enumerate().take(stride - 2 * channels).skip(2 * channels) {
            let at = |row: usize, column: usize| {
                u32::from(rows[row][i + column * channels - 2 * channels])
            };
            let outer: u32 = (0..5).map(|column| at(0, column) + at(4, column)).sum();
            let sides: u32 = (1..4).map(|row| at(row, 0) + at(row, 4)).sum();
            *out = ((outer + sides + 8) / 16) as u8;
        }
    }
    scratch.trade(image, width, height);
}

/// One row from three.
#[inline(always)]
fn row(rows: &[u8], out: &mut [u8], channels: usize, factor: f32, half: u16) {
    let stride = out.len();
    let (above, rest) = rows.split_at(stride);
    let (here, below) = rest.split_at(stride);
    out[..channels].copy_from_slice(&here[..channels]);
    out[stride - channels..].copy_from_slice(&here[stride - channels..]);
    let inner = stride - 2 * channels;

    let (a0, a1, a2) =
        (&above[..inner], &above[channels..][..inner], &above[2 * channels..][..inner]);
    let (h0, h1, h2) = (&here[..inner], &here[channels..][..inner], &here[2 * channels..][..inner]);
    let (b0, b1, b2) =
        (&below[..inner], &below[channels..][..inner], &below[2 * channels..][..inner]);
    let out = &mut out[channels..][..inner];
    for i in 0..inner {
        let wide = |value: u8| u16::from(value);
        let ring = wide(a0[i])
            + wide(a1[i])
            + wide(a2[i])
            + wide(h0[i])
            + wide(h2[i])
            + wide(b0[i])
            + wide(b1[i])
            + wide(b2[i]);
        let sum = ring + 5 * wide(h1[i]);
        out[i] = blend(thirteenth(sum + half), h1[i], factor);
    }
}

/// `sum / 13` without its fraction, for sums of 13 bytes plus 6, with which it is rounded to
/// nearest; an odd divisor leaves no ties, so that this equals the reference's float arithmetic.
/// The multiplication by 5042 / 65536 is exact there (the test tries all).
#[inline(always)]
fn thirteenth(sum: u16) -> u8 {
    ((u32::from(sum) * 5042) >> 16) as u8
}

#[cfg(test)]
mod tests {
    #[test]
    fn thirteenths_are_exact() {
        for sum in 0..=13 * 255 + 6u16 {
            assert_eq!(u16::from(super::thirteenth(sum)), sum / 13, "{sum}");
        }
    }
}
