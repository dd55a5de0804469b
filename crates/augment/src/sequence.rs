//! Perturbation sequences in the manner of ImageNet-P (arXiv 1903.12261): 31 frames that differ a little, on which a stable model does
//! not change its mind.
//!
//! Lengths follow the side of the image (ImageNet-P's are for 224 pixels). Ours differ from ImageNet-P's in that nothing
//! lies outside the image: what moves in is black.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::corrupt::{brighten, each_value, moved};
use crate::fill::Fill;
use crate::geometry::{self, Sampling};
use crate::image::Image;
use crate::rng::Rng;
use crate::scratch::Scratch;

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
    /// From 0.7 to 1.3 times the size in steps of 0.02 (ImageNet-P: 0.4 to 1.15, which leaves nothing of a small image).
    Scale,
}

impl Perturbation {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::GaussianNoise, Self::Brightness, Self::Translate, Self::Rotate, Self::Scale];

    /// The name in ImageNet-P's style, `gaussian_noise`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GaussianNoise => "gaussian_noise",
            Self::Brightness => "brightness",
            Self::Translate => "translate",
            Self::Rotate => "rotate",
            Self::Scale => "scale",
        }
    }

    /// Whether frames are independent noise, so that each is compared with the first frame rather than with the one before.
    pub fn is_noise(self) -> bool {
        self == Self::GaussianNoise
    }
}

impl fmt::Display for Perturbation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The [`FRAMES`] frames of an image's sequence, all of its size.
///
/// ```
/// use augment::{image::Image, rng::Rng, sequence::{frames, Perturbation}};
/// let image = Image::filled(8, 8, 1, 100);
/// let frames = frames(&image, Perturbation::Rotate, &mut Rng::new(0));
/// assert_eq!(frames.len(), 31);
/// assert_eq!(frames[15], image);
/// ```
pub fn frames(image: &Image, perturbation: Perturbation, rng: &mut Rng) -> Vec<Image> {
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
        Perturbation::Rotate => {
            let mut out = image.clone();
            geometry::rotate(&mut out, step, Sampling::bilinear(Fill::BLACK), &mut Scratch::new());
            out
        }
    }
}
