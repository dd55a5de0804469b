//! Policies by name: those of the papers, and timm's notation `rand-m9-n3-mstd0.5-inc1`,
//! `augmix-m5-w4-d2`, `original-mstd0.5`, `3a`.
//!
//! ```
//! use augment::policy::Policy;
//! let strong: Policy = "rand-m9-n3-mstd0.5-inc1".parse()?;
//! assert_eq!(strong.0[0].kind(), "randaugment");
//! let weak: Policy = "weak-cifar10".parse()?;
//! assert_eq!(weak.0[0].kind(), "flip-crop");
//! let error = "weak-cifar".parse::<Policy>().unwrap_err();
//! assert!(error.to_string().contains("weak-cifar10"));
//! # Ok::<(), augment::named::NameError>(())
//! ```

use std::str::FromStr;

use crate::augmix::AugMix;
use crate::autoaugment::{AutoAugment, Table};
use crate::crop::RandomResizedCrop;
use crate::ctaugment::CtAugment;
use crate::erase::{Cutout, Extent};
use crate::fill::Fill;
use crate::length::Length;
use crate::levels::Variant;
use crate::policy::{Policy, Step};
use crate::randaugment::{Draw, RandAugment};
use crate::weak::FlipCrop;

mod timm;

/// A policy with a name.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The name, as in a recipe.
    pub name: &'static str,
    /// Where it comes from.
    pub about: &'static str,
    steps: fn() -> Vec<Step>,
}

impl Named {
    /// The policy itself.
    pub fn policy(&self) -> Policy {
        Policy((self.steps)())
    }
}

const CIFAR10: FlipCrop = FlipCrop { pad: 4, flip: true };
const SVHN: FlipCrop = FlipCrop { pad: 4, flip: false };
const MEAN: Fill = Fill::rgb(125, 122, 113);
const SVHN_MEAN: Fill = Fill::rgb(112, 113, 121);

fn rand(variant: Variant) -> Step {
    Step::RandAugment(RandAugment::of(variant))
}

fn cutout(fill: Fill) -> Step {
    Step::Cutout(Cutout { fill, ..Cutout::default() })
}

/// All of them. Views of UDA are augmented before flip and crop, those of FixMatch after.
pub const NAMED: &[Named] = &[
    Named { name: "none", about: "images as they are", steps: Vec::new },
    Named {
        name: "weak-cifar10",
        about: "flip, mirrored crop of 4 (UDA, FixMatch)",
        steps: || vec![Step::FlipCrop(CIFAR10)],
    },
    Named {
        name: "weak-svhn",
        about: "mirrored crop of 4, no flip (UDA, FixMatch, Noisy Student)",
        steps: || vec![Step::FlipCrop(SVHN)],
    },
    Named {
        name: "weak-stl10",
        about: "flip, mirrored crop of 12 (FixMatch)",
        steps: || vec![Step::FlipCrop(FlipCrop { pad: 12, flip: true })],
    },
    Named {
        name: "weak-imagenet",
        about: "random resized crop (Noisy Student's training view before RandAugment, without its flip)",
        steps: || vec![Step::RandomResizedCrop(RandomResizedCrop::default())],
    },
    Named {
        name: "uda",
        about: "UDA's RandAugment and cutout on CIFAR-10, then flip and crop",
        steps: || vec![rand(Variant::Uda), cutout(MEAN), Step::FlipCrop(CIFAR10)],
    },
    Named {
        name: "uda-svhn",
        about: "UDA's RandAugment and cutout on SVHN, then crop",
        steps: || {
            let randaugment = RandAugment { fill: SVHN_MEAN, ..RandAugment::of(Variant::Uda) };
            vec![Step::RandAugment(randaugment), cutout(SVHN_MEAN), Step::FlipCrop(SVHN)]
        },
    },
    Named {
        name: "noisy-student",
        about: "Noisy Student's RandAugment on ImageNet, magnitude 27",
        steps: || vec![rand(Variant::NoisyStudent)],
    },
    Named {
        name: "noisy-student-svhn",
        about: "Noisy Student's RandAugment on SVHN, magnitude 5, cutout, crop",
        steps: || {
            let four = Length::Pixels(4.0);
            let randaugment = RandAugment {
                magnitude: 5.0,
                translate_const: four,
                cutout_const: four,
                ..RandAugment::of(Variant::NoisyStudent)
            };
            vec![Step::RandAugment(randaugment), cutout(Fill::GREY), Step::FlipCrop(SVHN)]
        },
    },
    Named {
        name: "fixmatch",
        about: "FixMatch's strong view on CIFAR-10 by the released code: flip, crop, RandAugment, cutout",
        steps: || vec![Step::FlipCrop(CIFAR10), rand(Variant::Fixmatch), cutout(Fill::grey(127))],
    },
    Named {
        name: "fixmatch-svhn",
        about: "the same without flip",
        steps: || vec![Step::FlipCrop(SVHN), rand(Variant::Fixmatch), cutout(Fill::grey(127))],
    },
    Named {
        name: "kekmodel",
        about: "FixMatch's strong view in kekmodel's PyTorch code, with its cutout of 17 pixels",
        steps: || {
            let (extent, fill) = (Extent::Inclusive, Fill::grey(127));
            let cutout = Cutout { extent, fill, ..Cutout::default() };
            vec![Step::FlipCrop(CIFAR10), rand(Variant::FixmatchPaper), Step::Cutout(cutout)]
        },
    },
    Named {
        name: "usb",
        about: "the strong view of Microsoft's Semi-supervised-learning: three operations, cutout up to half the side",
        steps: || {
            let fill = Fill::rgb(125, 123, 114);
            let cutout = Cutout { size: Length::fraction(0.5), extent: Extent::UpTo, fill };
            vec![Step::FlipCrop(CIFAR10), rand(Variant::Usb), Step::Cutout(cutout)]
        },
    },
    Named {
        name: "torchvision",
        about: "torchvision's RandAugment by default",
        steps: || vec![rand(Variant::Torchvision)],
    },
    Named {
        name: "fixmatch-imagenet",
        about: "FixMatch's RandAugment on ImageNet",
        steps: || vec![rand(Variant::FixmatchImagenet)],
    },
    Named {
        name: "autoaugment-cifar10",
        about: "AutoAugment's 95 pairs after flip and crop, then cutout (FixMatch's `aac`)",
        steps: || {
            let pairs = AutoAugment { table: Table::Cifar10, ..AutoAugment::default() };
            vec![Step::FlipCrop(CIFAR10), Step::AutoAugment(pairs), cutout(Fill::grey(127))]
        },
    },
    Named {
        name: "autoaugment-svhn",
        about: "AutoAugment's 40 pairs after a crop, then cutout",
        steps: || {
            let pairs = AutoAugment { table: Table::Svhn, ..AutoAugment::default() };
            vec![Step::FlipCrop(SVHN), Step::AutoAugment(pairs), cutout(Fill::grey(127))]
        },
    },
    Named {
        name: "ctaugment",
        about: "CTAugment with all strengths alike, as a probe, after flip and crop; then cutout (FixMatch)",
        steps: || {
            let ct = Step::CtAugment(CtAugment::default());
            vec![Step::FlipCrop(CIFAR10), ct, cutout(Fill::grey(127))]
        },
    },
    Named {
        name: "augmix",
        about: "AugMix after flip and crop",
        steps: || vec![Step::FlipCrop(CIFAR10), Step::AugMix(AugMix::default())],
    },
];

