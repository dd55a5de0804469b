//! From magnitude to argument: one table for each paper's RandAugment.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::op::OpName;

/// Whose RandAugment: the set of operations and the strength tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// UDA (arXiv 1904.12848), released code: 15 operations with Invert and Cutout.
    Uda,
    /// Noisy Student (arXiv 1911.04252), released code: 16 operations with SolarizeAdd and Cutout.
    NoisyStudent,
    /// FixMatch (arXiv 2001.07685), released code: 14 operations with UDA's arguments.
    Fixmatch,
    /// FixMatch's table 12: 14 operations, milder colours, posterize 4 to 8 bits.
    FixmatchPaper,
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
            Self::Fixmatch | Self::FixmatchPaper | Self::Torchvision => FIXMATCH,
        }
    }

    /// The magnitude at which a linear argument reaches its constant.
    pub fn scale(self) -> f64 {
        if self == Self::Torchvision { 30.0 } else { 10.0 }
    }

    /// The greatest magnitude that the tables are meant for. Noisy Student's run past their scale (27 and 28 in the paper).
    pub fn strongest(self) -> f64 {
        if self == Self::NoisyStudent { 40.0 } else { self.scale() }
    }

    /// The share `magnitude / scale` of `full`, multiplied in the order of the reference so that whole numbers come out whole.
    pub(crate) fn level(self, magnitude: f64, full: f64) -> f64 {
        match self {
            Self::NoisyStudent | Self::Torchvision => magnitude / self.scale() * full,
            _ => magnitude * full / self.scale(),
        }
    }

    /// Whether translations are cut to whole pixels.
    pub(crate) fn whole_pixels(self) -> bool {
        self != Self::NoisyStudent
    }

    pub(crate) fn degrees(self, magnitude: f64) -> f64 {
        let degrees = self.level(magnitude, 30.0);
        match self {
            Self::Uda | Self::Fixmatch | Self::FixmatchPaper => degrees.trunc(),
            Self::NoisyStudent | Self::Torchvision => degrees,
        }
    }

    /// Of colour, contrast, brightness and sharpness.
    pub(crate) fn factor(self, magnitude: f64, sign: f64) -> f64 {
        match self {
            Self::Uda | Self::NoisyStudent | Self::Fixmatch => self.level(magnitude, 1.8) + 0.1,
            Self::FixmatchPaper => self.level(magnitude, 0.9) + 0.05,
            Self::Torchvision => 1.0 + sign * self.level(magnitude, 0.9),
        }
    }

    /// Bits that posterize keeps. At least one, except where `weakening` reaches none by the released formula.
    pub(crate) fn bits(self, magnitude: f64, weakening: bool) -> u8 {
        let steps = self.level(magnitude, 4.0);
        match self {
            Self::Torchvision => 8 - steps.round_ties_even().min(7.0) as u8,
            Self::FixmatchPaper => 4 + steps as u8,
            _ if weakening => steps as u8,
            _ => 4 - steps.min(3.0) as u8,
        }
    }

    /// The first value that solarize inverts.
    pub(crate) fn threshold(self, magnitude: f64, weakening: bool) -> u16 {
        match self {
            Self::Torchvision => (255.0 - self.level(magnitude, 255.0)).max(0.0).ceil() as u16,
            _ if weakening && self != Self::FixmatchPaper => self.level(magnitude, 256.0) as u16,
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
            Self::Torchvision => "torchvision",
        })
    }
}
