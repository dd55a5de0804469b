//! Perturbation sequences (ImageNet-P, arXiv 1903.12261): frames that differ so little that a
//! robust model's prediction should not change.
//!
//! [`imagenet_p`] makes the ten scored sequences by the authors' rules (`make_imagenet_p.py` of
//! hendrycks/robustness). [`frames`] makes five of them for small images, with distances in
//! proportion to the side and a range of scales that suits 8 pixels. In both, what moves in from
//! outside is black. The authors stored their frames as lossy video; these are exact.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::corrupt::Scale;
use crate::corrupt::blur::{self, Motion};
use crate::corrupt::grid::Grid;
use crate::corrupt::pixels::{brighten, each_value, moved};
use crate::corrupt::weather::{self, Snow};
use crate::fill::Fill;
use crate::geometry::{self, Sampling};
use crate::image::Image;
use crate::resize;
use crate::rng::Rng;
use crate::scratch::Scratch;

mod perspective;

/// Frames of a sequence.
pub const FRAMES: usize = 31;

/// A kind of sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Perturbation {
    /// The clean image, then 30 times the image with fresh normal noise of deviation 0.03.
    GaussianNoise,
    /// V of HSV from -0.3 to +0.3 in steps of 0.02.
    Brightness,
    /// From 20/224 of the width left to as much right, in equal steps.
    Translate,
    /// From -15 to +15 degrees in steps of 1.
    Rotate,
    /// From 0.7 to 1.3 times the size in steps of 0.02 (ImageNet-P: 0.4 to 1.15, which leaves
    /// nothing of a small image).
    Scale,
    /// The clean image, then 30 times its fresh Poisson noise of 300 a unit.
    ShotNoise,
    /// Smeared in a direction that turns by 4 degrees a frame.
    MotionBlur,
    /// The mean of more and more enlargements.
    ZoomBlur,
    /// One layer of snow whose direction turns by 4 degrees a frame.
    Snow,
    /// Pitch and yaw from -15 to +15 degrees in steps of 1.
    Tilt,
}

impl Perturbation {
    /// The five that [`frames`] makes of small images.
    pub const SMALL: [Self; 5] =
        [Self::GaussianNoise, Self::Brightness, Self::Translate, Self::Rotate, Self::Scale];

    /// The ten scored sequences of ImageNet-P.
    pub const IMAGENET_P: [Self; 10] = [
        Self::GaussianNoise,
        Self::ShotNoise,
        Self::MotionBlur,
        Self::ZoomBlur,
        Self::Snow,
        Self::Brightness,
        Self::Translate,
        Self::Rotate,
        Self::Tilt,
        Self::Scale,
    ];

    /// Those to measure on images whose shorter side has `side` pixels: [`SMALL`](Self::SMALL) to
    /// 96, else [`IMAGENET_P`](Self::IMAGENET_P).
    ///
    /// The limit is our own and that of [`Scale::for_side`]: above it the constants made for 224
    /// pixels are the nearest. The five sequences that small images lack have only those constants,
    /// and a smear of 21 pixels or snow of 29 would cover most of an image of 32.
    pub fn for_side(side: usize) -> &'static [Self] {
        match Scale::for_side(side) {
            Scale::ImageNet224 => &Self::IMAGENET_P,
            Scale::Cifar32 | Scale::Digits8 => &Self::SMALL,
        }
    }

    /// The name in ImageNet-P's style, `gaussian_noise`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GaussianNoise => "gaussian_noise",
            Self::Brightness => "brightness",
            Self::Translate => "translate",
            Self::Rotate => "rotate",
            Self::Scale => "scale",
            Self::ShotNoise => "shot_noise",
            Self::MotionBlur => "motion_blur",
            Self::ZoomBlur => "zoom_blur",
            Self::Snow => "snow",
            Self::Tilt => "tilt",
        }
    }

    /// Whether frames are independent noise, so that each is compared with the first frame rather
    /// than with the one before.
    pub fn is_noise(self) -> bool {
        matches!(self, Self::GaussianNoise | Self::ShotNoise)
    }
}

