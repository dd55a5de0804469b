//! A policy: a list of steps, written in a recipe, checked once, applied to any number of images.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::affine::Affine;
use crate::augmix::AugMix;
use crate::autoaugment::AutoAugment;
use crate::crop::{CenterCrop, RandomResizedCrop, Resize};
use crate::ctaugment::CtAugment;
use crate::erase::Cutout;
use crate::fault::Fault;
use crate::image::Image;
use crate::randaugment::RandAugment;
use crate::rng::Rng;
use crate::scratch::Scratch;
use crate::unsharp::UnsharpMask;
use crate::weak::FlipCrop;

/// Steps, applied in order. In a recipe: a list of tables, each with a `kind`, or the name of a
/// policy ([`crate::named`]).
///
/// ```
/// use augment::{image::Image, policy::Policy, rng::Key};
/// let text = r#"[
///     { "kind": "flip-crop", "pad": 4 },
///     { "kind": "randaugment", "variant": "uda" },
///     { "kind": "cutout" }
/// ]"#;
/// let policy: Policy = serde_json::from_str(text).unwrap();
/// policy.check().unwrap();
/// let mut rng = Key { seed: 0, epoch: 0, index: 0, view: 0 }.rng();
/// let view = policy.apply(Image::filled(32, 32, 3, 90), &mut rng);
/// assert_eq!((view.width(), view.height()), (32, 32));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Policy(pub Vec<Step>);

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Policy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of steps, or the name of a policy")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Policy, E> {
                name.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, steps: A) -> Result<Policy, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(steps)).map(Policy)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// One step of a policy; its settings are explained at its struct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Step {
    /// `flip-crop`: the weak augmentation.
    FlipCrop(FlipCrop),
    /// `randaugment`: random operations.
    #[serde(rename = "randaugment", alias = "rand-augment")]
    RandAugment(RandAugment),
    /// `autoaugment`: a pair of operations from a table.
    #[serde(rename = "autoaugment")]
    AutoAugment(AutoAugment),
    /// `ctaugment`: operations whose strengths training learns; as a step, all strengths alike.
    #[serde(rename = "ctaugment")]
    CtAugment(CtAugment),
    /// `augmix`: mixed chains of operations.
    #[serde(rename = "augmix")]
    AugMix(AugMix),
    /// `cutout`: a square is painted over.
    Cutout(Cutout),
    /// `affine`: a mild turn, shift, scale and shear.
    Affine(Affine),
    /// `resize`.
    Resize(Resize),
    /// `random-resized-crop`.
    RandomResizedCrop(RandomResizedCrop),
    /// `center-crop`.
    CenterCrop(CenterCrop),
    /// `unsharp-mask`: sharpens.
    UnsharpMask(UnsharpMask),
}

/// All faults of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("augmentation policy: {}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))]
pub struct PolicyError(pub Vec<Fault>);

impl Policy {
    /// No step: images stay as they are.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Applies every step. Panics on a setting that [`check`](Self::check) refuses.
    pub fn apply(&self, mut image: Image, rng: &mut Rng) -> Image {
        self.apply_in_place(&mut image, rng, &mut Scratch::new());
        image
    }

    /// [`apply`](Self::apply) without allocating: `scratch` is kept by the caller, one per thread.
    pub fn apply_in_place(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        for step in &self.0 {
            step.apply(image, rng, scratch);
        }
    }

