//! Corruptions in the manner of ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261): what a model meets outside its training set.
//!
//! Values are taken to `[0, 1]`, corrupted in double precision, clipped, and cut (not rounded) back to bytes, as the authors do. Every
//! corruption whose randomness is more than noise has a function that takes its random fields, angle or offsets, with which it is
//! tested against the reference. Directions of motion follow the package `imagecorruptions`, whose kernel is written out, where the
//! authors' code calls ImageMagick; the rest follows the authors.

use std::fmt;

use serde::{Deserialize, Serialize};

pub mod blur;
pub mod elastic;
pub mod grid;
pub mod spatter;
pub mod tables;
pub mod textures;
pub mod weather;

use grid::Grid;

use crate::affine;
use crate::fill::Fill;
use crate::geometry::{self, Sampling};
use crate::image::Image;
use crate::jpeg;
use crate::resize::{self, Filter};
use crate::rng::Rng;
use crate::scratch::Scratch;

/// A corruption, under its name in ImageNet-C (`rotate` and `translate` are ours). New ones come last: random draws are keyed by the number.
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
    /// Shuffles pixels locally: [`blur::glass`].
    GlassBlur,
    /// Smears in a random direction of -45 to 45 degrees: [`blur::motion`].
    MotionBlur,
    /// Averages enlargements: [`blur::zoom`].
    ZoomBlur,
    /// Falls at -135 to -45 degrees: [`weather::snow`].
    Snow,
    /// Ice on the lens: [`weather::frost`], with [`weather::ice`] in place of the authors' photographs (or [`textures`] of the caller's).
    Frost,
    /// A plasma of light: [`weather::fog`].
    Fog,
    /// Bends: [`elastic::elastic`].
    ElasticTransform,
    /// Loses what JPEG loses: [`crate::jpeg::round_trip`].
    JpegCompression,
    /// Water or mud: [`spatter::spatter`] (extra).
    Spatter,
    /// Stretches the S of HSV (extra).
    Saturate,
}

impl Corruption {
    /// The fifteen of ImageNet-C, which mCE is the mean of.
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

    /// Eleven that leave something of images of a few pixels, such as 8x8 digits.
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

    /// Those that one measures on images whose shorter side has `side` pixels: [`SMALL`](Self::SMALL) to 16, else
    /// [`IMAGENET_C`](Self::IMAGENET_C).
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

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How severe a corruption is, 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Severity(u8);

/// A severity that is not one.
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
    /// 8x8 digits: our own constants, chosen so that severity 5 still leaves a digit that a person can read now and then.
    #[serde(rename = "digits-8")]
    Digits8,
}

impl Scale {
    /// The nearest table for images whose shorter side has `side` pixels: digits to 16, CIFAR to 96, ImageNet above.
    pub fn for_side(side: usize) -> Self {
        match side {
            0..=16 => Self::Digits8,
            17..=96 => Self::Cifar32,
            _ => Self::ImageNet224,
        }
    }
}

/// Corrupts a copy of the image, with the constants for its size ([`Scale::for_side`]).
///
/// ```
/// use augment::{image::Image, corrupt::{corrupt, Corruption, Severity}, rng::Rng};
/// let image = Image::new(2, 1, 1, vec![0, 200]);
/// let grey = corrupt(&image, Corruption::Contrast, Severity::ALL[4], &mut Rng::new(0));
/// assert_eq!(grey.pixels(), [88, 112]);
/// ```
pub fn corrupt(image: &Image, corruption: Corruption, severity: Severity, rng: &mut Rng) -> Image {
    let scale = Scale::for_side(image.width().min(image.height()));
    corrupt_at(image, corruption, severity, scale, rng)
}

/// [`corrupt`] with the constants of a given scale.
pub fn corrupt_at(
    image: &Image,
    corruption: Corruption,
    severity: Severity,
    scale: Scale,
    rng: &mut Rng,
) -> Image {
    let constant = tables::constant(corruption, scale, severity);
    match corruption {
        Corruption::GaussianNoise => each_value(image, |x| x + constant * rng.normal()),
        Corruption::SpeckleNoise => each_value(image, |x| x + x * constant * rng.normal()),
        Corruption::ShotNoise => each_value(image, |x| rng.poisson(x * constant) as f64 / constant),
        Corruption::ImpulseNoise => each_value(image, |x| match rng.chance(constant) {
            true => f64::from(u8::from(rng.chance(0.5))),
            false => x,
        }),
        Corruption::GlassBlur => {
            let (sigma, reach, passes) = tables::glass(scale, severity);
            let mut offset = || rng.below(2 * reach) as i64 - reach as i64;
            blur::glass(image, sigma, reach, passes, || [offset(), offset()])
        }
        Corruption::MotionBlur => {
            let (radius, sigma) = tables::motion(scale, severity);
            blur::motion(image, radius, sigma, rng.range(-45.0, 45.0))
        }
        Corruption::ZoomBlur => blur::zoom(image, &tables::zooms(scale, severity)),
        Corruption::Snow => {
            let snow = tables::snow(scale, severity);
            let (width, height) = (image.width(), image.height());
            let noise = Grid::draw(width, height, || snow.mean + snow.deviation * rng.normal());
            weather::snow(image, &snow, &noise, rng.range(-135.0, -45.0))
        }
        Corruption::Frost => {
            let weights = tables::frost(scale, severity);
            weather::frost(image, weights, &weather::ice(image.width(), image.height(), rng))
        }
        Corruption::Fog => {
            let (thickness, decay) = tables::fog(scale, severity);
            let side = image.width().max(image.height()).next_power_of_two().max(2);
            let map = weather::plasma(side, decay, || rng.range(-1.0, 1.0));
            weather::fog(image, thickness, &map)
        }
        Corruption::ElasticTransform => {
            let elastic = tables::elastic(scale, severity);
            let jitter = std::array::from_fn(|_| [(); 2].map(|()| rng.range(-1.0, 1.0)));
            let mut field = || Grid::draw(image.width(), image.height(), || rng.range(-1.0, 1.0));
            let (dx, dy) = (field(), field());
            elastic::elastic(image, &elastic, jitter, &dx, &dy)
        }
        Corruption::JpegCompression => jpeg::round_trip(image, constant as u8),
        Corruption::Saturate => saturate(image, tables::saturate(scale, severity)),
        Corruption::Spatter => {
            let spatter = tables::spatter(scale, severity);
            let (width, height) = (image.width(), image.height());
            let noise =
                Grid::draw(width, height, || spatter.mean + spatter.deviation * rng.normal());
            spatter::spatter(image, &spatter, &noise)
        }
        Corruption::DefocusBlur => {
            let (radius, softness) = tables::defocus(scale, severity);
            blur::disk(image, radius, softness)
        }
        Corruption::GaussianBlur => blur::gaussian(image, constant),
        Corruption::Brightness => brighten(image, constant),
        Corruption::Contrast => flatten(image, constant),
        Corruption::Pixelate => pixelate(image, constant),
        Corruption::Rotate => {
            let degrees = if rng.chance(0.5) { constant } else { -constant };
            let mut out = image.clone();
            geometry::rotate(
                &mut out,
                degrees,
                Sampling::bilinear(Fill::BLACK),
                &mut Scratch::new(),
            );
            out
        }
        Corruption::Translate => {
            let distance = constant * image.width().min(image.height()) as f64;
            let (sin, cos) = rng.range(0.0, std::f64::consts::TAU).sin_cos();
            moved(image, [distance * cos, distance * sin], 1.0)
        }
    }
}

