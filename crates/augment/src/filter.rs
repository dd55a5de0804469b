//! Sharpness: the one operation of the papers that looks at neighbours.
//!
//! Source: Pillow's `ImageEnhance.Sharpness` over its SMOOTH kernel, `[1 1 1; 1 5 1; 1 1 1] / 13`.

use crate::color::blend;
use crate::image::Image;
use crate::scratch::Scratch;

/// Blends with the smoothed image: factor 0 is smooth, 1 the image itself, above 1 sharper. The outermost pixels stay, and so
/// does an image with a side below 3.
pub fn sharpness(image: &mut Image, factor: f64, scratch: &mut Scratch) {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    if width < 3 || height < 3 {
        return;
    }
    let stride = width * channels;
    let factor = factor as f32;
    let source = scratch.bytes(height * stride);
    source.copy_from_slice(image.pixels());
    let inner = stride - 2 * channels;
    for y in 1..height - 1 {
        let [above, here, below] = [y - 1, y, y + 1].map(|y| &source[y * stride..][..stride]);
        let columns = |row: usize| -> [&[u8]; 3] {
            let row = [above, here, below][row];
            [&row[..inner], &row[channels..][..inner], &row[2 * channels..][..inner]]
        };
        let ([a0, a1, a2], [h0, h1, h2], [b0, b1, b2]) = (columns(0), columns(1), columns(2));
        let out = &mut image.pixels_mut()[y * stride + channels..][..inner];
        for i in 0..inner {
            let ring =
                [a0, a1, a2, h0, h2, b0, b1, b2].iter().map(|side| u32::from(side[i])).sum::<u32>();
            let sum = ring + 5 * u32::from(h1[i]);
            // Rounded to nearest; an odd divisor leaves no ties, so this equals the reference's float arithmetic.
            let smooth = ((2 * sum + 13) / 26) as u8;
            out[i] = blend(smooth, h1[i], factor);
        }
    }
}
