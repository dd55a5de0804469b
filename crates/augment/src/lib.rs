//! Augmentation of images and texts on host threads, without any tensor library: the operations of
//! RandAugment with Pillow's arithmetic, the policies of the papers by name, corruptions and their
//! robustness metrics; for texts the replacement of words and back-translation.
//!
//! ```
//! use augment::{image::Image, policy::Policy, rng::Key};
//!
//! let policy: Policy = "fixmatch".parse()?;
//! let image = Image::new(32, 32, 3, vec![128; 32 * 32 * 3]);
//! let key = Key { seed: 1, epoch: 0, index: 3, view: 0 };
//! let view = policy.apply(image.clone(), &mut key.rng());
//! assert_eq!(view, policy.apply(image, &mut key.rng()));
//! # Ok::<(), augment::named::NameError>(())
//! ```
//!
//! All randomness comes from a [`rng::Rng`] made from a [`rng::Key`], so that the same key gives
//! the same bytes on any thread. A [`policy::Policy`] is what a recipe writes down and a loader
//! applies. It can be put together from steps with settings of one's own, and says what it does:
//!
//! ```
//! use augment::policy::{Policy, Step};
//! use augment::{levels::Variant, randaugment::RandAugment, weak::FlipCrop};
//!
//! let strong = RandAugment { magnitude: 5.0, ..RandAugment::of(Variant::NoisyStudent) };
//! let policy = Policy(vec![Step::FlipCrop(FlipCrop::default()), Step::RandAugment(strong)]);
//! policy.check().unwrap();
//! assert_eq!(
//!     policy.to_string(),
//!     "flip, crop from a border of 4 > randaugment noisy-student, 2 ops of magnitude 5"
//! );
//! ```
//!
//! An [`op::Op`] is a single operation with its arguments. Module [`text`] does for words and
//! sentences what policies do for images: TF-IDF and uniform replacement, SwitchOut,
//! back-translation.
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
