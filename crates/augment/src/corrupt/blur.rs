//! Blurs: a normal kernel, separable, and a soft-edged disk.

use super::byte;
use crate::geometry::reflect;
use crate::image::Image;

/// Normalised weights of a normal density at `-radius..=radius`.
fn normal_kernel(radius: usize, sigma: f64) -> Vec<f64> {
    let offset = |i: usize| i as f64 - radius as f64;
    let weights: Vec<f64> =
        (0..=2 * radius).map(|i| (-0.5 * (offset(i) / sigma).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Blurs with a normal kernel cut at four deviations; the edge pixels go on outside.
pub(super) fn gaussian(image: &Image, sigma: f64) -> Image {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let radius = (4.0 * sigma + 0.5) as usize;
    let kernel = normal_kernel(radius, sigma);
    let clamp = |i: usize, tap: usize, side: usize| (i + tap).saturating_sub(radius).min(side - 1);
    let stride = width * channels;
    let mut columns = vec![0.0; stride * height];
    for (y, out) in columns.chunks_exact_mut(stride).enumerate() {
        for (tap, weight) in kernel.iter().enumerate() {
            for (sum, &value) in out.iter_mut().zip(image.row(clamp(y, tap, height))) {
                *sum += weight * f64::from(value) / 255.0;
            }
        }
    }
    let mut out = image.clone();
    for (i, value) in out.pixels_mut().iter_mut().enumerate() {
        let (line, x, channel) = (i / stride, i % stride / channels, i % channels);
        let row = &columns[line * stride..][..stride];
        let terms = kernel.iter().enumerate();
        *value =
            byte(terms.map(|(tap, w)| w * row[clamp(x, tap, width) * channels + channel]).sum());
    }
    out
}

/// Blurs with a disk whose edge is softened by a 3x3 (5x5 for radii above 8) normal kernel; the image is mirrored outside.
pub(super) fn disk(image: &Image, radius: f64, softness: f64) -> Image {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let taps = disk_taps(radius, softness);
    let mut out = image.clone();
    for (i, value) in out.pixels_mut().iter_mut().enumerate() {
        let (line, x, channel) = (i / channels / width, i / channels % width, i % channels);
        let at = |&(dx, dy, weight): &(i64, i64, f64)| {
            let (x, y) = (reflect(x as i64 + dx, width), reflect(line as i64 + dy, height));
            weight * f64::from(image.pixels()[(y * width + x) * channels + channel]) / 255.0
        };
        *value = byte(taps.iter().map(at).sum());
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
