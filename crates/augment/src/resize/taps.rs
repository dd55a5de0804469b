//! Resampling filters, and their weights in 22-bit fixed point.

use serde::{Deserialize, Serialize};

/// Fractional bits of a weight.
pub(super) const PRECISION: u32 = 22;

/// A resampling filter; when an image shrinks it widens, so that every source pixel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The pixel that contains the place; the only one without antialiasing.
    Nearest,
    /// The mean of the covered pixels; enlarging repeats pixels.
    Box,
    /// A triangle of support 1.
    Bilinear,
    /// Keys' cubic, a = -1/2, of support 2.
    #[default]
    Bicubic,
    /// A sinc of support 1 in Hamming's window.
    Hamming,
    /// A windowed sinc of support 3.
    Lanczos,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let near = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - near).max(0.0),
            Self::Bicubic if near < 1.0 => ((-0.5 + 2.0) * near - (-0.5 + 3.0)) * near * near + 1.0,
            Self::Bicubic if near < 2.0 => (((near - 5.0) * near + 8.0) * near - 4.0) * -0.5,
            Self::Bicubic => 0.0,
            Self::Hamming if near < 1.0 => {
                sinc(near) * (0.54 + 0.46 * (near * std::f64::consts::PI).cos())
            }
            Self::Hamming => 0.0,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    let angle = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { angle.sin() / angle }
}

/// For each output position along one axis: the first source position and the weights from there
/// on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taps {
    pub(super) first: Vec<u32>,
    pub(super) count: Vec<u32>,
    /// `size` weights an output, the surplus 0.
    weights: Vec<i32>,
    exact: Vec<f64>,
    size: usize,
    /// What they were found for: images of one size need them once.
    pub(super) found: Option<(usize, usize, Filter)>,
}

impl Taps {
    /// Computes the weights, in the memory that is there.
    pub(super) fn find(&mut self, from: usize, to: usize, filter: Filter) {
        if self.found.replace((from, to, filter)) == Some((from, to, filter)) {
            return;
        }
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        self.size = support.ceil() as usize * 2 + 1;
        self.first.clear();
        self.count.clear();
        self.weights.clear();
        self.weights.resize(to * self.size, 0);
        self.exact.resize(self.size, 0.0);
        for (out, fixed) in self.weights.chunks_exact_mut(self.size).enumerate() {
            let center = (out as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let last = ((center + support + 0.5) as usize).min(from);
            let exact = &mut self.exact[..last - first];
            let mut total = 0.0;
            for (i, weight) in exact.iter_mut().enumerate() {
                *weight = filter.weight(((i + first) as f64 - center + 0.5) * (1.0 / stretch));
                total += *weight;
            }
            for (fixed, weight) in fixed.iter_mut().zip(exact) {
                let share = if total == 0.0 { *weight } else { *weight / total };
                let weight = share * f64::from(1 << PRECISION);
                *fixed = (weight + 0.5f64.copysign(weight)) as i32;
            }
            self.first.push(first as u32);
            self.count.push((last - first) as u32);
        }
    }

    pub(super) fn of(&self, out: usize) -> (usize, &[i32]) {
        let weights = &self.weights[out * self.size..][..self.count[out] as usize];
        (self.first[out] as usize, weights)
    }
}