impl fmt::Display for Perturbation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The [`FRAMES`] frames of a small image's sequence, all of its size; kinds beyond
/// [`Perturbation::SMALL`] go by the rules of [`imagenet_p`], but uncut.
///
/// ```
/// use augment::{image::Image, rng::Rng, sequence::{frames, Perturbation}};
/// let image = Image::filled(8, 8, 1, 100);
/// let frames = frames(&image, Perturbation::Rotate, &mut Rng::new(0));
/// assert_eq!(frames.len(), 31);
/// assert_eq!(frames[15], image);
/// ```
pub fn frames(image: &Image, perturbation: Perturbation, rng: &mut Rng) -> Vec<Image> {
    if !Perturbation::SMALL.contains(&perturbation) {
        return by_the_rules(image, perturbation, Difficulty::One, &|image| image, rng);
    }
    (0..FRAMES).map(|i| frame(image, perturbation, i, rng)).collect()
}

fn frame(image: &Image, perturbation: Perturbation, i: usize, rng: &mut Rng) -> Image {
    // -15 to 15; the frame in the middle is the image itself.
    let step = i as f64 - 15.0;
    match perturbation {
        Perturbation::GaussianNoise if i == 0 => image.clone(),
        Perturbation::GaussianNoise => each_value(image, |x| x + 0.03 * rng.normal()),
        _ if step == 0.0 => image.clone(),
        Perturbation::Brightness => brighten(image, step * 0.02),
        Perturbation::Translate => {
            moved(image, [step / 15.0 * 20.0 / 224.0 * image.width() as f64, 0.0], 1.0)
        }
        Perturbation::Scale => moved(image, [0.0, 0.0], 1.0 + 0.02 * step),
        _ => turned(image, step),
    }
}

fn turned(image: &Image, degrees: f64) -> Image {
    let mut out = image.clone();
    geometry::rotate(&mut out, degrees, Sampling::bilinear(Fill::BLACK), &mut Scratch::new());
    out
}

/// How strong the noise of [`imagenet_p`] is; the other sequences have one strength, and are made
/// harder by comparing frames that lie further apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difficulty {
    /// Deviation 0.03; 300 photons.
    #[default]
    One,
    /// 0.05; 120.
    Two,
    /// 0.08; 60.
    Three,
}

/// The frames of ImageNet-P by the authors' rules: 31, or 41 of `translate`.
///
/// The image is the source whose shorter side has 256 pixels; every frame is cut to the square in
/// its middle of 7/8 of that side, 224. `zoom_blur`, `translate`, `rotate`, `scale` and `tilt`
/// change the source before the cut, so that mostly source and not black moves in; the others
/// change what was cut. `rotate`, `scale` and `zoom_blur` go about the place that the authors'
/// torchvision (0.2) went about, half a pixel right of and below the middle; positive angles turn
/// clockwise. Smears are those of [`blur::motion`], where the authors call ImageMagick. All frames
/// share one layer of snow.
///
/// ```
/// use augment::{image::Image, rng::Rng, sequence::{imagenet_p, Difficulty, Perturbation}};
/// let source = Image::filled(320, 256, 3, 100);
/// let frames = imagenet_p(&source, Perturbation::Translate, Difficulty::One, &mut Rng::new(0));
/// assert_eq!(frames.len(), 41);
/// assert_eq!((frames[0].width(), frames[0].height()), (224, 224));
/// ```
pub fn imagenet_p(
    image: &Image,
    perturbation: Perturbation,
    difficulty: Difficulty,
    rng: &mut Rng,
) -> Vec<Image> {
    by_the_rules(image, perturbation, difficulty, &middle, rng)
}

