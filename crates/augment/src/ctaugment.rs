//! CTAugment (ReMixMatch, Berthelot et al., arXiv 1911.09785, section 3.2): operations whose
//! strengths are learned during training.
//!
//! Each parameter of each operation has a range of bins with a weight each. A probe view draws
//! strengths uniformly; how well the model still recognises it moves the weights of its bins;
//! strong views draw among the bins that are recognised. [`Rates`] holds the weights: plain data
//! that checkpoints save. The loader draws from it, training calls [`Rates::update`].
//!
//! ```
//! use augment::{ctaugment::{CtAugment, Rates}, image::Image, rng::Rng, scratch::Scratch};
//! let augment = CtAugment::default();
//! let mut rates = Rates::new();
//! let (mut image, mut rng) = (Image::filled(32, 32, 3, 90), Rng::new(0));
//! let probe = augment.probe(&mut rng);
//! augment.apply_choices(&probe, &mut image, &mut rng, &mut Scratch::new());
//! // The model gave the right class a probability of 0.9:
//! rates.update(&probe, 0.9, augment.decay);
//! assert_eq!(augment.strong(&rates, &mut rng).len(), 2);
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::color::ContrastMean;
use crate::fault::Fault;
use crate::fill::Fill;
use crate::geometry::Sampling;
use crate::image::Image;
use crate::op::{Op, Whole};
use crate::resize::Filter;
use crate::rng::Rng;
use crate::scratch::Scratch;

/// CTAugment's operations, in the order of the rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is explained at the operation of the same name")]
pub enum CtOp {
    AutoContrast,
    Blur,
    Brightness,
    Color,
    Contrast,
    Cutout,
    Equalize,
    Invert,
    Identity,
    Posterize,
    Rescale,
    Rotate,
    Sharpness,
    ShearX,
    ShearY,
    Smooth,
    Solarize,
    TranslateX,
    TranslateY,
}

impl CtOp {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::AutoContrast,
        Self::Blur,
        Self::Brightness,
        Self::Color,
        Self::Contrast,
        Self::Cutout,
        Self::Equalize,
        Self::Invert,
        Self::Identity,
        Self::Posterize,
        Self::Rescale,
        Self::Rotate,
        Self::Sharpness,
        Self::ShearX,
        Self::ShearY,
        Self::Smooth,
        Self::Solarize,
        Self::TranslateX,
        Self::TranslateY,
    ];

    /// The bins of each of its parameters: none for the identity, two parameters for rescale.
    pub fn bins(self) -> &'static [usize] {
        match self {
            Self::Identity => &[],
            Self::Posterize => &[8],
            Self::Rescale => &[17, 6],
            _ => &[17],
        }
    }
}

impl fmt::Display for CtOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // serde's own name, so that what is printed can be parsed.
        self.serialize(f)
    }
}

/// A drawn operation with a level in `[0, 1)` for each of its parameters; those it lacks are 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The operation.
    pub op: CtOp,
    /// Levels.
    pub levels: [f64; 2],
}

/// The weights of all bins, as learned so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// For each operation of [`CtOp::ALL`] and each of its parameters, a weight in `[0, 1]` a bin.
    pub weights: Vec<Vec<Vec<f64>>>,
}

impl Rates {
    /// All weights 1: strong views are drawn as probes are.
    pub fn new() -> Self {
        let of_op = |op: &CtOp| op.bins().iter().map(|&bins| vec![1.0; bins]).collect();
        Self { weights: CtOp::ALL.iter().map(of_op).collect() }
    }

    /// All weights in a row, as [`Rates::from_flat`] takes them back.
    pub fn flat(&self) -> Vec<f64> {
        self.weights.iter().flatten().flatten().copied().collect()
    }

