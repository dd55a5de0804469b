//! Image augmentation on host threads, without any tensor library: the operations of RandAugment
//! with Pillow's arithmetic, the policies of the papers as data, weak augmentation, crops,
//! corruptions and their robustness metrics.
//!
//! A [`policy::Policy`] is what a recipe writes down and a loader applies; an [`op::Op`] is a
//! single operation with its arguments. Module [`text`] does the same for words and sentences:
//! TF-IDF and uniform replacement, SwitchOut, back-translation. All randomness comes from a
//! [`rng::Rng`] made from a [`rng::Key`], so that the same key gives the same bytes on any thread.
//!
//! ```
//! use augment::image::Image;
//! use augment::policy::{Policy, Step};
//! use augment::{levels::Variant, randaugment::RandAugment, rng::Key, weak::FlipCrop};
//!
//! let strong = RandAugment { magnitude: 5.0, ..RandAugment::of(Variant::NoisyStudent) };
//! let policy = Policy(vec![Step::FlipCrop(FlipCrop::default()), Step::RandAugment(strong)]);
//! policy.check().unwrap();
//!
//! let image = Image::new(4, 4, 1, (0..16).map(|i| 16 * i).collect());
//! let key = Key { seed: 1, epoch: 0, index: 3, view: 0 };
//! assert_eq!(policy.apply(image.clone(), &mut key.rng()), policy.apply(image, &mut key.rng()));
//! assert_eq!(
//!     policy.to_string(),
//!     "flip, crop from a border of 4 > randaugment noisy-student, 2 ops of magnitude 5"
//! );
//! ```
#![forbid(unsafe_code)]

pub mod affine;
mod alpha;
pub mod augmix;
pub mod autoaugment;
pub mod color;
pub mod corrupt;
pub mod crop;
pub mod ctaugment;
pub mod distribution;
pub mod erase;
pub mod fault;
pub mod fill;
pub mod filter;
pub mod gaussian;
pub mod geometry;
pub mod image;
pub mod jpeg;
pub mod length;
pub mod levels;
pub mod named;
pub mod normalize;
pub mod op;
pub mod policy;
pub mod randaugment;
pub mod resize;
pub mod rng;
pub mod robustness;
pub mod scratch;
pub mod sequence;
pub mod sheet;
pub mod simd;
mod table;
pub mod text;
pub mod tf;
pub mod unsharp;
pub mod weak;

pub use image::{Image, InvalidImage};
