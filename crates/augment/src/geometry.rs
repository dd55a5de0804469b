//! Operations that move pixels, with Pillow's arithmetic: each output pixel asks an affine map where it comes from.
//!
//! Source: `Image.rotate`, `Image.transform(AFFINE)` of Pillow, matched byte for byte (`tests/it/golden.rs`).

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::fill::Fill;
use crate::image::Image;
use crate::scratch::Scratch;

/// How a place between pixels is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// The pixel that contains the place.
    #[default]
    Nearest,
    /// The four pixels around it, weighted.
    Bilinear,
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
    let (width, channels) = (image.width(), image.channels());
    for row in image.pixels_mut().chunks_exact_mut(width * channels) {
        match channels {
            1 => row.reverse(),
            _ => row.as_chunks_mut::<3>().0.reverse(),
        }
    }
}

/// Pads by mirroring at the edge pixels (which are not repeated) by `pad` on each side, then cuts the original size out at `(dx, dy)`,
/// each in `0..=2 * pad`; `(pad, pad)` is the image itself.
pub fn reflect_crop(image: &mut Image, pad: usize, dx: usize, dy: usize, scratch: &mut Scratch) {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    assert!(dx <= 2 * pad && dy <= 2 * pad, "crop offset ({dx}, {dy}) with a padding of {pad}");
    if dx == pad && dy == pad {
        return;
    }
    let stride = width * channels;
    // Columns whose source lies inside are one run, copied whole; only the margins are mirrored pixel by pixel.
    let inside = pad.saturating_sub(dx).min(width)..(width + pad).saturating_sub(dx).min(width);
    let from = (inside.start + dx).saturating_sub(pad).min(width);
    scratch.bytes.resize(height * stride, 0);
    for (y, out) in scratch.bytes.chunks_exact_mut(stride).enumerate() {
        let row = image.row(reflect(y as i64 + dy as i64 - pad as i64, height));
        let run = &row[from * channels..][..inside.len() * channels];
        out[inside.start * channels..][..run.len()].copy_from_slice(run);
        for x in (0..inside.start).chain(inside.end..width) {
            let source = reflect(x as i64 + dx as i64 - pad as i64, width);
            out[x * channels..][..channels].copy_from_slice(&row[source * channels..][..channels]);
        }
    }
    scratch.trade(image, width, height);
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

/// Turns counter-clockwise about the centre by `degrees`, keeping the size. Right angles move pixels exactly where the shape allows.
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

/// Rounds to 15 decimals, correctly, through the decimal form as the reference does.
fn round15(value: f64) -> f64 {
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

/// Reads every output pixel `(x, y)` from the source at `(a x + b y + c, d x + e y + f)`, `matrix = [a, b, c, d, e, f]`, where pixel
/// centres lie at halves. The size stays.
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
    let Scratch { bytes, columns } = scratch;
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
    if sampling.interpolation == Interpolation::Bilinear {
        plane.bilinear(m);
    } else if m[1] == 0.0 && m[3] == 0.0 {
        plane.scaled(m, columns);
    } else if within(0.0, 0.0) && within(w, h) && within(0.0, h) && within(w, 0.0) {
        plane.fixed_point(m);
    } else {
        plane.floating_point(m);
    }
    scratch.trade(image, width, height);
}

/// A source and a target of `width` by `height` pixels of `C` bytes.
struct Plane<'a, const C: usize> {
    source: &'a [[u8; C]],
    target: &'a mut [[u8; C]],
    width: usize,
    height: usize,
    fill: [u8; C],
}

/// The pixel that holds a coordinate; none left of 0.
fn cell(coordinate: f64, side: usize) -> Option<usize> {
    if coordinate < 0.0 { None } else { Some(coordinate as usize).filter(|&i| i < side) }
}

