//! RandAugment (Cubuk et al., arXiv 1909.13719): a few operations, drawn uniformly, all at one strength.
//!
//! Each paper's code has its own set of operations and its own table from magnitude to argument; a [`Variant`] is one such table.
//! What the codes do differently without saying so is a named setting here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::color::ContrastMean;
use crate::fault::Fault;
use crate::fill::Fill;
use crate::geometry::{Interpolation, Sampling};
use crate::image::Image;
use crate::length::Length;
use crate::levels::Variant;
use crate::op::{Op, OpName};
use crate::rng::Rng;
use crate::scratch::Scratch;

/// How the magnitude of one operation comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Draw {
    /// Always `magnitude`.
    Fixed,
    /// A whole number, uniform from 1 to `magnitude`.
    Whole,
    /// A real number, uniform from 0 to `magnitude`.
    Uniform,
}

/// The step `randaugment`. A key that is left out has the value of the variant's paper.
///
/// | key | meaning | uda | noisy-student | fixmatch | fixmatch-paper | torchvision |
/// |---|---|---|---|---|---|---|
/// | `ops` | operations an image | 2 | 2 | 2 | 2 | 2 |
/// | `magnitude` | strength, of 10 (torchvision: of 30) | 9 | 27 | 9 | 9 | 9 |
/// | `draw` | `fixed`, `whole` or `uniform`: [`Draw`] | whole | fixed | whole | whole | fixed |
/// | `probability` | with which a drawn operation is applied | 0.5 | 1 | 0.5 | 0.5 | 1 |
/// | `interpolation` | of rotations, shears, translations | nearest | nearest | nearest | nearest | nearest |
/// | `fill` | colour from outside the image, and of cutout | 125,122,113 | 128 | 127 | 0 | 0 |
/// | `translate_const` | shift at full scale | 10 px | 100 px | 10 px | 0.3 of side | 150/331 of side |
/// | `cutout_const` | half the box at full scale (of the operation `cutout`) | 10 px | 40 px | - | - | - |
/// | `contrast_mean` | `grey`, or `tf`: see [`ContrastMean`] | grey | grey | grey | grey | grey |
/// | `weakening` | posterize and solarize get weaker with the magnitude | false | true | false | - | - |
/// | `exclude` | operations to leave out, by name | none | none | none | none | none |
///
/// Noisy Student's constants are those of ImageNet; its SVHN run has `translate_const = cutout_const = 4`.
/// `weakening` and `cutout_const` mean nothing to a variant marked `-`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct RandAugment {
    /// Whose operations and tables.
    pub variant: Variant,
    /// Operations an image.
    pub ops: usize,
    /// Strength; see [`Variant::scale`].
    pub magnitude: f64,
    /// How each operation's magnitude comes about.
    pub draw: Draw,
    /// With which a drawn operation is applied.
    pub probability: f64,
    /// Of rotations, shears and translations.
    pub interpolation: Interpolation,
    /// Colour from outside the image, and of cutout.
    pub fill: Fill,
    /// Shift at full scale.
    pub translate_const: Length,
    /// Half the side of the operation `cutout` at full scale.
    pub cutout_const: Length,
    /// What contrast blends with.
    pub contrast_mean: ContrastMean,
    /// Whether posterize and solarize get weaker as the magnitude grows.
    pub weakening: bool,
    /// Operations to leave out.
    pub exclude: Vec<OpName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    variant: Variant,
    ops: Option<usize>,
    magnitude: Option<f64>,
    draw: Option<Draw>,
    probability: Option<f64>,
    interpolation: Option<Interpolation>,
    fill: Option<Fill>,
    translate_const: Option<Length>,
    cutout_const: Option<Length>,
    contrast_mean: Option<ContrastMean>,
    weakening: Option<bool>,
    exclude: Option<Vec<OpName>>,
}

impl From<Written> for RandAugment {
    fn from(written: Written) -> Self {
        let preset = Self::of(written.variant);
        Self {
            variant: written.variant,
            ops: written.ops.unwrap_or(preset.ops),
            magnitude: written.magnitude.unwrap_or(preset.magnitude),
            draw: written.draw.unwrap_or(preset.draw),
            probability: written.probability.unwrap_or(preset.probability),
            interpolation: written.interpolation.unwrap_or(preset.interpolation),
            fill: written.fill.unwrap_or(preset.fill),
            translate_const: written.translate_const.unwrap_or(preset.translate_const),
            cutout_const: written.cutout_const.unwrap_or(preset.cutout_const),
            contrast_mean: written.contrast_mean.unwrap_or(preset.contrast_mean),
            weakening: written.weakening.unwrap_or(preset.weakening),
            exclude: written.exclude.unwrap_or(preset.exclude),
        }
    }
}

impl RandAugment {
    /// A variant with the settings of its paper (the table above).
    pub fn of(variant: Variant) -> Self {
        let base = Self {
            variant,
            ops: 2,
            magnitude: 9.0,
            draw: Draw::Whole,
            probability: 0.5,
            interpolation: Interpolation::Nearest,
            fill: Fill::BLACK,
            translate_const: Length::Pixels(10.0),
            cutout_const: Length::Pixels(10.0),
            contrast_mean: ContrastMean::Grey,
            weakening: false,
            exclude: Vec::new(),
        };
        match variant {
            Variant::Uda => Self { fill: Fill::rgb(125, 122, 113), ..base },
            Variant::Fixmatch => Self { fill: Fill::grey(127), ..base },
            Variant::FixmatchPaper => Self { translate_const: Length::fraction(0.3), ..base },
            Variant::NoisyStudent => Self {
                magnitude: 27.0,
                draw: Draw::Fixed,
                probability: 1.0,
                fill: Fill::GREY,
                translate_const: Length::Pixels(100.0),
                cutout_const: Length::Pixels(40.0),
                weakening: true,
                ..base
            },
            Variant::Torchvision => Self {
                draw: Draw::Fixed,
                probability: 1.0,
                translate_const: Length::fraction(150.0 / 331.0),
                ..base
            },
        }
    }