    /// Rates of their weights in a row. Panics if there are not as many as there are bins.
    pub fn from_flat(weights: &[f64]) -> Self {
        let mut rates = Self::new();
        let mut places: Vec<&mut f64> = rates.weights.iter_mut().flatten().flatten().collect();
        assert_eq!(places.len(), weights.len(), "weights of CTAugment's bins");
        places.iter_mut().zip(weights).for_each(|(place, weight)| **place = *weight);
        rates
    }

    /// Moves the weight of each bin that a probe met towards `proximity`: 1 minus half the sum of
    /// absolute differences between the predicted and the true class distribution, in `[0, 1]`.
    pub fn update(&mut self, probe: &[Choice], proximity: f64, decay: f64) {
        for choice in probe {
            let weights = &mut self.weights[choice.op as usize];
            for (weights, level) in weights.iter_mut().zip(choice.levels) {
                let bin = (level * weights.len() as f64 * 0.999) as usize;
                weights[bin] = decay * weights[bin] + (1.0 - decay) * proximity;
            }
        }
    }

    /// With which probability each bin of a parameter is drawn: in proportion to its weight, none
    /// below `threshold` of the best.
    pub fn probabilities(
        &self,
        op: CtOp,
        parameter: usize,
        threshold: f64,
        decay: f64,
    ) -> Vec<f64> {
        let raised = self.weights[op as usize][parameter].iter().map(|weight| weight + 1.0 - decay);
        let mut shares: Vec<f64> = raised.collect();
        let best = shares.iter().copied().fold(0.0, f64::max);
        for share in &mut shares {
            *share = if *share / best < threshold { 0.0 } else { *share / best };
        }
        let total: f64 = shares.iter().sum();
        shares.iter().map(|share| share / total).collect()
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self::new()
    }
}

/// How far translations move the image at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shift {
    /// Up to 0.3 of the side, as in the paper.
    #[default]
    OfSide,
    /// Up to 0.3 pixels, as in the released code, so that nothing moves.
    AsReleased,
}

/// The step `ctaugment`. As a plain step it draws all bins alike; training with feedback calls
/// [`CtAugment::strong`] with its rates.
///
/// | key | default | ImageNet | meaning | range |
/// |---|---|---|---|---|
/// | `depth` | 2 | 2 | operations per image | 1 to 16 |
/// | `threshold` | 0.8 | 0.85 | bins below this share of the best are not drawn | 0 to 1 |
/// | `decay` | 0.99 | 0.99 | of the weights' exponential running means | 0 to 1 |
/// | `shift` | of-side | | see [`Shift`] | |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CtAugment {
    /// Operations per image.
    pub depth: usize,
    /// Bins below this share of the best are not drawn.
    pub threshold: f64,
    /// Decay of the weights' exponential running means.
    pub decay: f64,
    /// How far translations move the image at most.
    pub shift: Shift,
}

impl Default for CtAugment {
    fn default() -> Self {
        Self { depth: 2, threshold: 0.8, decay: 0.99, shift: Shift::OfSide }
    }
}

impl CtAugment {
    /// Operations for a probe: all levels alike.
    pub fn probe(&self, rng: &mut Rng) -> Vec<Choice> {
        (0..self.depth).map(|_| Self::uniform(rng)).collect()
    }

    fn uniform(rng: &mut Rng) -> Choice {
        let op = CtOp::ALL[rng.below(CtOp::ALL.len())];
        let mut levels = [0.0; 2];
        for level in levels.iter_mut().take(op.bins().len()) {
            *level = rng.unit();
        }
        Choice { op, levels }
    }

    /// Operations for a strong view: levels from the bins that the model recognises.
    pub fn strong(&self, rates: &Rates, rng: &mut Rng) -> Vec<Choice> {
        let choice = |rng: &mut Rng| {
            let op = CtOp::ALL[rng.below(CtOp::ALL.len())];
            let mut levels = [0.0; 2];
            for (parameter, &bins) in op.bins().iter().enumerate() {
                let shares = rates.probabilities(op, parameter, self.threshold, self.decay);
                let (mut left, mut bin) = (rng.unit(), 0);
                while bin + 1 < bins && left >= shares[bin] {
                    left -= shares[bin];
                    bin += 1;
                }
                levels[parameter] = (bin as f64 + rng.unit()) / bins as f64;
            }
            Choice { op, levels }
        };
        (0..self.depth).map(|_| choice(rng)).collect()
    }

