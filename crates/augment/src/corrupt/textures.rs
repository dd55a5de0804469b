//! Textures for frost that the caller provides, such as the authors' photographs of ice.

use super::Scale;
use crate::fault::Fault;
use crate::image::Image;
use crate::resize::{self, Filter};
use crate::rng::Rng;
use crate::scratch::Scratch;

/// At least one picture of ice.
///
/// ```
/// use augment::corrupt::{Scale, Severity, tables, textures::Textures, weather};
/// use augment::{image::Image, rng::Rng};
///
/// let photographs = Textures::new(vec![Image::filled(300, 250, 3, 200)]).unwrap();
/// let image = Image::filled(224, 224, 3, 100);
/// let texture = photographs.draw(224, 224, Scale::ImageNet224, &mut Rng::new(0));
/// let weights = tables::frost(Scale::ImageNet224, Severity::ALL[0]);
/// assert_eq!(weather::frost(&image, &weights, &texture).pixels()[0], 180);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Textures(Vec<Image>);

impl Textures {
    /// These pictures. Fails if there are none.
    pub fn new(images: Vec<Image>) -> Result<Self, Fault> {
        if images.is_empty() {
            return Err(Fault::new("textures", "an empty list", "one image or more"));
        }
        Ok(Self(images))
    }

    /// A random cut of `width` by `height` from a random picture, which is shrunk to a fifth first
    /// where the scale is that of small images (the authors' factor for CIFAR; with antialiasing,
    /// which they lack), and enlarged where it would not cover the cut.
    pub fn draw(&self, width: usize, height: usize, scale: Scale, rng: &mut Rng) -> Image {
        let mut texture = self.0[rng.below(self.0.len())].clone();
        let mut scratch = Scratch::new();
        let share = if scale == Scale::ImageNet224 { 1.0 } else { 0.2 };
        let cover = |side: usize, wanted: usize| wanted as f64 / side as f64;
        let factor = cover(texture.width(), width).max(cover(texture.height(), height)).max(share);
        if factor != 1.0 {
            let side = |old: usize, wanted: usize| ((old as f64 * factor) as usize).max(wanted);
            let (w, h) = (side(texture.width(), width), side(texture.height(), height));
            resize::resize(&mut texture, w, h, Filter::Bilinear, &mut scratch);
        }
        let x = rng.below(texture.width() - width + 1);
        let y = rng.below(texture.height() - height + 1);
        resize::crop(&mut texture, x, y, width, height, &mut scratch);
        texture
    }
}