    /// The operations that may be drawn.
    pub fn menu(&self) -> impl Iterator<Item = OpName> {
        self.variant.ops().iter().copied().filter(|name| !self.exclude.contains(name))
    }

    /// Draws one operation for an image of this size; it is [`Op::Identity`] where `probability` says so.
    /// Panics if everything is excluded, which [`Policy::check`](crate::policy::Policy::check) finds before.
    pub fn draw(&self, width: usize, height: usize, rng: &mut Rng) -> Op {
        let choice = rng.below(self.menu().count());
        let name = self.menu().nth(choice).expect("below the count");
        let magnitude = match self.draw {
            Draw::Fixed => self.magnitude,
            Draw::Whole => 1.0 + rng.below(self.magnitude as usize) as f64,
            Draw::Uniform => rng.range(0.0, self.magnitude),
        };
        if !rng.chance(self.probability) {
            return Op::Identity;
        }
        let sign = if rng.chance(0.5) { -1.0 } else { 1.0 };
        let center = [rng.below(width), rng.below(height)];
        self.op(name, magnitude, sign, center, width, height)
    }

    /// The operation `name` at `magnitude`, as the variant's table has it. `sign` (1 or -1) decides the side for those that have two,
    /// `center` (column, row) is where cutout goes.
    pub fn op(
        &self,
        name: OpName,
        magnitude: f64,
        sign: f64,
        center: [usize; 2],
        width: usize,
        height: usize,
    ) -> Op {
        let sampling = Sampling { interpolation: self.interpolation, fill: self.fill };
        let variant = self.variant;
        let factor = variant.factor(magnitude, sign);
        let shear = sign * variant.level(magnitude, 0.3);
        let shift = |side: usize| {
            let pixels = variant.level(magnitude, self.translate_const.pixels(side));
            sign * if variant.whole_pixels() { pixels.trunc() } else { pixels }
        };
        match name {
            OpName::Identity => Op::Identity,
            OpName::AutoContrast => Op::AutoContrast,
            OpName::Equalize => Op::Equalize,
            OpName::Invert => Op::Invert,
            OpName::Posterize => Op::Posterize { bits: variant.bits(magnitude, self.weakening) },
            OpName::Solarize => {
                Op::Solarize { threshold: variant.threshold(magnitude, self.weakening) }
            }
            OpName::SolarizeAdd => {
                Op::SolarizeAdd { add: variant.level(magnitude, 110.0) as u16, threshold: 128 }
            }
            OpName::Color => Op::Color { factor },
            OpName::Contrast => Op::Contrast { factor, mean: self.contrast_mean },
            OpName::Brightness => Op::Brightness { factor },
            OpName::Sharpness => Op::Sharpness { factor },
            OpName::Rotate => Op::Rotate { degrees: sign * variant.degrees(magnitude), sampling },
            OpName::ShearX => Op::ShearX { shear, sampling },
            OpName::ShearY => Op::ShearY { shear, sampling },
            OpName::TranslateX => Op::TranslateX { pixels: shift(width), sampling },
            OpName::TranslateY => Op::TranslateY { pixels: shift(height), sampling },
            OpName::Cutout => {
                let half =
                    variant.level(magnitude, self.cutout_const.pixels(width.min(height))) as usize;
                Op::Cutout { x: center[0], y: center[1], half, fill: self.fill }
            }
        }
    }

    /// Draws and applies the operations, one after the other.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        for _ in 0..self.ops {
            self.draw(image.width(), image.height(), rng).apply(image, scratch);
        }
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let least = if self.draw == Draw::Whole { 1.0 } else { 0.0 };
        let mut faults: Vec<Fault> = [
            Fault::unless((1..=16).contains(&self.ops), "ops", self.ops, "1 to 16"),
            Fault::outside("magnitude", self.magnitude, least, self.variant.strongest()),
            Fault::outside("probability", self.probability, 0.0, 1.0),
            self.translate_const.fault("translate_const"),
            self.cutout_const.fault("cutout_const"),
            Fault::unless(
                self.menu().next().is_some(),
                "exclude",
                "every operation",
                "all but one at most",
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        let strangers = self.exclude.iter().filter(|name| !self.variant.ops().contains(name));
        let known =
            || self.variant.ops().iter().map(OpName::to_string).collect::<Vec<_>>().join(", ");
        faults.extend(strangers.map(|name| Fault::new("exclude", name, known())));
        faults
    }
}

impl fmt::Display for RandAugment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let draw = match self.draw {
            Draw::Fixed => "",
            Draw::Whole => "1 to ",
            Draw::Uniform => "0 to ",
        };
        write!(
            f,
            "randaugment {}, {} ops of magnitude {draw}{}",
            self.variant, self.ops, self.magnitude
        )?;
        if self.probability < 1.0 {
            write!(f, ", each with probability {}", self.probability)?;
        }
        if !self.exclude.is_empty() {
            let names: Vec<_> = self.exclude.iter().map(OpName::to_string).collect();
            write!(f, ", without {}", names.join(", "))?;
        }
        Ok(())
    }
}