    /// Whether every setting lies in its range. The error names each fault as `step.key`, steps
    /// counted from 0.
    pub fn check(&self) -> Result<(), PolicyError> {
        let faults: Vec<Fault> = (self.0.iter().enumerate())
            .flat_map(|(i, step)| {
                let name = move |key| format!("[{i}] {}.{key}", step.kind());
                step.faults().into_iter().map(move |fault| Fault { key: name(fault.key), ..fault })
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(PolicyError(faults)) }
    }
}

impl From<Step> for Policy {
    fn from(step: Step) -> Self {
        Self(vec![step])
    }
}

impl Step {
    /// The `kind` in a recipe.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::FlipCrop(_) => "flip-crop",
            Self::RandAugment(_) => "randaugment",
            Self::AutoAugment(_) => "autoaugment",
            Self::CtAugment(_) => "ctaugment",
            Self::AugMix(_) => "augmix",
            Self::Cutout(_) => "cutout",
            Self::Affine(_) => "affine",
            Self::Resize(_) => "resize",
            Self::RandomResizedCrop(_) => "random-resized-crop",
            Self::CenterCrop(_) => "center-crop",
            Self::UnsharpMask(_) => "unsharp-mask",
        }
    }

    /// Applies the step in place.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        match self {
            Self::FlipCrop(step) => step.apply(image, rng, scratch),
            Self::RandAugment(step) => step.apply(image, rng, scratch),
            Self::AutoAugment(step) => step.apply(image, rng, scratch),
            Self::CtAugment(step) => step.apply(image, rng, scratch),
            Self::AugMix(step) => step.apply(image, rng, scratch),
            Self::Cutout(step) => step.apply(image, rng),
            Self::Affine(step) => step.apply(image, rng, scratch),
            Self::Resize(step) => step.apply(image, scratch),
            Self::RandomResizedCrop(step) => step.apply(image, rng, scratch),
            Self::CenterCrop(step) => step.apply(image, scratch),
            Self::UnsharpMask(step) => step.apply(image, scratch),
        }
    }

    fn faults(&self) -> Vec<Fault> {
        match self {
            Self::FlipCrop(step) => step.faults(),
            Self::RandAugment(step) => step.faults(),
            Self::AutoAugment(step) => step.faults(),
            Self::CtAugment(step) => step.faults(),
            Self::AugMix(step) => step.faults(),
            Self::Cutout(step) => step.faults(),
            Self::Affine(step) => step.faults(),
            Self::Resize(step) => step.faults(),
            Self::RandomResizedCrop(step) => step.faults(),
            Self::CenterCrop(step) => step.faults(),
            Self::UnsharpMask(step) => step.faults(),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (i, step) in self.0.iter().enumerate() {
            write!(f, "{}{step}", if i > 0 { " > " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlipCrop(FlipCrop { pad, flip: true }) => {
                write!(f, "flip, crop from a border of {pad}")
            }
            Self::FlipCrop(FlipCrop { pad, flip: false }) => {
                write!(f, "crop from a border of {pad}")
            }
            Self::RandAugment(step) => step.fmt(f),
            Self::AutoAugment(AutoAugment { table, ops }) if ops.magnitude_std > 0.0 => {
                write!(f, "autoaugment {table}, levels +- {}", ops.magnitude_std)
            }
            Self::AutoAugment(step) => write!(f, "autoaugment {}", step.table),
            Self::CtAugment(step) => write!(f, "ctaugment, {} ops", step.depth),
            Self::AugMix(AugMix { width, ops: Some(ops), .. }) => {
                write!(f, "augmix of {width} chains of {ops}")
            }
            Self::AugMix(step) => write!(f, "augmix of severity {}", step.severity),
            Self::Cutout(step) => write!(f, "cutout {}", step.size),
            Self::Affine(Affine { degrees, translate, scale: [low, high], shear, .. }) => {
                write!(
                    f,
                    "affine +-{degrees} degrees, shift +-{translate}, scale {low} to {high}, shear +-{shear}"
                )
            }
            Self::Resize(step) => write!(f, "resize {}", step.size),
            Self::RandomResizedCrop(RandomResizedCrop { size, area: [low, high], .. }) => {
                write!(f, "random resized crop {size}, area {low} to {high}")
            }
            Self::CenterCrop(step) => write!(f, "center crop {}", step.size),
            Self::UnsharpMask(UnsharpMask { radius, percent }) => {
                write!(f, "unsharp mask of {radius} pixels, {percent} %")
            }
        }
    }
}
