//! AugMix (Hendrycks et al., arXiv 1912.02781): chains of mild operations, mixed with one another
//! and with the image.
//!
//! None of the nine operations is a corruption of ImageNet-C. Their arguments follow the released
//! code (from memory).

use serde::{Deserialize, Serialize};

use crate::distribution::{beta, dirichlet};
use crate::fault::Fault;
use crate::fill::Fill;
use crate::geometry::Sampling;
use crate::image::Image;
use crate::op::Op;
use crate::rng::Rng;
use crate::scratch::Scratch;

/// Chains of the paper.
pub const WIDTH: usize = 3;

/// The step `augmix`: three chains.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `severity` | 3 | an operation's level is uniform from 0.1 to this, of 10 | 0.1 to 10 |
/// | `depth` | random, 1 to 3 | operations per chain | 1 to 16 |
/// | `alpha` | 1 | shape of the Dirichlet and Beta distributions of the shares | 0.01 to 100 |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugMix {
    /// The greatest level of an operation.
    pub severity: f64,
    /// Operations per chain; `None` is 1, 2 or 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Shape of the distributions of the shares.
    pub alpha: f64,
}

impl Default for AugMix {
    fn default() -> Self {
        Self { severity: 3.0, depth: None, alpha: 1.0 }
    }
}

impl AugMix {
    /// One operation of a chain.
    fn draw(&self, width: usize, height: usize, rng: &mut Rng) -> Op {
        let choice = rng.below(9);
        let level = rng.range(0.1, self.severity) / 10.0;
        let sign = if rng.chance(0.5) { -1.0 } else { 1.0 };
        let whole = |greatest: f64| (level * greatest).trunc();
        let sampling = Sampling::bilinear(Fill::BLACK);
        match choice {
            0 => Op::AutoContrast,
            1 => Op::Equalize,
            2 => Op::Posterize { bits: 4 - whole(4.0) as u8 },
            3 => Op::Rotate { degrees: sign * whole(30.0), sampling },
            4 => Op::Solarize { threshold: 256 - whole(256.0) as u16 },
            5 => Op::ShearX { shear: sign * level * 0.3, sampling },
            6 => Op::ShearY { shear: sign * level * 0.3, sampling },
            7 => Op::TranslateX { pixels: sign * whole(width as f64 / 3.0), sampling },
            _ => Op::TranslateY { pixels: sign * whole(height as f64 / 3.0), sampling },
        }
    }

    /// Draws the chains and their shares, and mixes.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        let shares = dirichlet::<WIDTH>(self.alpha, rng);
        let mixed = beta(self.alpha, self.alpha, rng);
        let (width, height) = (image.width(), image.height());
        let mut sums = std::mem::take(&mut scratch.sums);
        sums.clear();
        sums.extend(image.pixels().iter().map(|&v| (1.0 - mixed) as f32 * f32::from(v)));
        let mut link = scratch.chain.take().unwrap_or_else(|| image.clone());
        for share in shares {
            link.clone_from(image);
            let depth = self.depth.unwrap_or_else(|| 1 + rng.below(3));
            for _ in 0..depth {
                self.draw(width, height, rng).apply(&mut link, scratch);
            }
            add(&mut sums, (mixed * share) as f32, &link);
        }
        settle(&sums, image);
        (scratch.chain, scratch.sums) = (Some(link), sums);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let depth = self.depth.unwrap_or(1);
        let faults = [
            Fault::outside("severity", self.severity, 0.1, 10.0),
            Fault::unless((1..=16).contains(&depth), "depth", depth, "1 to 16"),
            Fault::outside("alpha", self.alpha, 0.01, 100.0),
        ];
        faults.into_iter().flatten().collect()
    }
}

fn add(sums: &mut [f32], share: f32, image: &Image) {
    for (sum, &value) in sums.iter_mut().zip(image.pixels()) {
        *sum += share * f32::from(value);
    }
}

fn settle(sums: &[f32], image: &mut Image) {
    for (value, sum) in image.pixels_mut().iter_mut().zip(sums) {
        *value = (sum + 0.5) as u8;
    }
}
