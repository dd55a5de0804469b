//! Image corruptions as in ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261), for measuring
//! robustness.
//!
//! Values are scaled to `[0, 1]`, corrupted in double precision, clipped, and truncated (not
//! rounded) to bytes, as the authors do. Every corruption that draws more than noise has a function
//! that takes its random fields, angle or offsets, so that tests can compare it with the reference.
//! Motion blur follows the package `imagecorruptions`, because the authors' code calls ImageMagick
//! for it; everything else follows the authors' code.

pub mod blur;
pub mod elastic;
pub mod grid;
mod kinds;
pub(crate) mod pixels;
pub mod spatter;
pub mod tables;
pub mod textures;
pub mod weather;

pub use kinds::{Corruption, NoSuchCorruption, NoSuchSeverity, Scale, Severity};
pub use pixels::{Saturation, saturate};

use grid::Grid;
use pixels::{brighten, each_value, flatten, moved, pixelate};

use crate::fill::Fill;
use crate::geometry::{self, Sampling};
use crate::image::Image;
use crate::jpeg;
use crate::rng::Rng;
use crate::scratch::Scratch;

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
            let glass = tables::glass(scale, severity);
            let mut offset = || rng.below(2 * glass.reach) as i64 - glass.reach as i64;
            blur::glass(image, &glass, || [offset(), offset()])
        }
        Corruption::MotionBlur => {
            let motion = tables::motion(scale, severity);
            blur::motion(image, &motion, rng.range(-45.0, 45.0))
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
            weather::frost(image, &weights, &weather::ice(image.width(), image.height(), rng))
        }
        Corruption::Fog => {
            let weather::Fog { thickness, decay } = tables::fog(scale, severity);
            let (width, height) = (image.width(), image.height());
            let map = weather::plasma_over(width, height, decay, || rng.range(-1.0, 1.0));
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
        Corruption::Saturate => saturate(image, &tables::saturate(scale, severity)),
        Corruption::Spatter => {
            let spatter = tables::spatter(scale, severity);
            let (width, height) = (image.width(), image.height());
            let noise =
                Grid::draw(width, height, || spatter.mean + spatter.deviation * rng.normal());
            spatter::spatter(image, &spatter, &noise)
        }
        Corruption::DefocusBlur => {
            let blur::Defocus { radius, softness } = tables::defocus(scale, severity);
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
