//! Which corruptions there are, how severe they are, and for which sizes of image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A corruption, under its name in ImageNet-C (`rotate` and `translate` are ours). Add new ones at
/// the end: random draws are keyed by the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// Adds normal noise.
    GaussianNoise,
    /// Counts photons: Poisson noise.
    ShotNoise,
    /// Sets values to black or white.
    ImpulseNoise,
    /// Adds normal noise in proportion to the value (extra).
    SpeckleNoise,
    /// Blurs with a disk, as a lens out of focus does.
    DefocusBlur,
    /// Blurs with a normal kernel (extra).
    GaussianBlur,
    /// Raises the V of HSV.
    Brightness,
    /// Shrinks the distance to the mean of each channel.
    Contrast,
    /// Shrinks and enlarges again in blocks.
    Pixelate,
    /// Turns by a fixed angle to a random side, bilinear, black outside (ours).
    Rotate,
    /// Shifts by a fixed distance in a random direction, bilinear, black outside (ours).
    Translate,
    /// Shuffles pixels locally: [`blur::glass`](super::blur::glass).
    GlassBlur,
    /// Smears in a random direction of -45 to 45 degrees: [`blur::motion`](super::blur::motion).
    MotionBlur,
    /// Averages the image with enlargements of it: [`blur::zoom`](super::blur::zoom).
    ZoomBlur,
    /// Falls at -135 to -45 degrees: [`weather::snow`](super::weather::snow).
    Snow,
    /// Ice on the lens: [`weather::frost`](super::weather::frost), with
    /// [`weather::ice`](super::weather::ice) in place of the authors' photographs (or
    /// [`textures`](super::textures) of the caller's).
    Frost,
    /// Adds a random bright haze: [`weather::fog`](super::weather::fog).
    Fog,
    /// Distorts smoothly: [`elastic::elastic`](super::elastic::elastic).
    ElasticTransform,
    /// Writes the image as JPEG and reads it again: [`crate::jpeg::round_trip`].
    JpegCompression,
    /// Water or mud: [`spatter::spatter`](super::spatter::spatter) (extra).
    Spatter,
    /// Stretches the S of HSV (extra).
    Saturate,
}

impl Corruption {
    /// The fifteen of ImageNet-C, over which mCE is the mean.
    pub const IMAGENET_C: [Self; 15] = [
        Self::GaussianNoise,
        Self::ShotNoise,
        Self::ImpulseNoise,
        Self::DefocusBlur,
        Self::GlassBlur,
        Self::MotionBlur,
        Self::ZoomBlur,
        Self::Snow,
        Self::Frost,
        Self::Fog,
        Self::Brightness,
        Self::Contrast,
        Self::ElasticTransform,
        Self::Pixelate,
        Self::JpegCompression,
    ];

    /// The four extra ones, meant for validation.
    pub const EXTRA: [Self; 4] =
        [Self::SpeckleNoise, Self::GaussianBlur, Self::Spatter, Self::Saturate];

