//! Blurs: a normal kernel, separable, and a soft-edged disk.

use super::grid::{Edge, Grid, normal_kernel};
use super::pixels::byte;
use crate::geometry::reflect;
use crate::image::Image;

/// Blurs with a normal kernel cut at four deviations; the edge pixels go on outside.
pub(super) fn gaussian(image: &Image, sigma: f64) -> Image {
    let blurred = |channel: Grid| channel.blurred(sigma, 4.0, Edge::Nearest);
    Grid::image(&Grid::channels(image).into_iter().map(blurred).collect::<Vec<_>>())
}

/// The constants of glass blur.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glass {
    /// Deviation of the normal kernel, in pixels.
    pub sigma: f64,
    /// How far away a pixel is taken from at most, in pixels along each axis.
    pub reach: usize,
    /// How often all pixels are shuffled.
    pub passes: usize,
}

/// The constants of motion blur, and of the smear of snow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    /// The one-sided kernel has `2 radius + 1` taps.
    pub radius: usize,
    /// Deviation of the kernel, in pixels.
    pub sigma: f64,
}

/// The constants of defocus blur.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defocus {
    /// Radius of the disk, in pixels.
    pub radius: f64,
    /// Deviation of the normal kernel that softens its edge, in pixels.
    pub softness: f64,
}

/// As through ground glass: blurred, each pixel taken from nearby (`offset` gives columns and rows
/// from `-reach` to `reach - 1`), and blurred again. In colour a pixel is copied rather than
/// exchanged: the reference exchanges views of one array, which copies.
pub fn glass(image: &Image, constants: &Glass, mut offset: impl FnMut() -> [i64; 2]) -> Image {
    let Glass { sigma, reach, passes } = *constants;
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let mut out = gaussian(image, sigma);
    for _ in 0..passes {
        for y in (reach + 1..=height.saturating_sub(reach)).rev() {
            for x in (reach + 1..=width.saturating_sub(reach)).rev() {
                let [dx, dy] = offset();
                let place = |x: i64, y: i64| (y as usize * width + x as usize) * channels;
                let here = place(x as i64, y as i64);
                let there = place(x as i64 + dx, y as i64 + dy);
                let pixels = out.pixels_mut();
                match channels {
                    1 => pixels.swap(here, there),
                    _ => pixels.copy_within(there..there + channels, here),
                }
            }
        }
    }
    gaussian(&out, sigma)
}

/// The mean of the image and of its middle enlarged by each factor.
pub fn zoom(image: &Image, factors: &[f64]) -> Image {
    let mean = |channel: Grid| {
        let mut sum = channel.clone();
        for &factor in factors {
            let zoomed = channel.zoomed(factor);
            sum.values.iter_mut().zip(zoomed.values).for_each(|(sum, v)| *sum += v);
        }
        sum.map(|value| value / (factors.len() + 1) as f64)
    };
    Grid::image(&Grid::channels(image).into_iter().map(mean).collect::<Vec<_>>())
}

/// Smears in the direction of `degrees`, by a one-sided normal kernel; the edge pixels go on
/// outside.
pub fn motion(image: &Image, constants: &Motion, degrees: f64) -> Image {
    let smeared = |channel: Grid| channel.smeared(constants.radius, constants.sigma, degrees);
    Grid::image(&Grid::channels(image).into_iter().map(smeared).collect::<Vec<_>>())
}

/// Blurs with a disk whose edge is softened by a 3x3 (5x5 for radii above 8) normal kernel; the
/// image is mirrored outside.
pub(super) fn disk(image: &Image, radius: f64, softness: f64) -> Image {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let taps = disk_taps(radius, softness);
    let reach = taps.iter().map(|&(dx, ..)| dx.unsigned_abs() as usize).max().unwrap_or(0);
    let columns = width + 2 * reach;
    // Every row with its mirrored ends, so that a tap adds one run of the source to one row of
    // sums.
    let mut padded = Vec::with_capacity(columns * channels * height);
    for y in 0..height {
        for x in 0..columns {
            let x = reflect(x as i64 - reach as i64, width);
            padded.extend(image.row(y)[x * channels..][..channels].iter().map(|&v| f64::from(v)));
        }
    }
    let mut sums = vec![0.0; width * channels];
    let mut out = image.clone();
    for (y, values) in out.pixels_mut().chunks_exact_mut(width * channels).enumerate() {
        sums.fill(0.0);
        for &(dx, dy, weight) in &taps {
            let row = reflect(y as i64 + dy, height) * columns;
            let first = row + (reach as i64 + dx) as usize;
            for (sum, value) in sums.iter_mut().zip(&padded[first * channels..]) {
                *sum += weight * value / 255.0;
            }
        }
        values.iter_mut().zip(&sums).for_each(|(value, &sum)| *value = byte(sum));
    }
    out
}

/// The weights of the disk that are not 0, with their offsets (right, down).
fn disk_taps(radius: f64, softness: f64) -> Vec<(i64, i64, f64)> {
    let (reach, soft) = if radius <= 8.0 { (8i64, 1usize) } else { (radius as i64, 2) };
    let side = 2 * reach as usize + 1;
    let inside = |x: usize, y: usize| {
        let (x, y) = (x as f64 - reach as f64, y as f64 - reach as f64);
        f64::from(x * x + y * y <= radius * radius)
    };
    let total: f64 = (0..side * side).map(|i| inside(i % side, i / side)).sum();
    let kernel = normal_kernel(soft, softness);
    let mirrored = |i: usize, tap: usize| reflect(i as i64 + tap as i64 - soft as i64, side);
    let mut taps = Vec::new();
    for i in 0..side * side {
        let (x, y) = (i % side, i / side);
        let mut weight = 0.0;
        for (b, down) in kernel.iter().enumerate() {
            for (a, right) in kernel.iter().enumerate() {
                weight += down * right * inside(mirrored(x, a), mirrored(y, b)) / total;
            }
        }
        if weight > 0.0 {
            taps.push((x as i64 - reach, y as i64 - reach, weight));
        }
    }
    taps
}
