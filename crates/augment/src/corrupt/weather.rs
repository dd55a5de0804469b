//! Snow, fog and frost: a random layer over the image.

use super::blur::Motion;
use super::grid::Grid;
use super::pixels::byte;
use crate::fill::Fill;
use crate::image::Image;
use crate::rng::Rng;

/// The constants of snow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snow {
    /// Mean of the layer's noise.
    pub mean: f64,
    /// Its deviation.
    pub deviation: f64,
    /// By which flakes are enlarged.
    pub zoom: f64,
    /// Below which there is no flake.
    pub threshold: f64,
    /// How flakes are smeared as they fall.
    pub smear: Motion,
    /// The share of the image against its whitened self.
    pub mix: f64,
}

/// Snow from a layer of noise, falling in the direction of `degrees`.
pub fn snow(image: &Image, constants: &Snow, noise: &Grid, degrees: f64) -> Image {
    let flakes = noise
        .zoomed(constants.zoom)
        .map(|value| if value < constants.threshold { 0.0 } else { value.clamp(0.0, 1.0) });
    let Motion { radius, sigma } = constants.smear;
    let layer = flakes.smeared(radius, sigma, degrees);
    // The reference keeps the layer as bytes.
    let layer = layer.map(|value| (value * 255.0).round_ties_even() / 255.0);
    let mut channels = Grid::channels(image);
    let last = layer.values.len() - 1;
    for i in 0..=last {
        let grey = match &channels[..] {
            [red, green, blue] => {
                0.299 * red.values[i] + 0.587 * green.values[i] + 0.114 * blue.values[i]
            }
            channels => channels[0].values[i],
        };
        for channel in &mut channels {
            let x = channel.values[i];
            let white = constants.mix * x + (1.0 - constants.mix) * x.max(grey * 1.5 + 0.5);
            // The layer, and the layer upside down.
            channel.values[i] = white + layer.values[i] + layer.values[last - i];
        }
    }
    Grid::image(&channels)
}

/// The constants of fog.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fog {
    /// By which the map is multiplied before it is added to the image.
    pub thickness: f64,
    /// By which the noise of the map is divided from level to level (the authors' `wibbledecay`).
    pub decay: f64,
}

/// The constants of frost: the image and the texture of ice are added with these weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frost {
    /// The weight of the image.
    pub image: f64,
    /// The weight of the texture.
    pub ice: f64,
}

/// Fog of a thickness from a map of values from 0 to 1, at least as large as the image.
pub fn fog(image: &Image, thickness: f64, map: &Grid) -> Image {
    let mut channels = Grid::channels(image);
    let brightest = channels.iter().flat_map(|c| &c.values).copied().fold(0.0, f64::max);
    for channel in &mut channels {
        for (y, row) in channel.values.chunks_exact_mut(channel.width).enumerate() {
            for (value, fog) in row.iter_mut().zip(map.row(y)) {
                *value = (*value + thickness * fog) * brightest / (brightest + thickness);
            }
        }
    }
    Grid::image(&channels)
}

/// A map of `side` (a power of two) by the diamond-square algorithm, from 0 to 1; `uniform` gives
/// numbers from -1 to 1. The noise of each level is that of the level before divided by `decay`.
pub fn plasma(side: usize, decay: f64, mut uniform: impl FnMut() -> f64) -> Grid {
    assert!(side.is_power_of_two(), "a plasma map of side {side}");
    let mut map = vec![0.0; side * side];
    let (mut step, mut wibble) = (side, 100.0);
    while step >= 2 {
        let half = step / 2;
        let count = side / step;
        let mut mean = |sum: f64| sum / 4.0 + wibble * (wibble * uniform());
        let at = |map: &[f64], x: usize, y: usize| map[y % side * side + x % side];
        for (j, i) in (0..count).flat_map(|j| (0..count).map(move |i| (j, i))) {
            let (x, y) = (i * step, j * step);
            let corners = at(&map, x, y)
                + at(&map, x, y + step)
                + (at(&map, x + step, y) + at(&map, x + step, y + step));
            map[(y + half) * side + x + half] = mean(corners);
        }
        // Between two corners in a row, then between two in a column.
        for (j, i) in (0..count).flat_map(|j| (0..count).map(move |i| (j, i))) {
            let (x, y) = (i * step, j * step);
            let above = at(&map, x + half, y + side - half);
            let sides = at(&map, x, y) + at(&map, x + step, y);
            map[y * side + x + half] = mean(at(&map, x + half, y + half) + above + sides);
        }
        for (j, i) in (0..count).flat_map(|j| (0..count).map(move |i| (j, i))) {
            let (x, y) = (i * step, j * step);
            let left = at(&map, x + side - half, y + half);
            let ends = at(&map, x, y) + at(&map, x, y + step);
            map[(y + half) * side + x] = mean(at(&map, x + half, y + half) + left + ends);
        }
        step = half;
        wibble /= decay;
    }
    let least = map.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = map.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
    Grid { width: side, height: side, values: map }
        .map(|value| if greatest > 0.0 { (value - least) / greatest } else { 0.0 })
}

