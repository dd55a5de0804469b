//! Operations that move pixels, with Pillow's arithmetic: an affine map says where in the source
//! each output pixel comes from.
//!
//! Source: `Image.rotate`, `Image.transform(AFFINE)` of Pillow, matched byte for byte
//! (`tests/it/golden.rs`).

use std::io::Write;

use fearless_simd::prelude::*;
use serde::{Deserialize, Serialize};

use crate::fill::Fill;
use crate::image::Image;
use crate::scratch::Scratch;
use crate::simd::{self, dispatch};

mod bicubic;
mod bilinear;
mod plane;

use plane::Plane;

/// How a place between pixels is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// The pixel that contains the place.
    #[default]
    Nearest,
    /// The four pixels around it, weighted.
    Bilinear,
    /// The sixteen around it, by cubics.
    Bicubic,
}

/// How a geometric operation reads its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// How a place between pixels is read.
    pub interpolation: Interpolation,
    /// What lies outside the image.
    pub fill: Fill,
}

impl Sampling {
    /// Nearest pixel, with this colour outside.
    pub const fn nearest(fill: Fill) -> Self {
        Self { interpolation: Interpolation::Nearest, fill }
    }

    /// Bilinear, with this colour outside.
    pub const fn bilinear(fill: Fill) -> Self {
        Self { interpolation: Interpolation::Bilinear, fill }
    }
}

/// Mirrors left and right.
pub fn flip(image: &mut Image) {
    let (stride, channels) = (image.width() * image.channels(), image.channels());
    let level = simd::level();
    if channels == 3 && simd::permutes_bytes(level) {
        return dispatch!(level, simd => {
            for row in image.pixels_mut().chunks_exact_mut(stride) {
                flip_row(simd, row);
            }
        });
    }
    for row in image.pixels_mut().chunks_exact_mut(stride) {
        match channels {
            1 => row.reverse(),
            _ => row.as_chunks_mut::<3>().0.reverse(),
        }
    }
}

/// Swaps blocks of 16 pixels from both ends, each reversed in itself, then the pixels that are left
/// in the middle.
#[inline(always)]
fn flip_row<S: simd::Simd>(simd: S, mut row: &mut [u8]) {
    const REVERSED: [u8; 64] = {
        let mut from = [0; 64];
        let mut i = 0;
        while i < 48 {
            from[i] = (3 * (15 - i / 3) + i % 3) as u8;
            i += 1;
        }
        from
    };
    let order = simd::vector(simd, &REVERSED);
    let reversed = |block: &[u8; 48]| {
        let mut padded = [0; 64];
        padded[..48].copy_from_slice(block);
        simd::bytes(simd::vector(simd, &padded).swizzle_dyn(order))
    };
    while row.len() >= 96 {
        let (left, rest) = row.split_at_mut(48);
        let (middle, right) = rest.split_at_mut(rest.len() - 48);
        if let (Some(left), Some(right)) = (left.first_chunk_mut::<48>(), right.first_chunk_mut()) {
            let (new_right, new_left) = (reversed(left), reversed(right));
            left.copy_from_slice(&new_left[..48]);
            right.copy_from_slice(&new_right[..48]);
        }
        row = middle;
    }
    row.as_chunks_mut::<3>().0.reverse();
}

/// Pads by mirroring at the edge pixels (which are not repeated) by `pad` on each side, then cuts
/// the original size out at `(dx, dy)`, each in `0..=2 * pad`; `(pad, pad)` is the image itself.
pub fn reflect_crop(image: &mut Image, pad: usize, dx: usize, dy: usize, scratch: &mut Scratch) {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    assert!(dx <= 2 * pad && dy <= 2 * pad, "crop offset ({dx}, {dy}) with a padding of {pad}");
    if dx == pad && dy == pad {
        return;
    }
    let stride = width * channels;
    // Columns whose source lies inside are one run, copied whole; only the margins are mirrored
    // pixel by pixel.
    let inside = pad.saturating_sub(dx).min(width)..(width + pad).saturating_sub(dx).min(width);
    let from = (inside.start + dx).saturating_sub(pad).min(width);
    let Scratch { bytes, columns, .. } = scratch;
    bytes.resize(height * stride, 0);
    let margins = || (0..inside.start).chain(inside.end..width);
    columns.clear();
    columns.extend(margins().map(|x| reflect(x as i64 + dx as i64 - pad as i64, width) as u32));
    for (y, out) in bytes.chunks_exact_mut(stride).enumerate() {
        let row = image.row(reflect(y as i64 + dy as i64 - pad as i64, height));
        let run = &row[from * channels..][..inside.len() * channels];
        out[inside.start * channels..][..run.len()].copy_from_slice(run);
        match channels {
            1 => mirror::<1>(row, out, margins(), columns),
            _ => mirror::<3>(row, out, margins(), columns),
        }
    }
    scratch.trade(image, width, height);
}

/// Copies the pixels at `from` to `places`.
fn mirror<const C: usize>(
    row: &[u8],
    out: &mut [u8],
    places: impl Iterator<Item = usize>,
    from: &[u32],
) {
    let (row, out) = (row.as_chunks::<C>().0, out.as_chunks_mut::<C>().0);
    for (place, &from) in places.zip(from) {
        out[place] = row[from as usize];
    }
}

/// The index that `i` mirrors to among `n` (edges not repeated, as often as needed).
pub(crate) fn reflect(i: i64, n: usize) -> usize {
    let period = 2 * (n as i64 - 1);
    if period == 0 {
        return 0;
    }
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}

