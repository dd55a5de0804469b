//! A channel of an image, or a layer of weather, in double precision, and what is done to whole
//! layers.

use super::pixels::byte;
use crate::geometry::reflect;
use crate::image::Image;

/// `height` rows of `width` values.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row.
    pub values: Vec<f64>,
}

/// What lies beyond an edge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// The edge goes on.
    Nearest,
    /// Mirrored with the edge repeated.
    Reflect,
    /// Mirrored at the edge.
    Mirror,
}

impl Edge {
    /// The index within `0..side` that stands for `i`.
    pub(super) fn index(self, i: i64, side: usize) -> usize {
        match self {
            Self::Nearest => i.clamp(0, side as i64 - 1) as usize,
            Self::Mirror => reflect(i, side),
            Self::Reflect => {
                let i = i.rem_euclid(2 * side as i64);
                i.min(2 * side as i64 - 1 - i) as usize
            }
        }
    }
}

impl Grid {
    /// A grid drawn value by value, row by row.
    pub fn draw(width: usize, height: usize, mut value: impl FnMut() -> f64) -> Self {
        Self { width, height, values: (0..width * height).map(|_| value()).collect() }
    }

    /// The channels of an image, each value from 0 to 1.
    pub(crate) fn channels(image: &Image) -> Vec<Self> {
        let channel = |c: usize| {
            let values = image.pixels().iter().skip(c).step_by(image.channels());
            let values = values.map(|&v| f64::from(v) / 255.0).collect();
            Self { width: image.width(), height: image.height(), values }
        };
        (0..image.channels()).map(channel).collect()
    }

    /// The image of these channels, clipped and cut to bytes.
    pub(crate) fn image(channels: &[Self]) -> Image {
        let (width, height) = (channels[0].width, channels[0].height);
        let pixels = (0..width * height)
            .flat_map(|i| channels.iter().map(move |grid| byte(grid.values[i])))
            .collect();
        Image::new(width, height, channels.len(), pixels)
    }

    pub(super) fn row(&self, y: usize) -> &[f64] {
        &self.values[y * self.width..][..self.width]
    }

    pub(super) fn map(mut self, change: impl Fn(f64) -> f64) -> Self {
        self.values.iter_mut().for_each(|value| *value = change(*value));
        self
    }

    /// Blurred by a normal kernel cut at `truncate` deviations.
    pub(super) fn blurred(&self, sigma: f64, truncate: f64, edge: Edge) -> Self {
        let radius = (truncate * sigma + 0.5) as usize;
        if radius == 0 {
            return self.clone();
        }
        let kernel = normal_kernel(radius, sigma);
        let mut down = vec![0.0; self.values.len()];
        for (y, out) in down.chunks_exact_mut(self.width).enumerate() {
            for (tap, weight) in kernel.iter().enumerate() {
                let from = edge.index((y + tap) as i64 - radius as i64, self.height);
                for (sum, value) in out.iter_mut().zip(self.row(from)) {
                    *sum += weight * value;
                }
            }
        }
        let mut padded = vec![0.0; self.width + 2 * radius];
        let mut values = Vec::with_capacity(self.values.len());
        for row in down.chunks_exact(self.width) {
            for (i, value) in padded.iter_mut().enumerate() {
                *value = row[edge.index(i as i64 - radius as i64, self.width)];
            }
            let start = values.len();
            values.resize(start + self.width, 0.0);
            for (tap, weight) in kernel.iter().enumerate() {
                for (sum, value) in values[start..].iter_mut().zip(&padded[tap..]) {
                    *sum += weight * value;
                }
            }
        }
        Self { width: self.width, height: self.height, values }
    }

    /// The middle, enlarged linearly by `factor` to this grid's size (at least; a remainder is cut
    /// off on all sides).
    pub(super) fn zoomed(&self, factor: f64) -> Self {
        let axis = |side: usize| {
            let kept = (side as f64 / factor).ceil() as usize;
            let (kept, enlarged) = (kept, (kept as f64 * factor).round_ties_even() as usize);
            let first = (side - kept) / 2;
            let trim = enlarged.saturating_sub(side) / 2;
            let step =
                if enlarged > 1 { (kept as f64 - 1.0) / (enlarged as f64 - 1.0) } else { 1.0 };
            let place = move |i: usize| {
                let at = (i + trim) as f64 * step;
                // As in scipy, rounding may carry the last place over the edge, where there is
                // nothing.
                (at <= kept as f64 - 1.0).then(|| {
                    let whole = at.floor();
                    let next = (whole as usize + 1).min(kept - 1);
                    (first + whole as usize, first + next, at - whole)
                })
            };
            (0..side).map(place).collect::<Vec<_>>()
        };
        let (columns, rows) = (axis(self.width), axis(self.height));
        let mut values = Vec::with_capacity(self.values.len());
        for row in rows {
            for column in &columns {
                let (Some((y0, y1, dy)), Some((x0, x1, dx))) = (row, *column) else {
                    values.push(0.0);
                    continue;
                };
                let along = |y: usize| {
                    let row = self.row(y);
                    row[x0] * (1.0 - dx) + row[x1] * dx
                };
                values.push(along(y0) * (1.0 - dy) + along(y1) * dy);
            }
        }
        Self { width: self.width, height: self.height, values }
    }

    /// Smeared in the direction of `degrees` by a one-sided normal kernel of `2 radius + 1` taps;
    /// edges go on. Taps further away than the whole image are left out, as by the reference, which
    /// darkens images of a few pixels.
    pub(super) fn smeared(&self, radius: usize, sigma: f64, degrees: f64) -> Self {
        let taps = 2 * radius + 1;
        let weights: Vec<f64> =
            (0..taps).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
        let total: f64 = weights.iter().sum();
        let (width, height) = (taps as f64, self.height as i64);
        let (down, across) =
            (width * degrees.to_radians().sin(), width * degrees.to_radians().cos());
        let length = down.hypot(across);
        let mut values = vec![0.0; self.values.len()];
        for (i, weight) in weights.iter().enumerate() {
            let offset = |part: f64| -((i as f64 * part / length - 0.5).ceil() as i64);
            let (dx, dy) = (offset(across), offset(down));
            if dy.abs() >= height || dx.abs() >= self.width as i64 {
                break;
            }
            for (y, out) in values.chunks_exact_mut(self.width).enumerate() {
                let row = self.row(Edge::Nearest.index(y as i64 - dy, self.height));
                for (x, sum) in out.iter_mut().enumerate() {
                    *sum += weight / total * row[Edge::Nearest.index(x as i64 - dx, self.width)];
                }
            }
        }
        Self { width: self.width, height: self.height, values }
    }

    /// The value at a place between the four around it.
    pub(crate) fn sample(&self, x: f64, y: f64, edge: Edge) -> f64 {
        let (left, top) = (x.floor(), y.floor());
        let column = |i: i64| edge.index(left as i64 + i, self.width);
        let along = |i: i64| {
            let row = self.row(edge.index(top as i64 + i, self.height));
            row[column(0)] * (1.0 - (x - left)) + row[column(1)] * (x - left)
        };
        along(0) * (1.0 - (y - top)) + along(1) * (y - top)
    }
}

/// Normalised weights of a normal density at `-radius..=radius`.
pub(super) fn normal_kernel(radius: usize, sigma: f64) -> Vec<f64> {
    let offset = |i: usize| i as f64 - radius as f64;
    let weights: Vec<f64> =
        (0..=2 * radius).map(|i| (-0.5 * (offset(i) / sigma).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}
