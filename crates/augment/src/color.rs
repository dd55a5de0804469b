//! Operations on values alone, as Pillow computes them: a table of 256 entries or a few vector instructions.
//!
//! Source: Pillow's `ImageOps` and `ImageEnhance`, matched byte for byte (`tests/it/golden.rs`).

use serde::{Deserialize, Serialize};

use crate::fill::luma;
use crate::image::Image;

/// What `Contrast` blends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContrastMean {
    /// The rounded mean of the grey image, as in Pillow.
    #[default]
    Grey,
    /// The number of pixels divided by 256, clipped: what the TensorFlow code of Noisy Student computes in place of a mean.
    Tf,
}

/// `255 - x`.
pub fn invert(image: &mut Image) {
    for value in image.pixels_mut() {
        *value = !*value;
    }
}

/// Keeps the upper `bits` bits of every value; 0 makes the image black, 8 and more leave it alone.
pub fn posterize(image: &mut Image, bits: u8) {
    let mask = (0xff00u16 >> bits.min(8)) as u8;
    for value in image.pixels_mut() {
        *value &= mask;
    }
}

/// Inverts every value that is not below `threshold`; 256 and more leave the image alone.
pub fn solarize(image: &mut Image, threshold: u16) {
    for value in image.pixels_mut() {
        *value = if u16::from(*value) < threshold { *value } else { !*value };
    }
}

/// Adds `add` to every value below `threshold`, clipped to 255.
pub fn solarize_add(image: &mut Image, add: u16, threshold: u8) {
    let add = add.min(255) as u8;
    for value in image.pixels_mut() {
        *value = if *value < threshold { value.saturating_add(add) } else { *value };
    }
}

/// Stretches each channel so that its least value becomes 0 and its greatest 255; a channel of one value stays.
pub fn auto_contrast(image: &mut Image) {
    map_channels(image, |histogram| {
        let low = histogram.iter().position(|&n| n > 0)?;
        let high = histogram.iter().rposition(|&n| n > 0)?;
        if high <= low {
            return None;
        }
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        Some(std::array::from_fn(|i| (i as f64 * scale + offset) as u8))
    });
}

/// Flattens the histogram of each channel.
pub fn equalize(image: &mut Image) {
    map_channels(image, |histogram| {
        let last = histogram.iter().rposition(|&n| n > 0)?;
        let total: u32 = histogram.iter().sum();
        let step = (total - histogram[last]) / 255;
        if step == 0 {
            return None;
        }
        let mut n = step / 2;
        Some(std::array::from_fn(|i| {
            let level = (n / step).min(255) as u8;
            n += histogram[i];
            level
        }))
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
    for pixel in image.pixels_mut().as_chunks_mut::<3>().0 {
        let grey = luma(pixel[0], pixel[1], pixel[2]);
        *pixel = pixel.map(|value| blend(grey, value, factor));
    }
}

/// Pillow's blend of a degenerate value with the value itself: in single precision, clipped, the fraction dropped.
pub(crate) fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let (from, to) = (i32::from(degenerate), i32::from(value));
    let mixed = (from as f32 + factor * (to - from) as f32).clamp(0.0, 255.0);
    // Cut to a whole number by adding 2^23, whose last bit is worth 1, and taking back what was rounded up: unlike a cast this
    // compiles to vector instructions.
    const WHOLE: f32 = 8_388_608.0;
    let rounded = mixed + WHOLE;
    (rounded.to_bits() - u32::from(rounded - WHOLE > mixed)) as u8
}

/// Blends one degenerate value with all others: arithmetic on whole vectors beats a table here.
fn blend_all(image: &mut Image, degenerate: u8, factor: f64) {
    let factor = factor as f32;
    for value in image.pixels_mut() {
        *value = blend(degenerate, *value, factor);
    }
}

fn look_up(image: &mut Image, table: &[u8; 256]) {
    for value in image.pixels_mut() {
        *value = table[usize::from(*value)];
    }
}

fn grey_sum(image: &Image) -> u64 {
    match image.channels() {
        1 => image.pixels().iter().map(|&v| u64::from(v)).sum(),
        _ => image
            .pixels()
            .as_chunks::<3>()
            .0
            .iter()
            .map(|p| u64::from(luma(p[0], p[1], p[2])))
            .sum(),
    }
}

/// Counts each channel and maps it through the table made from its counts; `None` leaves the channel alone.
fn map_channels(image: &mut Image, table_of: impl Fn(&[u32; 256]) -> Option<[u8; 256]>) {
    let channels = image.channels();
    let mut histograms = [[0u32; 256]; 3];
    match channels {
        1 => image.pixels().iter().for_each(|&value| histograms[0][usize::from(value)] += 1),
        _ => {
            for pixel in image.pixels().as_chunks::<3>().0 {
                (0..3).for_each(|channel| histograms[channel][usize::from(pixel[channel])] += 1);
            }
        }
    }
    let mut changed = false;
    let tables = std::array::from_fn::<_, 3, _>(|channel| {
        let table = if channel < channels { table_of(&histograms[channel]) } else { None };
        changed |= table.is_some();
        table.unwrap_or_else(|| std::array::from_fn(|i| i as u8))
    });
    match channels {
        _ if !changed => {}
        1 => look_up(image, &tables[0]),
        _ => {
            for pixel in image.pixels_mut().as_chunks_mut::<3>().0 {
                *pixel =
                    std::array::from_fn(|channel| tables[channel][usize::from(pixel[channel])]);
            }
        }
    }
}
