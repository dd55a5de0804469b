//! AutoAugment (Cubuk et al., arXiv 1805.09501): one pair of operations per image, from a table
//! that was searched for a data set.
//!
//! The tables for CIFAR-10 and SVHN are those of FixMatch's code (flags `aa` and `aac`); their
//! levels become arguments as in UDA's RandAugment, and pixels from outside grey. Those for
//! ImageNet are timm's, with its arguments.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::fill::Fill;
use crate::image::Image;
use crate::levels::Variant;
use crate::op::{Op, OpName};
use crate::randaugment::RandAugment;
use crate::rng::Rng;
use crate::scratch::Scratch;

mod tables;

pub use tables::Entry;

/// For which data set a table was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Table {
    /// 95 pairs.
    #[serde(rename = "cifar10")]
    Cifar10,
    /// 40 pairs.
    #[serde(rename = "svhn")]
    Svhn,
    /// ImageNet, 25 pairs of EfficientNet's code for TPUs (timm's `v0`); posterize keeps as many
    /// bits as the level says.
    #[serde(rename = "v0")]
    V0,
    /// The pairs of [`V0`](Self::V0), but posterize takes bits away as the level grows (timm's
    /// `v0r`).
    #[serde(rename = "v0r")]
    V0r,
    /// ImageNet, 25 pairs of the paper (timm's `original`); posterize keeps 4 to 8 bits.
    #[serde(rename = "original")]
    Original,
    /// The pairs of [`Original`](Self::Original), but posterize takes bits away as the level grows
    /// (timm's `originalr`).
    #[serde(rename = "originalr")]
    Originalr,
    /// Not searched for: one of the three operations of 3-Augment (DeiT III, arXiv 2204.07118;
    /// timm's `3a`), solarize, grey, or Gaussian blur of 0.1 to 2 pixels; the second of each pair
    /// does nothing.
    #[serde(rename = "3a")]
    Three,
}

impl Table {
    /// All pairs, in the order of the source.
    pub fn pairs(self) -> &'static [[Entry; 2]] {
        static CIFAR10: LazyLock<Vec<[Entry; 2]>> = LazyLock::new(|| tables::read(tables::CIFAR10));
        static SVHN: LazyLock<Vec<[Entry; 2]>> = LazyLock::new(|| tables::read(tables::SVHN));
        static V0: LazyLock<Vec<[Entry; 2]>> = LazyLock::new(|| tables::read(tables::V0));
        static ORIGINAL: LazyLock<Vec<[Entry; 2]>> =
            LazyLock::new(|| tables::read(tables::ORIGINAL));
        static THREE: LazyLock<Vec<[Entry; 2]>> = LazyLock::new(|| tables::read(tables::THREE));
        match self {
            Self::Cifar10 => &CIFAR10,
            Self::Svhn => &SVHN,
            Self::V0 | Self::V0r => &V0,
            Self::Original | Self::Originalr => &ORIGINAL,
            Self::Three => &THREE,
        }
    }

    /// How its source turns levels into arguments.
    pub fn ops(self) -> RandAugment {
        match self {
            Self::Cifar10 | Self::Svhn => {
                RandAugment { fill: Fill::grey(127), ..RandAugment::of(Variant::Uda) }
            }
            Self::V0 | Self::V0r | Self::Original | Self::Originalr | Self::Three => {
                RandAugment::of(Variant::Timm)
            }
        }
    }

    /// The bits that posterize keeps at a level, where the table has a rule of its own.
    fn bits(self, level: f64) -> Option<u8> {
        let steps = (level / 10.0 * 4.0) as u8;
        match self {
            Self::Cifar10 | Self::Svhn | Self::V0 | Self::Three => None,
            Self::V0r | Self::Originalr => Some(4 - steps.min(4)),
            Self::Original => Some(4 + steps.min(4)),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cifar10 => "cifar10",
            Self::Svhn => "svhn",
            Self::V0 => "v0",
            Self::V0r => "v0r",
            Self::Original => "original",
            Self::Originalr => "originalr",
            Self::Three => "3a",
        })
    }
}

/// The step `autoaugment`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `table` | `cifar10` | `cifar10`, `svhn`, `v0`, `v0r`, `original`, `originalr` or `3a`: [`Table`] |
/// | `ops` | of the table's source | a `randaugment` table |
///
/// Of `ops` only the arguments, the fill, the interpolation and the noise on the magnitude
/// (`magnitude_std`, `magnitude_max`) are used, not its other draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct AutoAugment {
    /// The table of pairs.
    pub table: Table,
    /// How levels become arguments.
    pub ops: RandAugment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    table: Option<Table>,
    ops: Option<RandAugment>,
}

impl From<Written> for AutoAugment {
    fn from(written: Written) -> Self {
        let preset = Self::of(written.table.unwrap_or(Table::Cifar10));
        Self { ops: written.ops.unwrap_or(preset.ops), ..preset }
    }
}

impl Default for AutoAugment {
    fn default() -> Self {
        Self::of(Table::Cifar10)
    }
}

impl AutoAugment {
    /// A table with the arguments of its source.
    pub fn of(table: Table) -> Self {
        Self { table, ops: table.ops() }
    }

    /// Draws a pair for an image of this size; an operation is [`Op::Identity`] where its
    /// probability says so.
    pub fn draw(&self, width: usize, height: usize, rng: &mut Rng) -> [Op; 2] {
        let pairs = self.table.pairs();
        pairs[rng.below(pairs.len())].map(|Entry { name, probability, level }| {
            let apply = rng.chance(probability);
            let sign = if rng.chance(0.5) { -1.0 } else { 1.0 };
            let center = [rng.below(width), rng.below(height)];
            let level = self.ops.noised(level, rng);
            let op = match self.table.bits(level) {
                Some(bits) if name == OpName::Posterize => Op::Posterize { bits },
                _ if name == OpName::GaussianBlur => {
                    // The level is the share of the greatest radius up to which one is drawn.
                    let most = 2.0 * (level / 10.0).clamp(0.0, 1.0);
                    Op::GaussianBlur { radius: rng.range(0.1, most) }
                }
                _ => self.ops.op(name, level, sign, center, width, height),
            };
            let op = self.ops.at_random_bicubic(op, rng);
            if apply { op } else { Op::Identity }
        })
    }

    /// Draws a pair and applies it.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        let pair = self.draw(image.width(), image.height(), rng);
        self.ops.apply_drawn(pair, image, scratch);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let levels_of_ten = self.ops.variant.scale() == 10.0;
        let fault = Fault::unless(
            levels_of_ten,
            "ops.variant",
            self.ops.variant,
            "any variant with magnitudes of 10",
        );
        self.ops.faults().into_iter().chain(fault).collect()
    }
}