/// The image shifted right and down and enlarged about its centre, bilinear, black outside.
pub(crate) fn moved(image: &Image, shift: [f64; 2], scale: f64) -> Image {
    let mut out = image.clone();
    let matrix = affine::matrix(image.width(), image.height(), 0.0, scale, 0.0, shift);
    geometry::affine(&mut out, matrix, Sampling::bilinear(Fill::BLACK), &mut Scratch::new());
    out
}

/// Clips to `[0, 1]` and cuts to a byte.
fn byte(x: f64) -> u8 {
    (x.clamp(0.0, 1.0) * 255.0) as u8
}

/// Maps every value in `[0, 1]`.
pub(crate) fn each_value(image: &Image, mut change: impl FnMut(f64) -> f64) -> Image {
    let pixels = image.pixels().iter().map(|&v| byte(change(f64::from(v) / 255.0))).collect();
    Image::new(image.width(), image.height(), image.channels(), pixels)
}

/// Adds `amount` to V, keeping hue and saturation; black becomes grey.
pub(crate) fn brighten(image: &Image, amount: f64) -> Image {
    let mut out = image.clone();
    for pixel in out.pixels_mut().chunks_exact_mut(image.channels()) {
        let value = f64::from(pixel.iter().copied().max().unwrap_or(0)) / 255.0;
        let raised = (value + amount).clamp(0.0, 1.0);
        for channel in pixel {
            let share = if value > 0.0 { f64::from(*channel) / 255.0 / value } else { 1.0 };
            *channel = byte(share * raised);
        }
    }
    out
}

/// Multiplies S by `change.0` and adds `change.1`, keeping hue and value; a grey image stays as it is.
pub fn saturate(image: &Image, change: (f64, f64)) -> Image {
    let mut out = image.clone();
    let of = |saturation: f64| (saturation * change.0 + change.1).clamp(0.0, 1.0);
    if image.channels() == 1 {
        return out;
    }
    for pixel in out.pixels_mut().as_chunks_mut::<3>().0 {
        let rgb = pixel.map(|v| f64::from(v) / 255.0);
        let value = rgb.iter().copied().fold(0.0, f64::max);
        let span = value - rgb.iter().copied().fold(1.0, f64::min);
        let new = of(if value > 0.0 { span / value } else { 0.0 });
        *pixel = if span > 0.0 {
            // The distance of each channel from the greatest keeps its proportion.
            rgb.map(|x| byte(value - (value - x) / span * new * value))
        } else {
            // Grey has the hue of red.
            [byte(value), byte(value * (1.0 - new)), byte(value * (1.0 - new))]
        };
    }
    out
}

fn flatten(image: &Image, factor: f64) -> Image {
    let channels = image.channels();
    let count = (image.width() * image.height()) as f64;
    let mut means = [0.0; 3];
    for pixel in image.pixels().chunks_exact(channels) {
        for (mean, &value) in means.iter_mut().zip(pixel) {
            *mean += f64::from(value) / 255.0 / count;
        }
    }
    let mut out = image.clone();
    for pixel in out.pixels_mut().chunks_exact_mut(channels) {
        for (value, mean) in pixel.iter_mut().zip(means) {
            *value = byte((f64::from(*value) / 255.0 - mean) * factor + mean);
        }
    }
    out
}

fn pixelate(image: &Image, factor: f64) -> Image {
    let (width, height) = (image.width(), image.height());
    let small = |side: usize| ((side as f64 * factor) as usize).max(1);
    let mut out = image.clone();
    let mut scratch = Scratch::new();
    resize::resize(&mut out, small(width), small(height), Filter::Box, &mut scratch);
    resize::resize(&mut out, width, height, Filter::Box, &mut scratch);
    out
}
