//! AugMix (Hendrycks et al., arXiv 1912.02781): chains of mild operations, mixed with one another
//! and with the image.
//!
//! None of the nine operations is a corruption of ImageNet-C. Their arguments follow the released
//! code (from memory). timm's AugMix has operations of its own, and its own rounding
//! ([`AugMix::ops`]).

use serde::{Deserialize, Serialize};

use crate::color;
use crate::distribution::{beta, dirichlet_into};
use crate::fault::Fault;
use crate::fill::Fill;
use crate::geometry::Sampling;
use crate::image::Image;
use crate::op::Op;
use crate::randaugment::RandAugment;
use crate::rng::Rng;
use crate::scratch::Scratch;

/// The most chains.
const MOST: usize = 16;

/// The step `augmix`.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `severity` | 3 | an operation's level is uniform from 0.1 to this, of 10 | 0.1 to 10 |
/// | `depth` | random, 1 to 3 | operations per chain | 1 to 16 |
/// | `width` | 3 | chains | 1 to 16 |
/// | `ops` | the paper's nine | a `randaugment` table: operations in their place, by timm's arithmetic | |
/// | `blended` | false | chains are blended into the image one after the other, in bytes, as by timm's `b1` | |
/// | `alpha` | 1 | shape of the Dirichlet and Beta distributions of the shares | 0.01 to 100 |
///
/// With `ops`, `severity` has no meaning; of that table its number of operations has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugMix {
    /// The greatest level of an operation.
    pub severity: f64,
    /// Operations per chain; `None` is 1, 2 or 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Shape of the distributions of the shares.
    pub alpha: f64,
    /// Chains.
    pub width: usize,
    /// Whether each chain is blended into the image at once, rounded to bytes, rather than all
    /// summed up first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub blended: bool,
    /// Operations in place of the paper's, mixed as timm does: the chains' sum is cut to bytes, and
    /// blended with the image as Pillow blends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops: Option<RandAugment>,
}

impl Default for AugMix {
    fn default() -> Self {
        Self { severity: 3.0, depth: None, alpha: 1.0, width: 3, blended: false, ops: None }
    }
}

impl AugMix {
    /// How many operations a chain has.
    fn draw_depth(&self, rng: &mut Rng) -> usize {
        self.depth.unwrap_or_else(|| 1 + rng.below(3))
    }

    /// One operation of a chain.
    fn draw(&self, width: usize, height: usize, rng: &mut Rng) -> Op {
        if let Some(ops) = &self.ops {
            return ops.draw(width, height, rng);
        }
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
        let mut shares = [0.0; MOST];
        let shares = &mut shares[..self.width];
        dirichlet_into(self.alpha, rng, shares);
        let mixed = beta(self.alpha, self.alpha, rng);
        if self.blended {
            return self.blend(image, shares, mixed, rng, scratch);
        }
        // timm mixes the chains first.
        let (own, of_chains) = if self.ops.is_some() { (0.0, 1.0) } else { (1.0 - mixed, mixed) };
        let (width, height) = (image.width(), image.height());
        let mut sums = std::mem::take(&mut scratch.sums);
        sums.clear();
        sums.extend(image.pixels().iter().map(|&v| own as f32 * f32::from(v)));
        let mut link = scratch.chain.take().unwrap_or_else(|| image.clone());
        for &mut share in shares {
            link.clone_from(image);
            for _ in 0..self.draw_depth(rng) {
                self.draw(width, height, rng).apply(&mut link, scratch);
            }
            add(&mut sums, (of_chains * share) as f32, &link);
        }
        if self.ops.is_some() {
            let mut before = std::mem::take(&mut scratch.before);
            before.clear();
            before.extend_from_slice(image.pixels());
            image.pixels_mut().iter_mut().zip(&sums).for_each(|(value, sum)| *value = *sum as u8);
            color::blend_with(image, &before, mixed);
            scratch.before = before;
        } else {
            settle(&sums, image);
        }
        (scratch.chain, scratch.sums) = (Some(link), sums);
    }

