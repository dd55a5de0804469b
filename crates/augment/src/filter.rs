//! Sharpness: the one operation of the papers that looks at neighbours.
//!
//! Source: Pillow's `ImageEnhance.Sharpness` over its SMOOTH kernel, `[1 1 1; 1 5 1; 1 1 1] / 13`.

use crate::color::blend;
use crate::image::Image;
use crate::scratch::Scratch;
use crate::simd::{self, dispatch};

/// Blends with the smoothed image: factor 0 is smooth, 1 the image itself, above 1 sharper. The outermost pixels stay, and so
/// does an image with a side below 3.
pub fn sharpness(image: &mut Image, factor: f64, scratch: &mut Scratch) {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    if width < 3 || height < 3 {
        return;
    }
    let stride = width * channels;
    let out = scratch.bytes(height * stride);
    let source = image.pixels();
    // The border is copied, the rest written anew.
    out[..stride].copy_from_slice(&source[..stride]);
    out[(height - 1) * stride..].copy_from_slice(&source[(height - 1) * stride..]);
    dispatch!(simd::level(), simd => {
        let _ = simd;
        for (rows, out) in source.windows(3 * stride).step_by(stride).zip(out[stride..].chunks_exact_mut(stride)) {
            row(rows, out, channels, factor as f32);
        }
    });
    scratch.trade(image, width, height);
}

/// One row from three.
#[inline(always)]
fn row(rows: &[u8], out: &mut [u8], channels: usize, factor: f32) {
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
        out[i] = blend(thirteenth(sum), h1[i], factor);
    }
}

/// `sum / 13` rounded to nearest, for sums of 13 bytes. An odd divisor leaves no ties, so this equals the reference's float
/// arithmetic. The multiplication by 5042 / 65536 is exact there (the test tries all sums).
#[inline(always)]
fn thirteenth(sum: u16) -> u8 {
    ((u32::from(sum + 6) * 5042) >> 16) as u8
}

#[cfg(test)]
mod tests {
    #[test]
    fn thirteenths_are_rounded_to_nearest() {
        for sum in 0..=13 * 255u16 {
            assert_eq!(u32::from(super::thirteenth(sum)), (2 * u32::from(sum) + 13) / 26, "{sum}");
        }
    }
}