    /// What a choice does to an image of this size. `center` (column, row) is where cutout goes.
    pub fn op(&self, choice: Choice, center: [usize; 2], width: usize, height: usize) -> Op {
        let [level, second] = choice.levels;
        let share = |with| Op::Blended { with, share: level };
        let factor = 0.1 + 1.9 * level;
        let both_sides = 2.0 * level - 1.0;
        let sampling = Sampling::nearest(Fill::BLACK);
        let shift = |side: usize| match self.shift {
            Shift::OfSide => (both_sides * 0.3 * side as f64).trunc(),
            Shift::AsReleased => both_sides * 0.3,
        };
        match choice.op {
            CtOp::Identity => Op::Identity,
            CtOp::AutoContrast => share(Whole::AutoContrast),
            CtOp::Blur => share(Whole::Blur),
            CtOp::Equalize => share(Whole::Equalize),
            CtOp::Invert => share(Whole::Invert),
            CtOp::Smooth => share(Whole::Smooth),
            CtOp::Brightness => Op::Brightness { factor },
            CtOp::Color => Op::Color { factor },
            CtOp::Contrast => Op::Contrast { factor, mean: ContrastMean::Grey },
            CtOp::Sharpness => Op::Sharpness { factor },
            CtOp::Cutout => {
                let size = 1 + (level * width.min(height) as f64 * 0.499) as usize;
                Op::Cutout { x: center[0], y: center[1], half: size / 2, fill: Fill::grey(127) }
            }
            CtOp::Posterize => Op::Posterize { bits: 1 + (7.999 * level) as u8 },
            CtOp::Solarize => Op::Solarize { threshold: (255.999 * level) as u16 },
            CtOp::Rescale => {
                let filters = [
                    Filter::Lanczos,
                    Filter::Bicubic,
                    Filter::Bilinear,
                    Filter::Box,
                    Filter::Hamming,
                    Filter::Nearest,
                ];
                let filter = filters[((second * 6.0) as usize).min(5)];
                Op::Rescale { margin: 0.25 * level, filter }
            }
            CtOp::Rotate => Op::Rotate { degrees: (45.0 * both_sides).round_ties_even(), sampling },
            CtOp::ShearX => Op::ShearX { shear: 0.3 * both_sides, sampling },
            CtOp::ShearY => Op::ShearY { shear: 0.3 * both_sides, sampling },
            CtOp::TranslateX => Op::TranslateX { pixels: shift(width), sampling },
            CtOp::TranslateY => Op::TranslateY { pixels: shift(height), sampling },
        }
    }

    /// Applies operations that were drawn before; `rng` says where cutout goes.
    pub fn apply_choices(
        &self,
        choices: &[Choice],
        image: &mut Image,
        rng: &mut Rng,
        scratch: &mut Scratch,
    ) {
        for &choice in choices {
            self.apply_one(choice, image, rng, scratch);
        }
    }

    fn apply_one(&self, choice: Choice, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        let (width, height) = (image.width(), image.height());
        let center = [rng.below(width), rng.below(height)];
        self.op(choice, center, width, height).apply(image, scratch);
    }

    /// Draws uniform levels and applies them: the plain step.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        for _ in 0..self.depth {
            let choice = Self::uniform(rng);
            self.apply_one(choice, image, rng, scratch);
        }
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let faults = [
            Fault::unless((1..=16).contains(&self.depth), "depth", self.depth, "1 to 16"),
            Fault::outside("threshold", self.threshold, 0.0, 1.0),
            Fault::outside("decay", self.decay, 0.0, 1.0),
        ];
        faults.into_iter().flatten().collect()
    }
}