impl<const C: usize> Plane<'_, C> {
    /// Nearest, no mixing of axes: the columns are found once. Positions are summed up, as the reference does.
    fn scaled(&mut self, m: [f64; 6], columns: &mut Vec<u32>) {
        let mut x = m[2] + m[0] * 0.5;
        columns.clear();
        for _ in 0..self.width {
            columns.push(cell(x, self.width).map_or(u32::MAX, |column| column as u32));
            x += m[0];
        }
        let mut y = m[5] + m[4] * 0.5;
        for target in self.target.chunks_exact_mut(self.width) {
            match cell(y, self.height) {
                None => target.fill(self.fill),
                Some(line) => {
                    let row = &self.source[line * self.width..][..self.width];
                    for (target, &column) in target.iter_mut().zip(&*columns) {
                        *target = *row.get(column as usize).unwrap_or(&self.fill);
                    }
                }
            }
            y += m[4];
        }
    }

    /// Nearest in 16.16 fixed point.
    fn fixed_point(&mut self, m: [f64; 6]) {
        let fix = |v: f64| (v * 65536.0 + 0.5).floor() as i64;
        let (a, b, d, e) = (fix(m[0]), fix(m[1]), fix(m[3]), fix(m[4]));
        let mut c = fix(m[2] + m[0] * 0.5 + m[1] * 0.5);
        let mut f = fix(m[5] + m[3] * 0.5 + m[4] * 0.5);
        let (width, height) = (self.width as u64, self.height as u64);
        for target in self.target.chunks_exact_mut(self.width) {
            let (mut x, mut y) = (c, f);
            for target in target {
                // A negative cell wraps to a huge one, so one comparison checks both ends.
                let (column, line) = ((x >> 16) as u64, (y >> 16) as u64);
                let inside = column < width && line < height;
                *target =
                    if inside { self.source[(line * width + column) as usize] } else { self.fill };
                x += a;
                y += d;
            }
            c += b;
            f += e;
        }
    }

    /// Nearest for coordinates that fixed point cannot hold.
    fn floating_point(&mut self, m: [f64; 6]) {
        let mut c = m[2] + m[0] * 0.5 + m[1] * 0.5;
        let mut f = m[5] + m[3] * 0.5 + m[4] * 0.5;
        for target in self.target.chunks_exact_mut(self.width) {
            let (mut x, mut y) = (c, f);
            for target in target {
                *target = match (cell(x, self.width), cell(y, self.height)) {
                    (Some(column), Some(line)) => self.source[line * self.width + column],
                    _ => self.fill,
                };
                x += m[0];
                y += m[3];
            }
            c += m[1];
            f += m[4];
        }
    }

    /// Bilinear; beyond the outermost pixel centres the edge pixel is repeated, beyond the edge lies the fill. Fractions are dropped.
    fn bilinear(&mut self, m: [f64; 6]) {
        let (width, height) = (self.width as f64, self.height as f64);
        for (line, target) in self.target.chunks_exact_mut(self.width).enumerate() {
            let y_out = line as f64 + 0.5;
            for (column, target) in target.iter_mut().enumerate() {
                let x_out = column as f64 + 0.5;
                let x = m[0] * x_out + m[1] * y_out + m[2];
                let y = m[3] * x_out + m[4] * y_out + m[5];
                if !(x >= 0.0 && x < width && y >= 0.0 && y < height) {
                    *target = self.fill;
                    continue;
                }
                let (x, y) = (x - 0.5, y - 0.5);
                let (left, top) = (x.floor(), y.floor());
                let (dx, dy) = (x - left, y - top);
                let (x0, x1) =
                    (left.max(0.0) as usize, ((left + 1.0) as usize).min(self.width - 1));
                let (y0, y1) = (top.max(0.0) as usize, ((top + 1.0) as usize).min(self.height - 1));
                let (upper, lower) =
                    (&self.source[y0 * self.width..], &self.source[y1 * self.width..]);
                *target = std::array::from_fn(|channel| {
                    let mix = |from: f64, to: f64, share: f64| from + (to - from) * share;
                    let of = |row: &[[u8; C]], x: usize| f64::from(row[x][channel]);
                    let above = mix(of(upper, x0), of(upper, x1), dx);
                    let below = mix(of(lower, x0), of(lower, x1), dx);
                    mix(above, below, dy) as u8
                });
            }
        }
    }
}
