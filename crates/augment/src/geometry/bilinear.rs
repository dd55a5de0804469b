//! Bilinear reading through an affine map in double precision, as Pillow does it, a block of pixels
//! at a time.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over fixed blocks become vector instructions"
)]

use super::plane::Plane;
use crate::simd::{self, dispatch};

/// Pixels of a block.
const BLOCK: usize = 16;

/// Two pixels side by side in the lower bytes of a word: the first `C` bytes, then the second `C`.
#[inline(always)]
fn pair<const C: usize>(bytes: &[u8], row: usize, x0: usize, x1: usize) -> u64 {
    let from = (row + x0) * C;
    if x1 == x0 + 1
        && let Some(word) = bytes[from..].first_chunk::<8>()
    {
        return u64::from_le_bytes(*word);
    }
    let mut word = [0; 8];
    word[..C].copy_from_slice(&bytes[from..][..C]);
    word[C..2 * C].copy_from_slice(&bytes[(row + x1) * C..][..C]);
    u64::from_le_bytes(word)
}

/// What is known of each pixel of a block before its value.
struct Block {
    /// The pixels above and below the place, each a [`pair`].
    above: [u64; BLOCK],
    below: [u64; BLOCK],
    /// The shares of the right and of the lower pixels.
    dx: [f64; BLOCK],
    dy: [f64; BLOCK],
    outside: [bool; BLOCK],
}

/// Beyond the outermost pixel centres the edge pixel is repeated, beyond the edge lies the fill.
/// Fractions are dropped.
pub(super) fn bilinear<const C: usize>(plane: &mut Plane<'_, C>, m: [f64; 6]) {
    dispatch!(simd::level(), simd => {
        let _ = simd;
        rows(plane, m)
    });
}

#[inline(always)]
fn rows<const C: usize>(plane: &mut Plane<'_, C>, m: [f64; 6]) {
    let (source, width, height) = (plane.source.as_flattened(), plane.width, plane.height);
    let mut block = Block {
        above: [0; BLOCK],
        below: [0; BLOCK],
        dx: [0.0; BLOCK],
        dy: [0.0; BLOCK],
        outside: [true; BLOCK],
    };
    for (line, target) in plane.target.chunks_exact_mut(width).enumerate() {
        let y_out = line as f64 + 0.5;
        for (number, target) in target.chunks_mut(BLOCK).enumerate() {
            let (mut xs, mut ys) = ([0.0; BLOCK], [0.0; BLOCK]);
            for i in 0..BLOCK {
                let x_out = (number * BLOCK + i) as f64 + 0.5;
                xs[i] = m[0] * x_out + m[1] * y_out + m[2];
                ys[i] = m[3] * x_out + m[4] * y_out + m[5];
            }
            // Of the pixels around each place, the right and the lower.
            let (mut rights, mut lowers) = ([0i32; BLOCK], [0i32; BLOCK]);
            for i in 0..BLOCK {
                let (x, y) = (xs[i], ys[i]);
                let inside = (x >= 0.0) & (x < width as f64) & (y >= 0.0) & (y < height as f64);
                let (x, y) = if inside { (x - 0.5, y - 0.5) } else { (0.0, 0.0) };
                let ((left, dx), (above, dy)) = (parts(x), parts(y));
                (block.dx[i], block.dy[i]) = (dx, dy);
                (rights[i], lowers[i]) = (left + 1, above + 1);
                block.outside[i] = !inside;
            }
            // Away from the edges the four pixels are two pairs, one below the other.
            let (mut amidst, mut places) = (true, [0u32; BLOCK]);
            for i in 0..BLOCK {
                let (right, lower) = (rights[i], lowers[i]);
                amidst &=
                    (right > 0) & (right < width as i32) & (lower > 0) & (lower < height as i32);
                places[i] = ((lower - 1) * width as i32 + right - 1).max(0) as u32;
            }
            if amidst {
                for i in 0..BLOCK {
                    let above = places[i] as usize;
                    block.above[i] = pair::<C>(source, above, 0, 1);
                    block.below[i] = pair::<C>(source, above + width, 0, 1);
                }
            } else {
                for i in 0..target.len() {
                    let (right, lower) = (rights[i] as usize, lowers[i] as usize);
                    let (x0, x1) = (right.saturating_sub(1), right.min(width - 1));
                    let (y0, y1) = (lower.saturating_sub(1), lower.min(height - 1));
                    block.above[i] = pair::<C>(source, y0 * width, x0, x1);
                    block.below[i] = pair::<C>(source, y1 * width, x0, x1);
                }
            }
            mix(&block, target);
            for (target, _) in target.iter_mut().zip(block.outside).filter(|(_, out)| *out) {
                *target = plane.fill;
            }
        }
    }
}

/// Weighs the four pixels of each place.
#[inline(always)]
fn mix<const C: usize>(block: &Block, target: &mut [[u8; C]]) {
    let mut values = [[0u8; BLOCK]; C];
    for channel in 0..C {
        for i in 0..BLOCK {
            let of = |word: u64, pixel: usize| {
                ((word >> (8 * (channel + C * pixel))) as u32 & 0xff) as i32 as f64
            };
            let lerp = |from: f64, to: f64, share: f64| from + (to - from) * share;
            let above = lerp(of(block.above[i], 0), of(block.above[i], 1), block.dx[i]);
            let below = lerp(of(block.below[i], 0), of(block.below[i], 1), block.dx[i]);
            values[channel][i] = simd::whole(lerp(above, below, block.dy[i]));
        }
    }
    for (i, target) in target.iter_mut().enumerate() {
        for channel in 0..C {
            target[channel] = values[channel][i];
        }
    }
}

/// The whole part, rounded down, and the fraction; by adding a number whose last bit is worth 1 and
/// taking back what was rounded up: unlike `floor` and casts this compiles to vector instructions
/// on every processor.
#[inline(always)]
fn parts(value: f64) -> (i32, f64) {
    // 3 * 2^51: between 2^52 and 2^53 doubles are whole numbers, and its lowest 32 bits are 0.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    let rounded = (value + WHOLE) - WHOLE;
    let whole = if rounded > value { rounded - 1.0 } else { rounded };
    ((whole + WHOLE).to_bits() as i32, value - whole)
}