/// A name that stands for no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not in the catalogue.
    #[error(
        "there is no policy named `{name}`{}; known are {}, FixMatch's `r2_9_50` and timm's `rand-m9-n3-mstd0.5-inc1`, `augmix-m5-w4-d2`, `v0`, `v0r`, `original-mstd0.5`, `originalr`, `3a`",
        .nearest.map(|nearest| format!(" (did you mean `{nearest}`?)")).unwrap_or_default(),
        NAMED.iter().map(|named| named.name).collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The most similar name, if any is similar.
        nearest: Option<&'static str>,
    },
    /// A part of timm's notation that is not understood.
    #[error("`{part}` in `{name}`: {known}")]
    Part {
        /// The whole name.
        name: String,
        /// The part.
        part: String,
        /// The parts that there are.
        known: &'static str,
    },
    /// A policy that parses but has a setting out of its range.
    #[error("`{name}`: {fault}")]
    Fault {
        /// The whole name.
        name: String,
        /// What is out of range.
        fault: String,
    },
}

impl FromStr for Policy {
    type Err = NameError;

    /// A name of [`NAMED`], one of timm's (`rand-...`, `augmix-...`, `v0`, `v0r`, `original`,
    /// `originalr`, `3a`, as its version 1.0.9 reads them), or FixMatch's `rN_M_C` (N operations of
    /// magnitude M, cutout of C % of the side).
    fn from_str(name: &str) -> Result<Self, NameError> {
        if let Some(named) = NAMED.iter().find(|named| named.name == name) {
            return Ok(named.policy());
        }
        let stranger = |timm::Stranger { part, known }: timm::Stranger| NameError::Part {
            name: name.to_owned(),
            part,
            known,
        };
        let (first, parts) = name.split_once('-').unwrap_or((name, ""));
        let policy = if first == "rand" {
            timm::randaugment(parts).map_err(stranger)?
        } else if first == "augmix" {
            timm::augmix(parts).map_err(stranger)?
        } else if let Some(table) = timm::table(first) {
            timm::autoaugment(table, parts).map_err(stranger)?
        } else if let Some(policy) = fixed_magnitude(name) {
            policy
        } else {
            let nearest = NAMED
                .iter()
                .map(|named| (strsim::jaro_winkler(named.name, name), named.name))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(likeness, _)| *likeness > 0.75)
                .map(|(_, nearest)| nearest);
            return Err(NameError::Unknown { name: name.to_owned(), nearest });
        };
        match policy.check() {
            Ok(()) => Ok(policy),
            Err(error) => Err(NameError::Fault { name: name.to_owned(), fault: error.to_string() }),
        }
    }
}

fn fixed_magnitude(name: &str) -> Option<Policy> {
    let numbers: Vec<usize> =
        name.strip_prefix('r')?.split('_').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let [ops, magnitude, percent] = numbers[..] else { return None };
    let randaugment = RandAugment {
        ops,
        magnitude: magnitude as f64,
        draw: Draw::Fixed,
        probability: 1.0,
        ..RandAugment::of(Variant::Fixmatch)
    };
    let (size, fill) = (Length::fraction(percent as f64 / 100.0), Fill::grey(127));
    let cutout = Step::Cutout(Cutout { size, fill, ..Cutout::default() });
    Some(Policy(vec![Step::FlipCrop(CIFAR10), Step::RandAugment(randaugment), cutout]))
}
