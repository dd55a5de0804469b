//! The settings of RandAugment, and their values for each variant.

use serde::{Deserialize, Serialize};

use crate::color::ContrastMean;
use crate::fill::Fill;
use crate::geometry::Interpolation;
use crate::length::Length;
use crate::levels::Variant;
use crate::op::OpName;

/// How the magnitude of one operation is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Draw {
    /// Always `magnitude`.
    Fixed,
    /// A whole number, uniform from 1 to `magnitude`.
    Whole,
    /// A whole number, uniform from 0 to `magnitude`.
    WholeFromZero,
    /// A real number, uniform from 0 to `magnitude`.
    Uniform,
}

/// What a geometric operation puts where the image has no pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// The colour `fill` at once, which later operations then see.
    Fill,
    /// Black and transparent, as in the RGBA images of UDA's and FixMatch's code: later operations
    /// see black; in the end what is still transparent becomes `fill`. Operations that work by
    /// tables or histograms (auto-contrast, equalize, invert, posterize, solarize) remove all
    /// transparency, so that what they made of the black stays.
    Alpha,
}

/// Whose arithmetic colour and sharpness follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// Pillow's.
    #[default]
    Pillow,
    /// That of the TensorFlow code: [`crate::tf`].
    Tf,
}

/// How often each operation is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// All alike, and one may come again in an image.
    #[default]
    Equal,
    /// By timm's `tweights`: mostly rotations and shears, none twice in an image.
    Timm,
    /// timm's `t3a`: the three operations of 3-Augment (arXiv 2204.07118) alone, solarize,
    /// desaturate and Gaussian blur, all alike.
    #[serde(rename = "timm-3a")]
    Timm3a,
    /// timm's `t3aw`: these three more often than eleven others, none twice in an image.
    #[serde(rename = "timm-3aw")]
    Timm3aw,
}

/// Those of timm's `_RAND_3A`.
const THREE: &[OpName] = &[OpName::Solarize, OpName::Desaturate, OpName::GaussianBlur];

/// Those of timm's `_RAND_WEIGHTED_3A`.
const THREE_AND_OTHERS: &[OpName] = &[
    OpName::Solarize,
    OpName::Desaturate,
    OpName::GaussianBlur,
    OpName::Rotate,
    OpName::ShearX,
    OpName::ShearY,
    OpName::Posterize,
    OpName::AutoContrast,
    OpName::Color,
    OpName::Sharpness,
    OpName::Contrast,
    OpName::Brightness,
    OpName::Equalize,
    OpName::Invert,
];

impl Weights {
    /// The operations that are drawn from, where they are not those of the variant.
    pub(crate) fn ops(self) -> Option<&'static [OpName]> {
        match self {
            Self::Equal | Self::Timm => None,
            Self::Timm3a => Some(THREE),
            Self::Timm3aw => Some(THREE_AND_OTHERS),
        }
    }

    /// The weight of an operation in timm 1.0.9, in whose weighted sets none comes twice in an
    /// image; none where all are alike.
    pub(crate) fn of(self, name: OpName) -> Option<f64> {
        match self {
            Self::Equal | Self::Timm3a => None,
            Self::Timm => Some(in_timms_weights(name)),
            Self::Timm3aw => Some(match name {
                OpName::Solarize | OpName::Desaturate | OpName::GaussianBlur => 6.0,
                OpName::Rotate => 3.0,
                OpName::ShearX | OpName::ShearY => 2.0,
                _ => 1.0,
            }),
        }
    }
}

/// The weight of an operation in timm's `_RAND_WEIGHTED_0`.
fn in_timms_weights(name: OpName) -> f64 {
    match name {
        OpName::Rotate => 3.0,
        OpName::ShearX | OpName::ShearY => 2.0,
        OpName::TranslateX | OpName::TranslateY => 1.0,
        OpName::Color | OpName::Sharpness | OpName::AutoContrast => 0.25,
        OpName::Solarize
        | OpName::SolarizeAdd
        | OpName::Contrast
        | OpName::Brightness
        | OpName::Equalize
        | OpName::Posterize
        | OpName::Invert => 0.05,
        OpName::Identity | OpName::Cutout | OpName::Desaturate | OpName::GaussianBlur => 0.0,
    }
}