/// Turns counter-clockwise about the centre by `degrees`, keeping the size. Right angles move
/// pixels exactly where the shape allows.
pub fn rotate(image: &mut Image, degrees: f64, sampling: Sampling, scratch: &mut Scratch) {
    let (width, height) = (image.width(), image.height());
    let degrees = degrees.rem_euclid(360.0);
    let square = width == height;
    match degrees {
        0.0 => return,
        180.0 => return permute(image, scratch, |x, y| (width - 1 - x, height - 1 - y)),
        90.0 if square => return permute(image, scratch, |x, y| (width - 1 - y, x)),
        270.0 if square => return permute(image, scratch, |x, y| (y, height - 1 - x)),
        _ => {}
    }
    let angle = -degrees.to_radians();
    let (cos, sin, minus_sin) = (round15(angle.cos()), round15(angle.sin()), round15(-angle.sin()));
    let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
    let c = cos * -cx + sin * -cy + 0.0 + cx;
    let f = minus_sin * -cx + cos * -cy + 0.0 + cy;
    affine(image, [cos, sin, c, minus_sin, cos, f], sampling, scratch);
}

/// Rounds to 15 decimals, correctly, as the reference does through the decimal form.
fn round15(value: f64) -> f64 {
    const DECIMALS: f64 = 1e15;
    let scaled = value * DECIMALS;
    let whole = scaled.round();
    // The product is off by less than 1/8, so the decimal form is needed only near halves. Both the
    // whole number and 10^15 are doubles, so that their quotient is the double next to the decimal
    // number.
    if ((scaled - whole).abs() - 0.5).abs() > 0.25 {
        return whole / DECIMALS;
    }
    let mut text = [0u8; 32];
    let mut rest = &mut text[..];
    let written = write!(rest, "{value:.15}").ok().map(|()| 32 - rest.len());
    written.and_then(|len| std::str::from_utf8(&text[..len]).ok()?.parse().ok()).unwrap_or(value)
}

fn permute(
    image: &mut Image,
    scratch: &mut Scratch,
    source: impl Fn(usize, usize) -> (usize, usize),
) {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let out = scratch.bytes(image.pixels().len());
    for (i, target) in out.chunks_exact_mut(channels).enumerate() {
        let (x, y) = source(i % width, i / width);
        target.copy_from_slice(&image.row(y)[x * channels..][..channels]);
    }
    scratch.trade(image, width, height);
}

/// Shears rows: the pixel at `(x, y)` comes from `(x + shear * y, y)`.
pub fn shear_x(image: &mut Image, shear: f64, sampling: Sampling, scratch: &mut Scratch) {
    affine(image, [1.0, shear, 0.0, 0.0, 1.0, 0.0], sampling, scratch);
}

/// Shears columns: the pixel at `(x, y)` comes from `(x, y + shear * x)`.
pub fn shear_y(image: &mut Image, shear: f64, sampling: Sampling, scratch: &mut Scratch) {
    affine(image, [1.0, 0.0, 0.0, shear, 1.0, 0.0], sampling, scratch);
}

/// Moves the content left by `pixels`.
pub fn translate_x(image: &mut Image, pixels: f64, sampling: Sampling, scratch: &mut Scratch) {
    affine(image, [1.0, 0.0, pixels, 0.0, 1.0, 0.0], sampling, scratch);
}

/// Moves the content up by `pixels`.
pub fn translate_y(image: &mut Image, pixels: f64, sampling: Sampling, scratch: &mut Scratch) {
    affine(image, [1.0, 0.0, 0.0, 0.0, 1.0, pixels], sampling, scratch);
}

/// Reads every output pixel `(x, y)` from the source at `(a x + b y + c, d x + e y + f)`, `matrix =
/// [a, b, c, d, e, f]`, where pixel centres lie at halves. The size stays.
pub fn affine(image: &mut Image, matrix: [f64; 6], sampling: Sampling, scratch: &mut Scratch) {
    match image.channels() {
        1 => affine_of::<1>(image, matrix, sampling, scratch),
        _ => affine_of::<3>(image, matrix, sampling, scratch),
    }
}

fn affine_of<const C: usize>(
    image: &mut Image,
    m: [f64; 6],
    sampling: Sampling,
    scratch: &mut Scratch,
) {
    let (width, height) = (image.width(), image.height());
    let fill: [u8; C] = std::array::from_fn(|channel| sampling.fill.pixel(C)[channel]);
    let Scratch { bytes, columns, .. } = scratch;
    bytes.resize(image.pixels().len(), 0);
    let mut plane = Plane {
        source: image.pixels().as_chunks::<C>().0,
        target: bytes.as_chunks_mut::<C>().0,
        width,
        height,
        fill,
    };
    let within = |x: f64, y: f64| {
        (x * m[0] + y * m[1] + m[2]).abs() < 32768.0 && (x * m[3] + y * m[4] + m[5]).abs() < 32768.0
    };
    let (w, h) = (width as f64, height as f64);
    if sampling.interpolation == Interpolation::Bicubic {
        bicubic::bicubic(&mut plane, m);
    } else if sampling.interpolation == Interpolation::Bilinear {
        bilinear::bilinear(&mut plane, m);
    } else if m[1] == 0.0 && m[3] == 0.0 {
        plane.scaled(m, columns);
    } else if within(0.0, 0.0) && within(w, h) && within(0.0, h) && within(w, 0.0) {
        plane.fixed_point(m, columns);
    } else {
        plane.floating_point(m);
    }
    scratch.trade(image, width, height);
}