    /// Makes the chains and blends each into the image. `mixed` is the share of all chains in the
    /// result, `shares` are those of each among them.
    fn blend(
        &self,
        image: &mut Image,
        shares: &mut [f64],
        mixed: f64,
        rng: &mut Rng,
        scratch: &mut Scratch,
    ) {
        // The share with which a chain has to be blended in, so that what is blended in after it
        // leaves of it what it should have.
        let mut left = 1.0;
        for share in shares.iter_mut().rev() {
            *share = if left > 0.0 { (*share * mixed / left).min(1.0) } else { 0.0 };
            left *= 1.0 - *share;
        }
        let (width, height) = (image.width(), image.height());
        let original = image.clone();
        let mut link = scratch.chain.take().unwrap_or_else(|| image.clone());
        for &mut share in shares {
            link.clone_from(&original);
            for _ in 0..self.draw_depth(rng) {
                self.draw(width, height, rng).apply(&mut link, scratch);
            }
            color::blend_with(&mut link, image.pixels(), share);
            std::mem::swap(image, &mut link);
        }
        scratch.chain = Some(link);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let depth = self.depth.unwrap_or(1);
        let faults = [
            Fault::outside("severity", self.severity, 0.1, 10.0),
            Fault::unless((1..=16).contains(&depth), "depth", depth, "1 to 16"),
            Fault::outside("alpha", self.alpha, 0.01, 100.0),
            Fault::unless((1..=MOST).contains(&self.width), "width", self.width, "1 to 16"),
        ];
        let of_ops = self.ops.iter().flat_map(RandAugment::faults);
        faults.into_iter().flatten().chain(of_ops).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The least and the greatest argument of each operation, and the share of negative ones.
    fn arguments(severity: f64) -> BTreeMap<&'static str, (f64, f64, f64)> {
        let augmix = AugMix { severity, ..AugMix::default() };
        let mut seen: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut rng = Rng::new(1);
        for _ in 0..90_000 {
            let (name, argument) = match augmix.draw(96, 48, &mut rng) {
                Op::AutoContrast => ("auto-contrast", 0.0),
                Op::Equalize => ("equalize", 0.0),
                Op::Posterize { bits } => ("posterize", f64::from(bits)),
                Op::Rotate { degrees, .. } => ("rotate", degrees),
                Op::Solarize { threshold } => ("solarize", f64::from(threshold)),
                Op::ShearX { shear, .. } => ("shear-x", shear),
                Op::ShearY { shear, .. } => ("shear-y", shear),
                Op::TranslateX { pixels, .. } => ("translate-x", pixels),
                Op::TranslateY { pixels, .. } => ("translate-y", pixels),
                other => panic!("{other:?} is not an operation of AugMix"),
            };
            seen.entry(name).or_default().push(argument);
        }
        assert!(seen.values().all(|arguments| arguments.len().abs_diff(10_000) < 500));
        let of = |arguments: Vec<f64>| {
            let sizes = || arguments.iter().map(|argument| argument.abs());
            let negative = arguments.iter().filter(|&&argument| argument < 0.0).count();
            let share = negative as f64 / arguments.len() as f64;
            (sizes().fold(f64::MAX, f64::min), sizes().fold(0.0, f64::max), share)
        };
        seen.into_iter().map(|(name, arguments)| (name, of(arguments))).collect()
    }

    #[test]
    fn arguments_have_their_ranges_and_both_signs() {
        // Levels from 0.1 to 10 of 10, that is 0.01 to 1.
        let of = arguments(10.0);
        let exact = [("posterize", 1.0, 4.0), ("rotate", 0.0, 29.0), ("solarize", 1.0, 254.0)];
        for (name, least, greatest) in exact {
            assert_eq!((of[name].0, of[name].1), (least, greatest), "{name}");
        }
        assert_eq!((of["translate-x"].1, of["translate-y"].1), (31.0, 15.0));
        for name in ["shear-x", "shear-y"] {
            let (least, greatest, _) = of[name];
            assert!(
                (0.003..0.0033).contains(&least) && (0.2997..0.3).contains(&greatest),
                "{name}"
            );
        }
        for name in ["rotate", "shear-x", "shear-y", "translate-x", "translate-y"] {
            assert!((0.44..0.54).contains(&of[name].2), "{name} is negative in {}", of[name].2);
        }
        // Severity 3 ends at three tenths.
        assert_eq!(arguments(3.0)["rotate"].1, 8.0);
    }

    #[test]
    fn a_chain_has_one_to_three_operations() {
        let mut counts = [0; 5];
        let mut rng = Rng::new(2);
        (0..3000).for_each(|_| counts[AugMix::default().draw_depth(&mut rng)] += 1);
        assert!(counts[1..4].iter().all(|&count| (900..1100).contains(&count)), "{counts:?}");
        assert_eq!(AugMix { depth: Some(7), ..AugMix::default() }.draw_depth(&mut rng), 7);
    }
}
