//! The tilt of ImageNet-P: an image as a plane in space, turned and seen through a pinhole.

use crate::image::Image;

type Matrix = [[f64; 3]; 3];

/// Pitch and yaw of the same angle at a distance of the diagonal; linear between pixels, rounded,
/// black outside.
///
/// As in the authors' code the plane lies one unit behind the centre about which it turns, so that
/// it shrinks by 1 in the diagonal even at 0 degrees. Places are read exactly, as by OpenCV's
/// `warpPerspective` from 5 on; before, it rounded them to 32nds of a pixel.
pub(super) fn tilted(image: &Image, degrees: f64) -> Image {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
    let source = adjugate(projection(degrees, (width as f64).hypot(height as f64)));
    let mut out = image.clone();
    for (i, pixel) in out.pixels_mut().chunks_exact_mut(channels).enumerate() {
        let (u, v) = ((i % width) as f64 - cx, (i / width) as f64 - cy);
        let [x, y, w] = source.map(|[a, b, c]| a * u + b * v + c);
        read(image, x / w + cx, y / w + cy, pixel);
    }
    out
}

/// The map from places of the plane to those of the picture, both from the middle, up to a factor.
fn projection(degrees: f64, focal: f64) -> Matrix {
    let (sin, cos) = degrees.to_radians().sin_cos();
    // (x, y, 1) turned about the vertical axis, then about the horizontal one.
    let across = [cos, 0.0, -sin];
    let depth = [sin, 0.0, cos];
    let down = [-sin * depth[0], cos, -sin * depth[2]];
    let away = [cos * depth[0], sin, cos * depth[2] + focal];
    [across.map(|v| focal * v), down.map(|v| focal * v), away]
}

/// The inverse, but for a factor.
fn adjugate(m: Matrix) -> Matrix {
    let minor = |r: usize, c: usize| {
        let [r0, r1] = [(r + 1) % 3, (r + 2) % 3];
        let [c0, c1] = [(c + 1) % 3, (c + 2) % 3];
        m[r0][c0] * m[r1][c1] - m[r0][c1] * m[r1][c0]
    };
    std::array::from_fn(|r| std::array::from_fn(|c| minor(c, r)))
}

/// The value between the four pixels around a place, where those outside are black.
fn read(image: &Image, x: f64, y: f64, pixel: &mut [u8]) {
    let (width, height) = (image.width() as f64, image.height() as f64);
    if !(x > -1.0 && y > -1.0 && x < width && y < height) {
        return pixel.fill(0);
    }
    let (left, top) = (x.floor(), y.floor());
    let (dx, dy) = (x - left, y - top);
    let mut sums = [0.0; 3];
    for (row, share) in [(top, 1.0 - dy), (top + 1.0, dy)] {
        for (column, part) in [(left, 1.0 - dx), (left + 1.0, dx)] {
            if (0.0..height).contains(&row) && (0.0..width).contains(&column) {
                let start = (row as usize * image.width() + column as usize) * pixel.len();
                for (sum, &value) in sums.iter_mut().zip(&image.pixels()[start..][..pixel.len()]) {
                    *sum += share * part * f64::from(value);
                }
            }
        }
    }
    pixel.iter_mut().zip(sums).for_each(|(value, sum)| *value = sum.round() as u8);
}