/// The step `randaugment`. A key that is left out has the value of the variant's paper.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `ops` | 2 (usb 3) | operations per image |
/// | `magnitude` | below | strength, of 10 (torchvision: of 30) |
/// | `draw` | below | `fixed`, `whole`, `whole-from-zero` or `uniform`: [`Draw`] |
/// | `magnitude_std` | 0 | deviation of normal noise on the magnitude |
/// | `magnitude_max` | 10 (noisy-student 40, torchvision 30) | greatest magnitude after noise |
/// | `probability` | below | with which a drawn operation is applied |
/// | `interpolation` | nearest (timm bilinear) | of rotations, shears, translations |
/// | `half_bicubic` | false (timm true) | half of the images' operations are bicubic instead |
/// | `outside` | fill (uda, fixmatch alpha) | `fill` or `alpha`: [`Outside`] |
/// | `fill` | below | colour from outside the image, and of cutout |
/// | `translate_const` | below | shift at full scale |
/// | `cutout_const` | 10 px (noisy-student 40) | half the box of operation `cutout` at full scale |
/// | `contrast_mean` | grey | `grey` or `tf`: [`ContrastMean`] |
/// | `arithmetic` | pillow | `pillow` or `tf`: [`Arithmetic`] |
/// | `weakening` | below | posterize and solarize get weaker with the magnitude |
/// | `exclude` | none | operations to leave out, by name |
/// | `weights` | equal | `equal`, `timm`, or of timm's variant `timm-3a`, `timm-3aw`: [`Weights`] |
///
/// | variant | `magnitude` | `draw` | `probability` | `fill` | `translate_const` | `weakening` |
/// |---|---|---|---|---|---|---|
/// | uda | 9 | whole | 0.5 | 125,122,113 | 10 px | false |
/// | noisy-student | 27 | fixed | 1 | 128 | 100 px | true |
/// | fixmatch | 9 | whole | 0.5 | 127 | 10 px | false |
/// | fixmatch-paper | 9 | whole | 0.5 | 0 | 0.3 of side | - |
/// | fixmatch-imagenet | 10 | whole-from-zero | 0.5 | 128 | 100 px | true |
/// | usb | 10 | uniform | 1 | 0 | 0.3 of side | - |
/// | torchvision | 9 | fixed | 1 | 0 | 150/331 of side | - |
/// | timm | 10 | fixed | 0.5 | 128 | 0.45 of side | true |
///
/// Noisy Student's constants are those of ImageNet; its SVHN run has `translate_const =
/// cutout_const = 4`. In timm, `weakening = false` is `inc1`, which also takes colour, contrast,
/// brightness and sharpness to both sides of 1. `weakening` means nothing to a variant marked
/// `-`, `cutout_const` only something to the two that draw the operation `cutout`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct RandAugment {
    /// The variant: its operations and tables.
    pub variant: Variant,
    /// Operations per image.
    pub ops: usize,
    /// Strength; see [`Variant::scale`].
    pub magnitude: f64,
    /// How each operation's magnitude is drawn.
    pub draw: Draw,
    /// Deviation of normal noise on the magnitude, which is then clipped to `0..=magnitude_max`; 0
    /// for none.
    pub magnitude_std: f64,
    /// The greatest magnitude after noise.
    pub magnitude_max: f64,
    /// The probability with which a drawn operation is applied.
    pub probability: f64,
    /// How rotations, shears and translations interpolate.
    pub interpolation: Interpolation,
    /// Whether half of the operations, drawn at random, are bicubic instead.
    pub half_bicubic: bool,
    /// When `fill` is painted.
    pub outside: Outside,
    /// Colour from outside the image, and of cutout.
    pub fill: Fill,
    /// Shift at full scale.
    pub translate_const: Length,
    /// Half the side of the operation `cutout` at full scale.
    pub cutout_const: Length,
    /// What contrast blends with.
    pub contrast_mean: ContrastMean,
    /// Whose arithmetic colour and sharpness follow.
    pub arithmetic: Arithmetic,
    /// Whether posterize and solarize get weaker as the magnitude grows.
    pub weakening: bool,
    /// Operations to leave out.
    pub exclude: Vec<OpName>,
    /// How often each operation is drawn.
    #[serde(skip_serializing_if = "is_equal")]
    pub weights: Weights,
}