    /// Eleven after which images of a few pixels, such as 8x8 digits, can still be recognised.
    pub const SMALL: [Self; 11] = [
        Self::GaussianNoise,
        Self::ShotNoise,
        Self::ImpulseNoise,
        Self::SpeckleNoise,
        Self::DefocusBlur,
        Self::GaussianBlur,
        Self::Brightness,
        Self::Contrast,
        Self::Pixelate,
        Self::Rotate,
        Self::Translate,
    ];

    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::GaussianNoise,
        Self::ShotNoise,
        Self::ImpulseNoise,
        Self::DefocusBlur,
        Self::GlassBlur,
        Self::MotionBlur,
        Self::ZoomBlur,
        Self::Snow,
        Self::Frost,
        Self::Fog,
        Self::Brightness,
        Self::Contrast,
        Self::ElasticTransform,
        Self::Pixelate,
        Self::JpegCompression,
        Self::SpeckleNoise,
        Self::GaussianBlur,
        Self::Spatter,
        Self::Saturate,
        Self::Rotate,
        Self::Translate,
    ];

    /// Those to measure on images whose shorter side has `side` pixels: [`SMALL`](Self::SMALL) to
    /// 16, else [`IMAGENET_C`](Self::IMAGENET_C).
    pub fn for_side(side: usize) -> &'static [Self] {
        if side <= 16 { &Self::SMALL } else { &Self::IMAGENET_C }
    }

    /// The name in ImageNet-C's style, `gaussian_noise`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GaussianNoise => "gaussian_noise",
            Self::ShotNoise => "shot_noise",
            Self::ImpulseNoise => "impulse_noise",
            Self::DefocusBlur => "defocus_blur",
            Self::GlassBlur => "glass_blur",
            Self::MotionBlur => "motion_blur",
            Self::ZoomBlur => "zoom_blur",
            Self::Snow => "snow",
            Self::Frost => "frost",
            Self::Fog => "fog",
            Self::Brightness => "brightness",
            Self::Contrast => "contrast",
            Self::ElasticTransform => "elastic_transform",
            Self::Pixelate => "pixelate",
            Self::JpegCompression => "jpeg_compression",
            Self::SpeckleNoise => "speckle_noise",
            Self::GaussianBlur => "gaussian_blur",
            Self::Spatter => "spatter",
            Self::Saturate => "saturate",
            Self::Rotate => "rotate",
            Self::Translate => "translate",
        }
    }
}

/// A name that no corruption has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no corruption `{}`; known are {}",
    .0, Corruption::ALL.map(Corruption::name).join(", ")
)]
pub struct NoSuchCorruption(pub String);

impl FromStr for Corruption {
    type Err = NoSuchCorruption;

    /// By [`name`](Self::name).
    ///
    /// ```
    /// use augment::corrupt::Corruption;
    /// assert_eq!("fog".parse(), Ok(Corruption::Fog));
    /// let error = "fogg".parse::<Corruption>().unwrap_err();
    /// assert!(error.to_string().contains("no corruption `fogg`; known are gaussian_noise, "));
    /// ```
    fn from_str(name: &str) -> Result<Self, NoSuchCorruption> {
        let found = Self::ALL.into_iter().find(|corruption| corruption.name() == name);
        found.ok_or_else(|| NoSuchCorruption(name.to_owned()))
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How severe a corruption is, 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Severity(u8);

/// A number that is no severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("severity {0}: there are 1 to 5")]
pub struct NoSuchSeverity(u8);

impl Severity {
    /// 1 to 5.
    pub const ALL: [Self; 5] = [Self(1), Self(2), Self(3), Self(4), Self(5)];

    /// 0 to 4, for tables.
    pub fn index(self) -> usize {
        usize::from(self.0 - 1)
    }
}

impl TryFrom<u8> for Severity {
    type Error = NoSuchSeverity;

    fn try_from(level: u8) -> Result<Self, NoSuchSeverity> {
        if (1..=5).contains(&level) { Ok(Self(level)) } else { Err(NoSuchSeverity(level)) }
    }
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> Self {
        severity.0
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// For which size of image the constants are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// ImageNet-C: 224 pixels.
    #[serde(rename = "imagenet-224")]
    ImageNet224,
    /// CIFAR-10-C: 32 pixels.
    #[serde(rename = "cifar-32")]
    Cifar32,
    /// 8x8 digits: our own constants, chosen so that a person can still read some digits at
    /// severity 5.
    #[serde(rename = "digits-8")]
    Digits8,
}

impl Scale {
    /// The nearest table for images whose shorter side has `side` pixels: digits to 16, CIFAR to
    /// 96, ImageNet above.
    pub fn for_side(side: usize) -> Self {
        match side {
            0..=16 => Self::Digits8,
            17..=96 => Self::Cifar32,
            _ => Self::ImageNet224,
        }
    }
}
