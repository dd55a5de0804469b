//! From magnitude to argument: one table for each paper's RandAugment.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::op::OpName;

/// A published RandAugment: its set of operations and its strength tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// UDA (arXiv 1904.12848), released code: 15 operations with Invert and Cutout.
    Uda,
    /// Noisy Student (arXiv 1911.04252), released code: 16 operations with SolarizeAdd and Cutout.
    NoisyStudent,
    /// FixMatch (arXiv 2001.07685), released code: 14 operations with UDA's arguments.
    Fixmatch,
    /// FixMatch's table 12, and kekmodel's PyTorch code: 14 operations, milder colours, posterize 4
    /// to 8 bits.
    #[serde(alias = "kekmodel")]
    FixmatchPaper,
    /// FixMatch's code for ImageNet: Noisy Student's operations and tables with Identity in place
    /// of Cutout.
    FixmatchImagenet,
    /// Microsoft's Semi-supervised-learning (USB): the paper's ranges, nothing cut to whole
    /// numbers.
    Usb,
    /// timm's `rand-m9-...`: Noisy Student's operations without Cutout; `weakening = false` is its
    /// `inc1`.
    Timm,
    /// torchvision's `RandAugment`: 14 operations, 31 levels, enhancements to both sides.
    Torchvision,
}

use OpName::{
    AutoContrast, Brightness, Color, Contrast, Cutout, Equalize, Identity, Invert, Posterize,
    Rotate, Sharpness, ShearX, ShearY, Solarize, SolarizeAdd, TranslateX, TranslateY,
};

const UDA: &[OpName] = &[
    Invert,
    Cutout,
    Sharpness,
    AutoContrast,
    Posterize,
    ShearX,
    TranslateX,
    TranslateY,
    ShearY,
    Rotate,
    Equalize,
    Contrast,
    Color,
    Solarize,
    Brightness,
];
const NOISY_STUDENT: &[OpName] = &[
    AutoContrast,
    Equalize,
    Invert,
    Rotate,
    Posterize,
    Solarize,
    Color,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    SolarizeAdd,
    Cutout,
];
const FIXMATCH_IMAGENET: &[OpName] = &[
    AutoContrast,
    Equalize,
    Invert,
    Rotate,
    Posterize,
    Solarize,
    Color,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    SolarizeAdd,
    Identity,
];
const FIXMATCH: &[OpName] = &[
    Identity,
    AutoContrast,
    Equalize,
    Rotate,
    Solarize,
    Color,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    TranslateX,
    TranslateY,
    Posterize,
    ShearY,
];

impl Variant {
    /// The operations to draw from, in the order of the reference.
    pub fn ops(self) -> &'static [OpName] {
        match self {
            Self::Uda => UDA,
            Self::NoisyStudent => NOISY_STUDENT,
            Self::Timm => &NOISY_STUDENT[..15],
            Self::FixmatchImagenet => FIXMATCH_IMAGENET,
            Self::Fixmatch | Self::FixmatchPaper | Self::Usb | Self::Torchvision => FIXMATCH,
        }
    }

    /// The magnitude at which a linear argument reaches its constant.
    pub fn scale(self) -> f64 {
        if self == Self::Torchvision { 30.0 } else { 10.0 }
    }

    /// The greatest magnitude that the tables are meant for. Noisy Student's exceed their scale (27
    /// and 28 in the paper), and timm's may do so too.
    pub fn strongest(self) -> f64 {
        match self {
            Self::NoisyStudent => 40.0,
            Self::Timm => 100.0,
            _ => self.scale(),
        }
    }

    /// The share `magnitude / scale` of `full`, multiplied in the order of the reference so that
    /// whole numbers come out whole.
    pub(crate) fn level(self, magnitude: f64, full: f64) -> f64 {
        match self {
            Self::NoisyStudent | Self::FixmatchImagenet | Self::Torchvision | Self::Timm => {
                magnitude / self.scale() * full
            }
            _ => magnitude * full / self.scale(),
        }
    }

    /// Whether translations are cut to whole pixels.
    pub(crate) fn whole_pixels(self) -> bool {
        !matches!(self, Self::NoisyStudent | Self::FixmatchImagenet | Self::Usb | Self::Timm)
    }

    pub(crate) fn degrees(self, magnitude: f64) -> f64 {
        let degrees = self.level(magnitude, 30.0);
        match self {
            Self::Uda | Self::Fixmatch | Self::FixmatchPaper => degrees.trunc(),
            Self::NoisyStudent
            | Self::FixmatchImagenet
            | Self::Usb
            | Self::Torchvision
            | Self::Timm => degrees,
        }
    }

    /// The factor of colour, contrast, brightness and sharpness at a magnitude.
    pub(crate) fn factor(self, magnitude: f64, sign: f64, weakening: bool) -> f64 {
        match self {
            Self::Timm if !weakening => (1.0 + sign * self.level(magnitude, 0.9)).max(0.1),
            Self::Uda
            | Self::NoisyStudent
            | Self::Fixmatch
            | Self::FixmatchImagenet
            | Self::Timm => self.level(magnitude, 1.8) + 0.1,
            Self::FixmatchPaper | Self::Usb => self.level(magnitude, 0.9) + 0.05,
            Self::Torchvision => 1.0 + sign * self.level(magnitude, 0.9),
        }
    }

    /// What SolarizeAdd adds.
    pub(crate) fn addend(self, magnitude: f64) -> u16 {
        let add = self.level(magnitude, 110.0) as u16;
        if self == Self::Timm { add.min(128) } else { add }
    }

    /// What desaturate leaves of the colours, 0 to 1: one half at magnitude 0, nothing at 10.
    pub(crate) fn saturation(self, magnitude: f64) -> f64 {
        1.0 - (0.5 + self.level(magnitude, 0.5)).clamp(0.5, 1.0)
    }

    /// The radius of Gaussian blur, in pixels.
    pub(crate) fn radius(self, magnitude: f64) -> f64 {
        (0.1 + self.level(magnitude, 1.9)).clamp(0.1, 2.0)
    }

    /// Bits that posterize keeps. At least one, except where the released formulas reach none: by
    /// `weakening`, and timm's.
    pub(crate) fn bits(self, magnitude: f64, weakening: bool) -> u8 {
        let steps = self.level(magnitude, 4.0);
        match self {
            Self::Torchvision => 8 - steps.round_ties_even().min(7.0) as u8,
            Self::FixmatchPaper | Self::Usb => 4 + steps as u8,
            _ if weakening => steps as u8,
            Self::Timm => 4 - steps.min(4.0) as u8,
            _ => 4 - steps.min(3.0) as u8,
        }
    }

    /// The first value that solarize inverts.
    pub(crate) fn threshold(self, magnitude: f64, weakening: bool) -> u16 {
        match self {
            Self::Torchvision => (255.0 - self.level(magnitude, 255.0)).max(0.0).ceil() as u16,
            Self::FixmatchPaper | Self::Usb => 256 - self.level(magnitude, 256.0) as u16,
            Self::Timm if weakening => self.level(magnitude, 256.0).min(256.0) as u16,
            _ if weakening => self.level(magnitude, 256.0) as u16,
            _ => 256 - self.level(magnitude, 256.0).min(256.0) as u16,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uda => "uda",
            Self::NoisyStudent => "noisy-student",
            Self::Fixmatch => "fixmatch",
            Self::FixmatchPaper => "fixmatch-paper",
            Self::FixmatchImagenet => "fixmatch-imagenet",
            Self::Usb => "usb",
            Self::Timm => "timm",
            Self::Torchvision => "torchvision",
        })
    }
}
