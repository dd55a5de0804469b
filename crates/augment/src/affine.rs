//! A random mild affine map, for small images of shapes such as digits, where a flip or a change of
//! colour may change the class.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::fill::Fill;
use crate::geometry::{self, Interpolation, Sampling};
use crate::image::Image;
use crate::rng::Rng;
use crate::scratch::Scratch;

/// The step `affine`: turn, shift, scale and shear at once, each drawn uniformly, about the image's
/// centre.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `degrees` | 10 | turns by up to this much to either side | 0 to 180 |
/// | `translate` | 0.1 | shifts by up to this share of each side | 0 to 1 |
/// | `scale` | [0.9, 1.1] | enlarges by a factor from this range | 0.1 to 10 |
/// | `shear` | 0.1 | greatest shift of a row against the next, in columns | 0 to 1 |
/// | `interpolation` | bilinear | how the source is read | |
/// | `fill` | 0 | what lies outside | |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Affine {
    /// Greatest turn to either side.
    pub degrees: f64,
    /// Greatest shift, as a share of each side.
    pub translate: f64,
    /// Least and greatest factor of enlargement.
    pub scale: [f64; 2],
    /// Greatest shear to either side.
    pub shear: f64,
    /// How the source is read.
    pub interpolation: Interpolation,
    /// What lies outside.
    pub fill: Fill,
}

impl Default for Affine {
    fn default() -> Self {
        Self {
            degrees: 10.0,
            translate: 0.1,
            scale: [0.9, 1.1],
            shear: 0.1,
            interpolation: Interpolation::Bilinear,
            fill: Fill::BLACK,
        }
    }
}

/// The map that reads an output of `width` by `height` so that its content appears turned
/// counter-clockwise by `degrees`, enlarged by `scale`, sheared and moved by `shift` (right, down),
/// all about the centre; for [`geometry::affine`].
pub fn matrix(
    width: usize,
    height: usize,
    degrees: f64,
    scale: f64,
    shear: f64,
    shift: [f64; 2],
) -> [f64; 6] {
    let (sin, cos) = (-degrees.to_radians()).sin_cos();
    let [a, b] = [cos / scale, (cos * shear + sin) / scale];
    let [d, e] = [-sin / scale, (cos - sin * shear) / scale];
    let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
    let (px, py) = (cx + shift[0], cy + shift[1]);
    [a, b, cx - a * px - b * py, d, e, cy - d * px - e * py]
}

impl Affine {
    /// Draws a map and applies it.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        let (width, height) = (image.width(), image.height());
        let degrees = rng.range(-self.degrees, self.degrees);
        let shift =
            [width, height].map(|side| rng.range(-self.translate, self.translate) * side as f64);
        let scale = rng.range(self.scale[0], self.scale[1]);
        let shear = rng.range(-self.shear, self.shear);
        let matrix = matrix(width, height, degrees, scale, shear, shift);
        geometry::affine(
            image,
            matrix,
            Sampling { interpolation: self.interpolation, fill: self.fill },
            scratch,
        );
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let faults = [
            Fault::outside("degrees", self.degrees, 0.0, 180.0),
            Fault::outside("translate", self.translate, 0.0, 1.0),
            Fault::bad_range("scale", self.scale, 0.1, 10.0),
            Fault::outside("shear", self.shear, 0.0, 1.0),
        ];
        faults.into_iter().flatten().collect()
    }
}
