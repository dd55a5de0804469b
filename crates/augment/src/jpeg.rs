//! What JPEG leaves of an image: the lossy steps of libjpeg-turbo as Pillow calls it (4:2:0, the
//! accurate integer DCT, smooth upsampling, fixed-point colour conversion), without the entropy
//! coding between them, which loses nothing. Equal to Pillow byte for byte (`tests/it/fields.rs`).
#![allow(
    clippy::needless_range_loop,
    reason = "loops over fixed blocks become vector instructions"
)]

use crate::image::Image;
use crate::simd::{self, dispatch};

/// Luminance and chrominance tables of ITU-T T.81, annex K, in rows.
const LUMINANCE: [i32; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMINANCE: [i32; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// The image after it was written with this quality (1 to 100) and read again.
pub fn round_trip(image: &Image, quality: u8) -> Image {
    let (width, height) = (image.width(), image.height());
    let [luminance, chrominance] = [LUMINANCE, CHROMINANCE].map(|table| scaled(table, quality));
    if image.channels() == 1 {
        let mut grey = Plane { width, height, values: image.pixels().to_vec() };
        grey.quantize(&luminance);
        return Image::new(width, height, 1, grey.values);
    }
    let [mut y, cb, cr] = to_ycc(image);
    y.quantize(&luminance);
    let [cb, cr] = [cb, cr].map(|plane| {
        let mut small = plane.halved();
        small.quantize(&chrominance);
        small.doubled(width, height)
    });
    to_rgb(&y, &cb, &cr)
}

fn scaled(table: [i32; 64], quality: u8) -> [i32; 64] {
    let quality = i32::from(quality.clamp(1, 100));
    let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    table.map(|entry| ((entry * scale + 50) / 100).clamp(1, 255))
}

/// One component of an image.
struct Plane {
    width: usize,
    height: usize,
    values: Vec<u8>,
}

impl Plane {
    /// The value at a place; beyond the right and lower edge the last one goes on.
    fn at(&self, x: usize, y: usize) -> u8 {
        self.values[y.min(self.height - 1) * self.width + x.min(self.width - 1)]
    }

    fn row(&self, y: usize) -> &[u8] {
        &self.values[y.min(self.height - 1) * self.width..][..self.width]
    }

    /// Transforms each block of 8x8, rounds by the table, and transforms back.
    fn quantize(&mut self, table: &[i32; 64]) {
        let mut out = self.values.clone();
        for top in (0..self.height).step_by(8) {
            for left in (0..self.width).step_by(8) {
                let mut block = [0; 64];
                for (i, value) in block.iter_mut().enumerate() {
                    *value = i32::from(self.at(left + i % 8, top + i / 8)) - 128;
                }
                forward(&mut block);
                for (value, &step) in block.iter_mut().zip(table) {
                    // The transform comes out eight times too large; half steps are rounded away
                    // from 0.
                    let divisor = 8 * step;
                    let level = (value.abs() + divisor / 2) / divisor * value.signum();
                    *value = level * step;
                }
                let block = inverse(&block);
                for (i, &value) in block.iter().enumerate() {
                    let (x, y) = (left + i % 8, top + i / 8);
                    if x < self.width && y < self.height {
                        out[y * self.width + x] = value;
                    }
                }
            }
        }
        self.values = out;
    }

    /// Means of 2x2, rounded down and up in turn. The right edge is repeated before, the lower one
    /// as far as the last pair.
    fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        // Blocks are filled with means of the repeated edge, which differ from the last mean.
        let padded = width.next_multiple_of(8);
        let mut values = Vec::with_capacity(padded * height);
        for y in 0..height {
            for x in 0..padded {
                let sum: u32 = [(0, 0), (1, 0), (0, 1), (1, 1)]
                    .iter()
                    .map(|(dx, dy)| u32::from(self.at(2 * x + dx, 2 * y + dy)))
                    .sum();
                values.push(((sum + 1 + x as u32 % 2) >> 2) as u8);
            }
        }
        Self { width: padded, height, values }
    }

    /// Twice the size, `width` by `height`: each value three parts of the nearest and one of the
    /// next, in both directions. Planes of up to two columns are repeated instead. Columns that
    /// only fill blocks are not looked at.
    fn doubled(&self, width: usize, height: usize) -> Self {
        let level = simd::level();
        dispatch!(level, simd => {
            let _ = simd;
            self.doubled_rows(width, height)
        })
    }

    #[inline(always)]
    fn doubled_rows(&self, width: usize, height: usize) -> Self {
        let columns = width.div_ceil(2);
        let mut values = vec![0; width * height];
        let mut sums = vec![0u16; columns];
        for (y, out) in values.chunks_exact_mut(width).enumerate() {
            let near = y / 2;
            let far = if y % 2 == 0 { near.saturating_sub(1) } else { near + 1 };
            let (near, far) = (&self.row(near)[..columns], &self.row(far)[..columns]);
            if columns > 2 {
                for ((sum, &near), &far) in sums.iter_mut().zip(near).zip(far) {
                    *sum = 3 * u16::from(near) + u16::from(far);
                }
                smooth_sums(&sums, out);
            } else {
                out.iter_mut().enumerate().for_each(|(x, out)| *out = near[x / 2]);
            }
        }
        Self { width, height, values }
    }
}

/// A row of twice the length (or one less) from at least three sums of four parts.
#[inline(always)]
fn smooth_sums(sums: &[u16], out: &mut [u8]) {
    out[0] = ((4 * sums[0] + 8) >> 4) as u8;
    out[1] = ((3 * sums[0] + sums[1] + 7) >> 4) as u8;
    for (three, out) in sums.windows(3).zip(out[2..].as_chunks_mut::<2>().0) {
        out[0] = ((3 * three[1] + three[0] + 8) >> 4) as u8;
        out[1] = ((3 * three[1] + three[2] + 7) >> 4) as u8;
    }
    let (last, start) = (sums.len() - 1, 2 * sums.len() - 2);
    out[start] = ((3 * sums[last] + sums[last - 1] + 8) >> 4) as u8;
    out[start + 1..].fill(((4 * sums[last] + 7) >> 4) as u8);
}

/// Shifts of fixed point, and its 1/2.
const BITS: i32 = 16;
const HALF: i32 = 1 << (BITS - 1);

fn to_ycc(image: &Image) -> [Plane; 3] {
    let (width, height) = (image.width(), image.height());
    let plane = |red: i32, green: i32, blue: i32, offset: i32| {
        let value = |p: &[u8; 3]| {
            let [r, g, b] = p.map(i32::from);
            ((red * r + green * g + blue * b + offset) >> BITS) as u8
        };
        let values = image.pixels().as_chunks::<3>().0.iter().map(value).collect();
        Plane { width, height, values }
    };
    let center = (128 << BITS) + HALF - 1;
    [
        plane(19595, 38470, 7471, HALF),
        plane(-11059, -21709, 32768, center),
        plane(32768, -27439, -5329, center),
    ]
}

/// The image of luminance and two colour differences.
fn to_rgb(y: &Plane, cb: &Plane, cr: &Plane) -> Image {
    let mut pixels = vec![0; 3 * y.values.len()];
    let level = simd::level();
    dispatch!(level, simd => {
        let _ = simd;
        convert(&y.values, &cb.values, &cr.values, &mut pixels)
    });
    Image::new(y.width, y.height, 3, pixels)
}

#[inline(always)]
fn convert(y: &[u8], cb: &[u8], cr: &[u8], pixels: &mut [u8]) {
    for (((pixel, &y), &cb), &cr) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(y).zip(cb).zip(cr)
    {
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
        pixel[0] = (y + ((91881 * cr + HALF) >> BITS)).clamp(0, 255) as u8;
        pixel[1] = (y + ((-22554 * cb - 46802 * cr + HALF) >> BITS)).clamp(0, 255) as u8;
        pixel[2] = (y + ((116_130 * cb + HALF) >> BITS)).clamp(0, 255) as u8;
    }
}

/// Fractional bits of the cosines, and those kept between the two passes.
const CONST_BITS: i32 = 13;
const PASS_BITS: i32 = 2;

/// Products of cosines in 13 bits (Loeffler, Ligtenberg and Moschytz 1989).
mod fixed {
    pub(super) const C0_298: i32 = 2446;
    pub(super) const C0_390: i32 = 3196;
    pub(super) const C0_541: i32 = 4433;
    pub(super) const C0_765: i32 = 6270;
    pub(super) const C0_899: i32 = 7373;
    pub(super) const C1_175: i32 = 9633;
    pub(super) const C1_501: i32 = 12299;
    pub(super) const C1_847: i32 = 15137;
    pub(super) const C1_961: i32 = 16069;
    pub(super) const C2_053: i32 = 16819;
    pub(super) const C2_562: i32 = 20995;
    pub(super) const C3_072: i32 = 25172;
}
use fixed::*;

/// Divides by a power of two, rounded.
#[inline(always)]
fn descale(value: i32, bits: i32) -> i32 {
    value.wrapping_add(1 << (bits - 1)) >> bits
}

/// The eight values of a line, `step` apart.
fn line(block: &[i32; 64], start: usize, step: usize) -> [i32; 8] {
    std::array::from_fn(|i| block[start + i * step])
}

/// The odd half that both transforms share.
#[inline(always)]
fn odd(a: i32, b: i32, c: i32, d: i32) -> [i32; 4] {
    let sum = |a: i32, b: i32| a.wrapping_add(b);
    let times = |a: i32, b: i32| a.wrapping_mul(b);
    let z5 = times(sum(sum(a, c), sum(b, d)), C1_175);
    let (z1, z2) = (times(sum(a, d), -C0_899), times(sum(b, c), -C2_562));
    let z3 = sum(z5, times(sum(a, c), -C1_961));
    let z4 = sum(z5, times(sum(b, d), -C0_390));
    [
        sum(times(a, C0_298), sum(z1, z3)),
        sum(times(b, C2_053), sum(z2, z4)),
        sum(times(c, C3_072), sum(z2, z3)),
        sum(times(d, C1_501), sum(z1, z4)),
    ]
}

/// The forward transform, scaled by 8.
fn forward(block: &mut [i32; 64]) {
    for pass in 0..2 {
        for i in 0..8 {
            let (start, step) = if pass == 0 { (8 * i, 1) } else { (i, 8) };
            let v = line(block, start, step);
            let sums: [i32; 4] = std::array::from_fn(|k| v[k] + v[7 - k]);
            let [d, c, b, a]: [i32; 4] = std::array::from_fn(|k| v[k] - v[7 - k]);
            let (t10, t13) = (sums[0] + sums[3], sums[0] - sums[3]);
            let (t11, t12) = (sums[1] + sums[2], sums[1] - sums[2]);
            let z1 = (t12 + t13) * C0_541;
            let odd = odd(a, b, c, d);
            let bits = if pass == 0 { CONST_BITS - PASS_BITS } else { CONST_BITS + PASS_BITS };
            let whole = |value: i32| {
                if pass == 0 { value << PASS_BITS } else { descale(value, PASS_BITS) }
            };
            let out = [
                whole(t10 + t11),
                descale(odd[3], bits),
                descale(z1 + t13 * C0_765, bits),
                descale(odd[2], bits),
                whole(t10 - t11),
                descale(odd[1], bits),
                descale(z1 - t12 * C1_847, bits),
                descale(odd[0], bits),
            ];
            out.iter().enumerate().for_each(|(k, &value)| block[start + k * step] = value);
        }
    }
}

/// The inverse transform of coefficients (rows, already multiplied by their quantisation steps) to
/// values from 0 to 255.
fn inverse(coefficients: &[i32; 64]) -> [u8; 64] {
    let level = simd::level();
    dispatch!(level, simd => {
        let _ = simd;
        inverse_block(coefficients)
    })
}

/// Eight columns at a time, so that each step is one vector operation.
#[inline(always)]
fn inverse_block(coefficients: &[i32; 64]) -> [u8; 64] {
    let mut lines = [[0; 8]; 8];
    for k in 0..8 {
        lines[k].copy_from_slice(&coefficients[8 * k..][..8]);
    }
    lines = transposed(&inverse_lines(&lines, CONST_BITS - PASS_BITS));
    lines = transposed(&inverse_lines(&lines, CONST_BITS + PASS_BITS + 3));
    let mut out = [0; 64];
    for y in 0..8 {
        for x in 0..8 {
            out[8 * y + x] = lines[y][x].wrapping_add(128).clamp(0, 255) as u8;
        }
    }
    out
}

#[inline(always)]
fn transposed(lines: &[[i32; 8]; 8]) -> [[i32; 8]; 8] {
    let mut out = [[0; 8]; 8];
    for y in 0..8 {
        for x in 0..8 {
            out[x][y] = lines[y][x];
        }
    }
    out
}

/// The one-dimensional transform across lines, for eight columns. Sums wrap: coefficients of a
/// damaged file may be anything.
#[inline(always)]
fn inverse_lines(v: &[[i32; 8]; 8], bits: i32) -> [[i32; 8]; 8] {
    let mut out = [[0; 8]; 8];
    for i in 0..8 {
        let times = |a: i32, b: i32| a.wrapping_mul(b);
        let z1 = times(v[2][i].wrapping_add(v[6][i]), C0_541);
        let t2 = z1.wrapping_sub(times(v[6][i], C1_847));
        let t3 = z1.wrapping_add(times(v[2][i], C0_765));
        let t0 = v[0][i].wrapping_add(v[4][i]) << CONST_BITS;
        let t1 = v[0][i].wrapping_sub(v[4][i]) << CONST_BITS;
        let even =
            [t0.wrapping_add(t3), t1.wrapping_add(t2), t1.wrapping_sub(t2), t0.wrapping_sub(t3)];
        let odd = odd(v[7][i], v[5][i], v[3][i], v[1][i]);
        for k in 0..4 {
            out[k][i] = descale(even[k].wrapping_add(odd[3 - k]), bits);
            out[7 - k][i] = descale(even[k].wrapping_sub(odd[3 - k]), bits);
        }
    }
    out
}
