//! AutoAugment (Cubuk et al., arXiv 1805.09501): one pair of operations per image, from a table
//! that was searched for a data set.
//!
//! The tables are those of FixMatch's code (flags `aa` and `aac`); levels become arguments as in
//! UDA's RandAugment.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::image::Image;
use crate::levels::Variant;
use crate::op::Op;
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
}

impl Table {
    /// All pairs, in the order of the source.
    pub fn pairs(self) -> &'static [[Entry; 2]] {
        static CIFAR10: LazyLock<Vec<[Entry; 2]>> = LazyLock::new(|| tables::read(tables::CIFAR10));
        static SVHN: LazyLock<Vec<[Entry; 2]>> = LazyLock::new(|| tables::read(tables::SVHN));
        match self {
            Self::Cifar10 => &CIFAR10,
            Self::Svhn => &SVHN,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cifar10 => "cifar10",
            Self::Svhn => "svhn",
        })
    }
}

/// The step `autoaugment`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `table` | `cifar10` | `cifar10` or `svhn` |
/// | `ops` | UDA's RandAugment | a `randaugment` table |
///
/// Of `ops` only the arguments, the fill and the interpolation are used, not its draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoAugment {
    /// The table of pairs.
    pub table: Table,
    /// How levels become arguments.
    pub ops: RandAugment,
}

impl Default for AutoAugment {
    fn default() -> Self {
        Self { table: Table::Cifar10, ops: RandAugment::of(Variant::Uda) }
    }
}

impl AutoAugment {
    /// Draws a pair for an image of this size; an operation is [`Op::Identity`] where its
    /// probability says so.
    pub fn draw(&self, width: usize, height: usize, rng: &mut Rng) -> [Op; 2] {
        let pairs = self.table.pairs();
        pairs[rng.below(pairs.len())].map(|Entry { name, probability, level }| {
            let apply = rng.chance(probability);
            let sign = if rng.chance(0.5) { -1.0 } else { 1.0 };
            let center = [rng.below(width), rng.below(height)];
            if apply { self.ops.op(name, level, sign, center, width, height) } else { Op::Identity }
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