/// The longest side of a plasma map that is computed, for its memory grows by the square of it.
const LONGEST: usize = 4096;

/// A plasma map of `width` columns and `height` rows at least: of the power of two that holds both,
/// or where that is more than 4096 its map of 4096, each value as large as it has to be.
pub fn plasma_over(width: usize, height: usize, decay: f64, uniform: impl FnMut() -> f64) -> Grid {
    let side = width.max(height).next_power_of_two().max(2);
    let map = plasma(side.min(LONGEST), decay, uniform);
    if side <= LONGEST {
        return map;
    }
    let times = side / LONGEST;
    let row = |y: usize| map.row(y / times);
    let values = (0..height).flat_map(|y| (0..width).map(move |x| row(y)[x / times])).collect();
    Grid { width, height, values }
}

/// Frost: the weighted sum of the image and of a texture of its size.
pub fn frost(image: &Image, weights: &Frost, texture: &Image) -> Image {
    let shape = |image: &Image| [image.width(), image.height()];
    assert_eq!(shape(image), shape(texture), "width and height of image and texture");
    let channels = image.channels();
    let mut out = image.clone();
    let textures = texture.pixels().chunks_exact(texture.channels());
    for (pixel, texture) in out.pixels_mut().chunks_exact_mut(channels).zip(textures) {
        let texture = match (channels, texture) {
            (1, &[r, g, b]) => Fill::rgb(r, g, b).pixel(1),
            (_, &[v]) => [v; 3],
            (_, texture) => [texture[0], texture[1], texture[2]],
        };
        for (value, texture) in pixel.iter_mut().zip(texture) {
            *value = (weights.image * f64::from(*value) + weights.ice * f64::from(texture)) as u8;
        }
    }
    out
}

/// Mean and deviation of the grey of cuts of 224x224 from each of the authors' five photographs,
/// and the share of each colour in it.
const PHOTOGRAPHS: [(f64, f64, [f64; 3]); 5] = [
    (0.51, 0.06, [0.59, 1.14, 1.27]),
    (0.80, 0.08, [0.97, 0.99, 1.04]),
    (0.80, 0.08, [0.97, 0.99, 1.04]),
    (0.62, 0.105, [0.91, 1.0, 1.09]),
    (0.45, 0.14, [0.91, 1.0, 1.09]),
];

/// A texture of ice of our own, since the authors' photographs cannot be shipped: bright needles
/// along random directions on a plasma, with the mean, the deviation and the tint of one of the
/// photographs, each equally likely (mean 0.64 of white over all).
pub fn ice(width: usize, height: usize, rng: &mut Rng) -> Image {
    let (mean, deviation, tint) = PHOTOGRAPHS[rng.below(PHOTOGRAPHS.len())];
    let side = width.max(height).next_power_of_two().max(2);
    let base = plasma_over(width, height, 1.7, || rng.range(-1.0, 1.0));
    let mut needles = Grid::draw(width, height, || if rng.chance(0.02) { 1.0 } else { 0.0 });
    let reach = (side / 16).clamp(1, 20);
    let mut layer = Grid { width, height, values: vec![0.0; width * height] };
    for _ in 0..3 {
        let smeared = needles.smeared(reach, reach as f64, rng.range(0.0, 360.0));
        layer.values.iter_mut().zip(&smeared.values).for_each(|(sum, v)| *sum += v);
        needles.values.reverse();
    }
    let brightest = layer.values.iter().copied().fold(1e-9, f64::max);
    for (y, row) in layer.values.chunks_exact_mut(width).enumerate() {
        for (value, plasma) in row.iter_mut().zip(base.row(y)) {
            *value = 0.35 * plasma + 0.55 * (*value / brightest).sqrt();
        }
    }
    let count = layer.values.len() as f64;
    let center = layer.values.iter().sum::<f64>() / count;
    let square = |value: &f64| (value - center).powi(2);
    let spread = (layer.values.iter().map(square).sum::<f64>() / count).sqrt().max(1e-9);
    let light = layer.map(|value| mean + deviation * (value - center) / spread);
    let pixels = light.values.iter().flat_map(|light| tint.map(|share| byte(light * share)));
    Image::new(width, height, 3, pixels.collect())
}
