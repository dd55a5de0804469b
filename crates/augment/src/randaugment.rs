//! RandAugment (Cubuk et al., arXiv 1909.13719): a few operations, drawn uniformly, all at one
//! strength.
//!
//! Each paper's code has its own set of operations and its own table from magnitude to argument; a
//! [`Variant`] is one such table. Differences between the codes that the papers do not mention are
//! named settings here.

use std::fmt;

use crate::alpha::Alpha;
use crate::fault::Fault;
use crate::geometry::Sampling;
use crate::image::Image;
use crate::levels::Variant;
use crate::op::{Op, OpName};
use crate::rng::Rng;
use crate::scratch::Scratch;

mod settings;

pub use settings::{Arithmetic, Draw, Outside, RandAugment, Weights};

impl RandAugment {
    /// The operations that may be drawn.
    pub fn menu(&self) -> impl Iterator<Item = OpName> {
        self.all().iter().copied().filter(|name| !self.exclude.contains(name))
    }

    /// All operations of the settings, excluded ones too.
    fn all(&self) -> &'static [OpName] {
        self.weights.ops().unwrap_or_else(|| self.variant.ops())
    }

    /// Draws one operation for an image of this size; it is [`Op::Identity`] where `probability`
    /// says so. Panics if everything is excluded, which
    /// [`Policy::check`](crate::policy::Policy::check) finds before.
    pub fn draw(&self, width: usize, height: usize, rng: &mut Rng) -> Op {
        self.draw_other(&mut Vec::new(), width, height, rng)
    }

    /// Draws one operation. Where operations are weighted it is none of `drawn`, for then none
    /// comes twice in an image.
    fn draw_other(
        &self,
        drawn: &mut Vec<OpName>,
        width: usize,
        height: usize,
        rng: &mut Rng,
    ) -> Op {
        let name = self.name(drawn, rng);
        let magnitude = match self.draw {
            Draw::Fixed => self.magnitude,
            Draw::Whole => 1.0 + rng.below(self.magnitude as usize) as f64,
            Draw::WholeFromZero => rng.below(self.magnitude as usize + 1) as f64,
            Draw::Uniform => rng.range(0.0, self.magnitude),
        };
        let magnitude = self.noised(magnitude, rng);
        if !rng.chance(self.probability) {
            return Op::Identity;
        }
        let sign = if rng.chance(0.5) { -1.0 } else { 1.0 };
        let center = [rng.below(width), rng.below(height)];
        let op = self.op(name, magnitude, sign, center, width, height);
        self.at_random_bicubic(op, rng)
    }

    /// Draws the name of an operation.
    fn name(&self, drawn: &mut Vec<OpName>, rng: &mut Rng) -> OpName {
        let weighted = || {
            let left = self.menu().filter(|name| !drawn.contains(name));
            left.filter_map(|name| Some((name, self.weights.of(name)?)))
        };
        let total: f64 = weighted().map(|(_, weight)| weight).sum();
        if total == 0.0 {
            let choice = rng.below(self.menu().count());
            return self.menu().nth(choice).expect("below the count");
        }
        let mut place = rng.unit() * total;
        let chosen = weighted().find(|(_, weight)| {
            place -= weight;
            place < 0.0
        });
        let (name, _) = chosen.or_else(|| weighted().last()).expect("more operations than draws");
        drawn.push(name);
        name
    }

    /// A magnitude with its noise, at most the greatest.
    pub(crate) fn noised(&self, magnitude: f64, rng: &mut Rng) -> f64 {
        let noise = if self.magnitude_std > 0.0 { self.magnitude_std * rng.normal() } else { 0.0 };
        (magnitude + noise).clamp(0.0, self.magnitude_max)
    }

    /// An operation as it is, or its bicubic form where half of them are to be bicubic.
    pub(crate) fn at_random_bicubic(&self, op: Op, rng: &mut Rng) -> Op {
        if self.half_bicubic && rng.chance(0.5) { op.bicubic() } else { op }
    }

    /// The operation `name` at `magnitude`, as the variant's table has it. `sign` (1 or -1) decides
    /// the side for those that have two, `center` (column, row) is where cutout goes.
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
        let factor = variant.factor(magnitude, sign, self.weakening);
        let tf = self.arithmetic == Arithmetic::Tf;
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
                Op::SolarizeAdd { add: variant.addend(magnitude), threshold: 128 }
            }
            OpName::Color if tf => Op::ColorTf { factor },
            OpName::Sharpness if tf => Op::SharpnessTf { factor },
            OpName::Color => Op::Color { factor },
            OpName::Contrast => Op::Contrast { factor, mean: self.contrast_mean },
            OpName::Brightness => Op::Brightness { factor },
            OpName::Sharpness => Op::Sharpness { factor },
            OpName::Desaturate => Op::Color { factor: variant.saturation(magnitude) },
            OpName::GaussianBlur => Op::GaussianBlur { radius: variant.radius(magnitude) },
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
        if self.outside == Outside::Alpha {
            return self.apply_with_alpha(image, rng, scratch);
        }
        let mut drawn = Vec::new();
        for _ in 0..self.ops {
            let op = self.draw_other(&mut drawn, image.width(), image.height(), rng);
            op.apply(image, scratch);
        }
    }

    fn apply_with_alpha(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        let (mut alpha, mut drawn) = (Alpha::opaque(), Vec::new());
        for _ in 0..self.ops {
            let op = self.draw_other(&mut drawn, image.width(), image.height(), rng);
            alpha.apply(op, image, scratch);
        }
        alpha.paint(image, self.fill, scratch);
    }

    /// Applies operations that were drawn before, with `outside` as it is set here.
    pub fn apply_drawn(
        &self,
        ops: impl IntoIterator<Item = Op>,
        image: &mut Image,
        scratch: &mut Scratch,
    ) {
        if self.outside == Outside::Fill {
            return ops.into_iter().for_each(|op| op.apply(image, scratch));
        }
        let mut alpha = Alpha::opaque();
        ops.into_iter().for_each(|op| alpha.apply(op, image, scratch));
        alpha.paint(image, self.fill, scratch);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let least = if self.draw == Draw::Whole { 1.0 } else { 0.0 };
        let mut faults: Vec<Fault> = [
            Fault::unless((1..=16).contains(&self.ops), "ops", self.ops, "1 to 16"),
            Fault::outside("magnitude", self.magnitude, least, self.variant.strongest()),
            Fault::outside("magnitude_std", self.magnitude_std, 0.0, 1000.0),
            Fault::outside("magnitude_max", self.magnitude_max, 0.0, self.variant.strongest()),
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
        let drawable = self.menu().filter_map(|name| self.weights.of(name));
        let menu = drawable.filter(|&weight| weight > 0.0).count();
        let few = self.weights.of(OpName::Rotate).is_some() && self.ops > menu;
        faults.extend(Fault::unless(!few, "ops", self.ops, format_args!("1 to {menu} by weights")));
        let of_timm = self.weights.ops().is_none() || self.variant == Variant::Timm;
        faults.extend(Fault::unless(
            of_timm,
            "variant",
            self.variant,
            "timm, whose weights they are",
        ));
        let strangers = self.exclude.iter().filter(|name| !self.all().contains(name));
        let known = || self.all().iter().map(OpName::to_string).collect::<Vec<_>>().join(", ");
        faults.extend(strangers.map(|name| Fault::new("exclude", name, known())));
        faults
    }
}

impl fmt::Display for RandAugment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let draw = match self.draw {
            Draw::Fixed => "",
            Draw::Whole => "1 to ",
            Draw::WholeFromZero => "0 to ",
            Draw::Uniform => "0 to ",
        };
        write!(
            f,
            "randaugment {}, {} ops of magnitude {draw}{}",
            self.variant, self.ops, self.magnitude
        )?;
        if self.magnitude_std > 0.0 {
            write!(f, " +- {} (at most {})", self.magnitude_std, self.magnitude_max)?;
        }
        f.write_str(match self.weights {
            Weights::Equal => "",
            Weights::Timm => ", by timm's weights",
            Weights::Timm3a => ", of solarize, desaturate and blur",
            Weights::Timm3aw => ", mostly of solarize, desaturate and blur",
        })?;
        if self.variant == Variant::Timm && !self.weakening {
            write!(f, ", all increasing")?;
        }
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
