//! Spatter: drops of water or splashes of mud on the lens.
//!
//! The water's shading goes through steps of OpenCV on bytes (edges by Canny, distances to them in
//! a 5x5 chamfer metric, equalisation, an embossing kernel); they are written out here for one
//! channel.

use super::grid::{Edge, Grid};
use crate::geometry::reflect;
use crate::image::Image;

/// The constants of spatter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spatter {
    /// Mean of the layer's noise.
    pub mean: f64,
    /// Its deviation.
    pub deviation: f64,
    /// Deviation of the kernel that smooths it.
    pub sigma: f64,
    /// The value below which the layer is empty.
    pub threshold: f64,
    /// What is on the lens.
    pub liquid: Liquid,
}

/// What spatters the lens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Liquid {
    /// Drops of water.
    Water {
        /// The share of the water's colour that is added where there is most water.
        strength: f64,
    },
    /// Splashes of mud.
    Mud {
        /// Deviation of the kernel that softens their edges, in pixels.
        softness: f64,
    },
}

/// Spatters an image with a layer of noise of its size.
pub fn spatter(image: &Image, constants: &Spatter, noise: &Grid) -> Image {
    let layer = noise.blurred(constants.sigma, 4.0, Edge::Nearest);
    let layer = layer.map(|value| if value < constants.threshold { 0.0 } else { value });
    let mut channels = Grid::channels(image);
    let count = channels.len();
    let colour = |rgb: [f64; 3], channel: usize| {
        let [r, g, b] = rgb.map(|v| v / 255.0);
        if count == 1 { 0.2989 * r + 0.587 * g + 0.114 * b } else { [r, g, b][channel] }
    };
    match constants.liquid {
        Liquid::Mud { softness } => {
            let wet = layer.map(|value| f64::from(u8::from(value > constants.threshold)));
            let mask = wet.blurred(softness, 4.0, Edge::Nearest);
            let mask = mask.map(|value| if value < 0.8 { 0.0 } else { value });
            for (c, channel) in channels.iter_mut().enumerate() {
                let mud = colour([63.0, 42.0, 20.0], c);
                for (value, mask) in channel.values.iter_mut().zip(&mask.values) {
                    *value = *value * (1.0 - mask) + mud * mask;
                }
            }
        }
        Liquid::Water { strength } => {
            let mask = water(&layer, strength);
            for (c, channel) in channels.iter_mut().enumerate() {
                let water = colour([175.0, 238.0, 238.0], c);
                for (value, mask) in channel.values.iter_mut().zip(&mask) {
                    *value += (mask * water).clamp(0.0, 1.0);
                }
            }
        }
    }
    Grid::image(&channels)
}

/// How much water each pixel shows.
fn water(layer: &Grid, strength: f64) -> Vec<f64> {
    let (width, height) = (layer.width, layer.height);
    let liquid = Bytes {
        width,
        height,
        values: layer.values.iter().map(|v| (v * 255.0) as i64 as u8).collect(),
    };
    let edges = liquid.canny(50, 150);
    let distances = distances(&edges, width, height);
    let mut light = Bytes { width, height, values: vec![0; width * height] };
    let capped =
        |x: i64, y: i64| distances[reflect(y, height) * width + reflect(x, width)].min(20.0);
    for (i, value) in light.values.iter_mut().enumerate() {
        let (x, y) = ((i % width) as i64, (i / width) as i64);
        // As OpenCV sums and scales: where the mean is whole, rounding decides which byte it is cut
        // to.
        let sum: f64 = neighbours().map(|(dx, dy)| f64::from(capped(x + dx, y + dy))).sum();
        *value = (sum * (1.0 / 9.0)) as f32 as u8;
    }
    let light = light.equalized().embossed();
    let shade = |i: usize| {
        let (x, y) = ((i % width) as i64, (i / width) as i64);
        let sum: u32 = neighbours().map(|(dx, dy)| u32::from(light.at(x + dx, y + dy))).sum();
        // The mean of nine bytes, rounded.
        f64::from(liquid.values[i]) * f64::from((sum + 4) / 9)
    };
    let shades: Vec<f64> = (0..width * height).map(shade).collect();
    let brightest = shades.iter().copied().fold(0.0, f64::max);
    shades.iter().map(|v| if brightest > 0.0 { v / brightest * strength } else { 0.0 }).collect()
}

fn neighbours() -> impl Iterator<Item = (i64, i64)> {
    (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)))
}

/// A grey image that is read beyond its edges by mirroring.
struct Bytes {
    width: usize,
    height: usize,
    values: Vec<u8>,
}

impl Bytes {
    fn at(&self, x: i64, y: i64) -> u8 {
        self.values[reflect(y, self.height) * self.width + reflect(x, self.width)]
    }

