//! What JPEG leaves of an image: the lossy steps of libjpeg-turbo as Pillow calls it (4:2:0, the accurate integer DCT, smooth
//! upsampling), without the entropy coding between them, which loses nothing. Equal to Pillow byte for byte (`tests/it/jpeg.rs`).

use crate::image::Image;

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

/// One component.
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
                    // The transform comes out eight times too large; half steps are rounded away from 0.
                    let divisor = 8 * step;
                    let level = (value.abs() + divisor / 2) / divisor * value.signum();
                    *value = level * step;
                }
                backward(&mut block);
                for (i, value) in block.iter().enumerate() {
                    let (x, y) = (left + i % 8, top + i / 8);
                    if x < self.width && y < self.height {
                        out[y * self.width + x] = (value + 128).clamp(0, 255) as u8;
                    }
                }
            }
        }
        self.values = out;
    }

    /// Means of 2x2, rounded down and up in turn. The right edge is repeated before, the lower one as far as the last pair.
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

    /// Twice the size: each value three parts of the nearest and one of the next, in both directions. Planes of up to two columns
    /// are repeated instead.
    fn doubled(&self, width: usize, height: usize) -> Self {
        let columns = width.div_ceil(2);
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let near = y / 2;
            let far = if y % 2 == 0 { near.saturating_sub(1) } else { near + 1 };
            let sum = |x: usize| 3 * u32::from(self.at(x, near)) + u32::from(self.at(x, far));
            for x in 0..width {
                let here = x / 2;
                values.push(if columns <= 2 {
                    self.at(here, near)
                } else if x == 0 {
                    ((4 * sum(0) + 8) >> 4) as u8
                } else if x == 2 * columns - 1 {
                    ((4 * sum(here) + 7) >> 4) as u8
                } else if x % 2 == 0 {
                    ((3 * sum(here) + sum(here - 1) + 8) >> 4) as u8
                } else {
                    ((3 * sum(here) + sum(here + 1) + 7) >> 4) as u8
                });
            }
        }
        Self { width, height, values }
    }
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

fn to_rgb(y: &Plane, cb: &Plane, cr: &Plane) -> Image {
    let mut pixels = Vec::with_capacity(3 * y.values.len());
    for ((&y, &cb), &cr) in y.values.iter().zip(&cb.values).zip(&cr.values) {
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
        let red = y + ((91881 * cr + HALF) >> BITS);
        let green = y + ((-22554 * cb - 46802 * cr + HALF) >> BITS);
        let blue = y + ((116_130 * cb + HALF) >> BITS);
        pixels.extend([red, green, blue].map(|value| value.clamp(0, 255) as u8));
    }
    Image::new(y.width, y.height, 3, pixels)
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
fn descale(value: i32, bits: i32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

/// The eight values of a line, `step` apart.
fn line(block: &[i32; 64], start: usize, step: usize) -> [i32; 8] {
    std::array::from_fn(|i| block[start + i * step])
}

/// The odd half that both transforms share.
fn odd(a: i32, b: i32, c: i32, d: i32) -> [i32; 4] {
    let z5 = (a + c + b + d) * C1_175;
    let (z1, z2) = (-(a + d) * C0_899, -(b + c) * C2_562);
    let (z3, z4) = (z5 - (a + c) * C1_961, z5 - (b + d) * C0_390);
    [a * C0_298 + z1 + z3, b * C2_053 + z2 + z4, c * C3_072 + z2 + z3, d * C1_501 + z1 + z4]
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

/// The inverse transform.
fn backward(block: &mut [i32; 64]) {
    for pass in 0..2 {
        for i in 0..8 {
            let (start, step) = if pass == 0 { (i, 8) } else { (8 * i, 1) };
            let v = line(block, start, step);
            let z1 = (v[2] + v[6]) * C0_541;
            let (t2, t3) = (z1 - v[6] * C1_847, z1 + v[2] * C0_765);
            let (t0, t1) = ((v[0] + v[4]) << CONST_BITS, (v[0] - v[4]) << CONST_BITS);
            let even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3];
            let odd = odd(v[7], v[5], v[3], v[1]);
            let bits = if pass == 0 { CONST_BITS - PASS_BITS } else { CONST_BITS + PASS_BITS + 3 };
            for k in 0..4 {
                block[start + k * step] = descale(even[k] + odd[3 - k], bits);
                block[start + (7 - k) * step] = descale(even[k] - odd[3 - k], bits);
            }
        }
    }
}