fn by_the_rules(
    source: &Image,
    perturbation: Perturbation,
    difficulty: Difficulty,
    cut: &dyn Fn(Image) -> Image,
    rng: &mut Rng,
) -> Vec<Image> {
    let numbers = (0..FRAMES).map(|i| i as f64);
    let image = cut(source.clone());
    let noisy = |change: &mut dyn FnMut(f64) -> f64| {
        let fresh = (1..FRAMES).map(|_| each_value(&image, &mut *change));
        std::iter::once(image.clone()).chain(fresh).collect()
    };
    match perturbation {
        Perturbation::GaussianNoise => {
            let deviation = [0.03, 0.05, 0.08][difficulty as usize];
            noisy(&mut |x| x + deviation * rng.normal())
        }
        Perturbation::ShotNoise => {
            let photons = [300.0, 120.0, 60.0][difficulty as usize];
            noisy(&mut |x| rng.poisson(x * photons) as f64 / photons)
        }
        Perturbation::MotionBlur => {
            let smear = Motion { radius: 10, sigma: 3.0 };
            numbers.map(|i| blur::motion(&image, &smear, 4.0 * (i - 30.0))).collect()
        }
        Perturbation::ZoomBlur => {
            running_means(numbers.map(|i| cut(about_middle(source, 0.0, 1.0 + 0.004 * i))))
        }
        Perturbation::Snow => {
            let smear = Motion { radius: 14, sigma: 4.0 };
            let snow =
                Snow { mean: 0.05, deviation: 0.3, zoom: 3.0, threshold: 0.5, smear, mix: 0.85 };
            let flake = || snow.mean + snow.deviation * rng.normal();
            let noise = Grid::draw(image.width(), image.height(), flake);
            numbers.map(|i| weather::snow(&image, &snow, &noise, 4.0 * i - 150.0)).collect()
        }
        Perturbation::Brightness => {
            numbers.map(|i| brighten(&image, (i - 15.0) * 2.0 / 100.0)).collect()
        }
        Perturbation::Translate => {
            let shifts = (0..41).map(|i| f64::from(i) - 20.0);
            shifts.map(|shift| cut(moved(source, [shift, 0.0], 1.0))).collect()
        }
        Perturbation::Rotate => numbers.map(|i| cut(about_middle(source, i - 15.0, 1.0))).collect(),
        Perturbation::Scale => {
            numbers.map(|i| cut(about_middle(source, 0.0, (i * 2.5 + 40.0) / 100.0))).collect()
        }
        Perturbation::Tilt => numbers.map(|i| cut(perspective::tilted(source, i - 15.0))).collect(),
    }
}

/// The square in the middle, of 7/8 of the shorter side.
fn middle(mut image: Image) -> Image {
    let side = (image.width().min(image.height()) * 7 / 8).max(1);
    let [x, y] = [image.width(), image.height()]
        .map(|whole| ((whole - side) as f64 / 2.0).round_ties_even() as usize);
    resize::crop(&mut image, x, y, side, side, &mut Scratch::new());
    image
}

/// Turned clockwise and enlarged, bilinear, black outside, about the place half a pixel right of
/// and below the middle.
fn about_middle(image: &Image, degrees: f64, scale: f64) -> Image {
    let mut out = image.clone();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (a, b) = (cos / scale, sin / scale);
    let [cx, cy] = [image.width(), image.height()].map(|side| side as f64 * 0.5 + 0.5);
    let matrix = [a, b, a * -cx + b * -cy + cx, -b, a, -b * -cx + a * -cy + cy];
    geometry::affine(&mut out, matrix, Sampling::bilinear(Fill::BLACK), &mut Scratch::new());
    out
}

/// For each image the mean of it and those before it, cut to bytes.
fn running_means(images: impl Iterator<Item = Image>) -> Vec<Image> {
    let mut sums: Vec<u32> = Vec::new();
    let mean = |(i, mut image): (usize, Image)| {
        sums.resize(image.pixels().len(), 0);
        for (value, sum) in image.pixels_mut().iter_mut().zip(&mut sums) {
            *sum += u32::from(*value);
            *value = (*sum / (i as u32 + 1)) as u8;
        }
        image
    };
    images.enumerate().map(mean).collect()
}