    /// Canny's edges (1986): Sobel gradients, thinned across the edge, kept above `high` and, where
    /// they touch such, above `low`.
    fn canny(&self, low: i32, high: i32) -> Vec<bool> {
        let (width, height) = (self.width as i64, self.height as i64);
        let clamped = |x: i64, y: i64| {
            let (x, y) = (x.clamp(0, width - 1), y.clamp(0, height - 1));
            i32::from(self.values[(y * width + x) as usize])
        };
        let gradient = |x: i64, y: i64| {
            let column =
                |dx: i64| clamped(x + dx, y - 1) + 2 * clamped(x + dx, y) + clamped(x + dx, y + 1);
            let row =
                |dy: i64| clamped(x - 1, y + dy) + 2 * clamped(x, y + dy) + clamped(x + 1, y + dy);
            (column(1) - column(-1), row(1) - row(-1))
        };
        let places = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let gradients: Vec<(i32, i32)> = places().map(|(x, y)| gradient(x, y)).collect();
        let magnitude = |x: i64, y: i64| {
            if x < 0 || y < 0 || x >= width || y >= height {
                return 0;
            }
            let (gx, gy) = gradients[(y * width + x) as usize];
            gx.abs() + gy.abs()
        };
        // The tangent of 22.5 degrees in 15 bits.
        const TANGENT: i32 = 13573;
        let is_ridge = |x: i64, y: i64| {
            let m = magnitude(x, y);
            let (gx, gy) = gradients[(y * width + x) as usize];
            let (ax, ay) = (gx.abs(), gy.abs() << 15);
            let flat = ax * TANGENT;
            if ay < flat {
                m > magnitude(x - 1, y) && m >= magnitude(x + 1, y)
            } else if ay > flat + (ax << 16) {
                m > magnitude(x, y - 1) && m >= magnitude(x, y + 1)
            } else {
                let side = if (gx ^ gy) < 0 { -1 } else { 1 };
                m > magnitude(x - side, y - 1) && m > magnitude(x + side, y + 1)
            }
        };
        let candidates: Vec<bool> =
            places().map(|(x, y)| magnitude(x, y) > low && is_ridge(x, y)).collect();
        let mut edges = vec![false; candidates.len()];
        let mut open: Vec<(i64, i64)> = places()
            .filter(|&(x, y)| candidates[(y * width + x) as usize] && magnitude(x, y) > high)
            .collect();
        while let Some((x, y)) = open.pop() {
            let i = (y * width + x) as usize;
            if !std::mem::replace(&mut edges[i], true) {
                let near = neighbours().map(|(dx, dy)| (x + dx, y + dy));
                open.extend(near.filter(|&(x, y)| {
                    (0..width).contains(&x)
                        && (0..height).contains(&y)
                        && candidates[(y * width + x) as usize]
                }));
            }
        }
        edges
    }

    /// The histogram flattened, as OpenCV does it.
    fn equalized(mut self) -> Self {
        let mut counts = [0u32; 256];
        self.values.iter().for_each(|&v| counts[usize::from(v)] += 1);
        let total = self.values.len() as u32;
        let Some(first) = counts.iter().position(|&n| n > 0) else { return self };
        if counts[first] == total {
            return self;
        }
        let scale = 255.0 / (total - counts[first]) as f32;
        let (mut table, mut sum) = ([0u8; 256], 0);
        for (value, &count) in counts.iter().enumerate().skip(first + 1) {
            sum += count;
            table[value] = (sum as f32 * scale).round_ties_even() as u8;
        }
        self.values.iter_mut().for_each(|v| *v = table[usize::from(*v)]);
        self
    }

    /// Light from the upper left.
    fn embossed(self) -> Self {
        const KERNEL: [i32; 9] = [-2, -1, 0, -1, 1, 1, 0, 1, 2];
        let value = |i: usize| {
            let (x, y) = ((i % self.width) as i64, (i / self.width) as i64);
            let terms = neighbours().zip(KERNEL);
            let sum: i32 = terms.map(|((dx, dy), w)| w * i32::from(self.at(x + dx, y + dy))).sum();
            sum.clamp(0, 255) as u8
        };
        let values = (0..self.values.len()).map(value).collect();
        Self { values, ..self }
    }
}

/// The distance from each pixel to the nearest edge, along steps of 1, 1.4 and 2.1969 (a 5x5
/// chamfer metric); huge without any edge.
///
/// Summed in single precision as the library does that OpenCV's builds for x86 call; without it
/// OpenCV sums in 16.16 fixed point, which may move a distance over the next whole number.
fn distances(edges: &[bool], width: usize, height: usize) -> Vec<f32> {
    const FAR: f32 = 1e9;
    let (side, diagonal, knight) = (1.0f32, 1.4, 2.1969);
    // Steps to pixels that come before in reading order; backwards they are turned round.
    let steps = [
        (-1, 0, side),
        (0, -1, side),
        (-1, -1, diagonal),
        (1, -1, diagonal),
        (-2, -1, knight),
        (2, -1, knight),
        (-1, -2, knight),
        (1, -2, knight),
    ];
    let mut least: Vec<f32> = edges.iter().map(|&edge| if edge { 0.0 } else { FAR }).collect();
    let (w, h) = (width as i64, height as i64);
    for backwards in [false, true] {
        let sign = if backwards { -1 } else { 1 };
        for n in 0..w * h {
            let i = if backwards { w * h - 1 - n } else { n };
            let (x, y) = (i % w, i / w);
            for (dx, dy, length) in steps {
                let (x, y) = (x + sign * dx, y + sign * dy);
                if (0..w).contains(&x) && (0..h).contains(&y) {
                    least[i as usize] = least[i as usize].min(least[(y * w + x) as usize] + length);
                }
            }
        }
    }
    least
}