fn is_equal(weights: &Weights) -> bool {
    *weights == Weights::Equal
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    variant: Variant,
    ops: Option<usize>,
    magnitude: Option<f64>,
    draw: Option<Draw>,
    magnitude_std: Option<f64>,
    magnitude_max: Option<f64>,
    probability: Option<f64>,
    interpolation: Option<Interpolation>,
    half_bicubic: Option<bool>,
    outside: Option<Outside>,
    fill: Option<Fill>,
    translate_const: Option<Length>,
    cutout_const: Option<Length>,
    contrast_mean: Option<ContrastMean>,
    arithmetic: Option<Arithmetic>,
    weakening: Option<bool>,
    exclude: Option<Vec<OpName>>,
    #[serde(default)]
    weights: Weights,
}

impl From<Written> for RandAugment {
    fn from(written: Written) -> Self {
        let preset = Self::of(written.variant);
        Self {
            variant: written.variant,
            ops: written.ops.unwrap_or(preset.ops),
            magnitude: written.magnitude.unwrap_or(preset.magnitude),
            draw: written.draw.unwrap_or(preset.draw),
            magnitude_std: written.magnitude_std.unwrap_or(preset.magnitude_std),
            magnitude_max: written.magnitude_max.unwrap_or(preset.magnitude_max),
            probability: written.probability.unwrap_or(preset.probability),
            half_bicubic: written.half_bicubic.unwrap_or(preset.half_bicubic),
            outside: written.outside.unwrap_or(preset.outside),
            arithmetic: written.arithmetic.unwrap_or(preset.arithmetic),
            interpolation: written.interpolation.unwrap_or(preset.interpolation),
            fill: written.fill.unwrap_or(preset.fill),
            translate_const: written.translate_const.unwrap_or(preset.translate_const),
            cutout_const: written.cutout_const.unwrap_or(preset.cutout_const),
            contrast_mean: written.contrast_mean.unwrap_or(preset.contrast_mean),
            weakening: written.weakening.unwrap_or(preset.weakening),
            exclude: written.exclude.unwrap_or(preset.exclude),
            weights: written.weights,
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
            magnitude_std: 0.0,
            magnitude_max: if variant == Variant::Timm { 10.0 } else { variant.strongest() },
            probability: 0.5,
            interpolation: Interpolation::Nearest,
            half_bicubic: false,
            outside: Outside::Fill,
            fill: Fill::BLACK,
            translate_const: Length::Pixels(10.0),
            cutout_const: Length::Pixels(10.0),
            contrast_mean: ContrastMean::Grey,
            arithmetic: Arithmetic::Pillow,
            weakening: false,
            exclude: Vec::new(),
            weights: Weights::Equal,
        };
        match variant {
            Variant::Uda => {
                Self { outside: Outside::Alpha, fill: Fill::rgb(125, 122, 113), ..base }
            }
            Variant::Fixmatch => Self { outside: Outside::Alpha, fill: Fill::grey(127), ..base },
            Variant::FixmatchPaper => Self { translate_const: Length::fraction(0.3), ..base },
            Variant::FixmatchImagenet => Self {
                magnitude: 10.0,
                draw: Draw::WholeFromZero,
                fill: Fill::GREY,
                translate_const: Length::Pixels(100.0),
                weakening: true,
                ..base
            },
            Variant::Usb => Self {
                ops: 3,
                magnitude: 10.0,
                draw: Draw::Uniform,
                probability: 1.0,
                translate_const: Length::fraction(0.3),
                ..base
            },
            Variant::Timm => Self {
                magnitude: 10.0,
                draw: Draw::Fixed,
                interpolation: Interpolation::Bilinear,
                half_bicubic: true,
                fill: Fill::GREY,
                translate_const: Length::fraction(0.45),
                weakening: true,
                ..base
            },
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
}
