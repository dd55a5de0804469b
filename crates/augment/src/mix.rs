//! Two images in one: MixUp (Zhang et al., arXiv 1710.09412) and CutMix (Yun et al., arXiv 1905.04899).
//!
//! Both give the share of the first image, by which the labels are mixed too.

use crate::distribution::beta;
use crate::image::Image;
use crate::rng::Rng;

/// Draws the share of the first image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Both shapes of the beta distribution, above 0; 1 is uniform. MixMatch: 0.75 on CIFAR-10.
    pub alpha: f64,
    /// Whether the greater share goes to the first image, as MixMatch (arXiv 1905.02249, equation 9) has it.
    pub first_prevails: bool,
}

impl Share {
    /// A share in `[0, 1]`.
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        let share = beta(self.alpha, self.alpha, rng);
        if self.first_prevails { share.max(1.0 - share) } else { share }
    }
}

/// `share` of the image and `1 - share` of the other, rounded to the nearest byte. Panics unless they have one shape.
///
/// ```
/// use augment::{image::Image, mix::mix_up};
/// let mut image = Image::filled(2, 2, 1, 100);
/// mix_up(&mut image, &Image::filled(2, 2, 1, 200), 0.75);
/// assert_eq!(image.pixels()[0], 125);
/// ```
pub fn mix_up(image: &mut Image, other: &Image, share: f64) {
    assert_same_shape(image, other);
    let share = share as f32;
    for (byte, &other) in image.pixels_mut().iter_mut().zip(other.pixels()) {
        let (one, two) = (f32::from(*byte), f32::from(other));
        *byte = (two + share * (one - two) + 0.5) as u8;
    }
}

/// Pastes a box of the other image, of `1 - share` of the area before it is clipped, around a uniform centre. Returns the share of
/// the first image's pixels that are left. Panics unless the images have one shape.
pub fn cut_mix(image: &mut Image, other: &Image, share: f64, rng: &mut Rng) -> f64 {
    assert_same_shape(image, other);
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let side = (1.0 - share).max(0.0).sqrt();
    let range = |length: usize, rng: &mut Rng| {
        let (center, half) = (rng.below(length), (side * length as f64) as usize / 2);
        center.saturating_sub(half)..(center + half).min(length)
    };
    let (columns, rows) = (range(width, rng), range(height, rng));
    for row in rows.clone() {
        let bytes =
            (row * width + columns.start) * channels..(row * width + columns.end) * channels;
        image.pixels_mut()[bytes.clone()].copy_from_slice(&other.pixels()[bytes]);
    }
    1.0 - (columns.len() * rows.len()) as f64 / (width * height) as f64
}

fn assert_same_shape(image: &Image, other: &Image) {
    let shape = |image: &Image| [image.width(), image.height(), image.channels()];
    assert_eq!(shape(image), shape(other), "width, height and channels of two images to be mixed");
}
