//! One operation with all its arguments: applying it draws no random numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::color::{self, ContrastMean};
use crate::erase;
use crate::fill::Fill;
use crate::filter;
use crate::gaussian;
use crate::geometry::{self, Interpolation, Sampling};
use crate::image::Image;
use crate::resize::{self, Filter};
use crate::scratch::Scratch;
use crate::tf;
use crate::unsharp;

/// An operation, ready to be applied. Every one keeps the image's size and takes any size from 1x1
/// upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Leaves the image as it is.
    Identity,
    /// [`color::auto_contrast`].
    AutoContrast,
    /// [`color::equalize`].
    Equalize,
    /// [`color::invert`].
    Invert,
    /// [`color::posterize`].
    Posterize {
        /// Bits that stay, 0 to 8.
        bits: u8,
    },
    /// [`color::solarize`].
    Solarize {
        /// The first value that is inverted.
        threshold: u16,
    },
    /// [`color::solarize_add`].
    SolarizeAdd {
        /// What is added.
        add: u16,
        /// The first value that stays.
        threshold: u8,
    },
    /// [`color::color`].
    Color {
        /// 0 grey, 1 no change.
        factor: f64,
    },
    /// [`color::contrast`].
    Contrast {
        /// 0 one grey, 1 no change.
        factor: f64,
        /// Which grey.
        mean: ContrastMean,
    },
    /// [`color::brightness`].
    Brightness {
        /// 0 black, 1 no change.
        factor: f64,
    },
    /// [`filter::sharpness`].
    Sharpness {
        /// 0 smooth, 1 no change.
        factor: f64,
    },
    /// [`gaussian::gaussian_blur`].
    GaussianBlur {
        /// The standard deviation in pixels.
        radius: f64,
    },
    /// [`unsharp::unsharp_mask`].
    UnsharpMask {
        /// The standard deviation of the blur in pixels.
        radius: f64,
        /// How much of the difference is added, in hundredths.
        percent: u32,
    },
    /// [`tf::color`].
    ColorTf {
        /// 0 grey, 1 no change.
        factor: f64,
    },
    /// [`tf::sharpness`].
    SharpnessTf {
        /// 0 smooth, 1 no change.
        factor: f64,
    },
    /// The image blended with what another operation makes of it.
    Blended {
        /// That operation.
        with: Whole,
        /// Its share, 0 to 1.
        share: f64,
    },
    /// [`resize::rescale`].
    Rescale {
        /// What is cut off on each side, as a share of the width and of the height, below 1/2.
        margin: f64,
        /// How the rest is enlarged.
        filter: Filter,
    },
    /// [`geometry::rotate`].
    Rotate {
        /// Counter-clockwise.
        degrees: f64,
        /// How the source is read.
        sampling: Sampling,
    },
    /// [`geometry::shear_x`].
    ShearX {
        /// Columns per row.
        shear: f64,
        /// How the source is read.
        sampling: Sampling,
    },
    /// [`geometry::shear_y`].
    ShearY {
        /// Rows per column.
        shear: f64,
        /// How the source is read.
        sampling: Sampling,
    },
    /// [`geometry::translate_x`].
    TranslateX {
        /// To the left.
        pixels: f64,
        /// How the source is read.
        sampling: Sampling,
    },
    /// [`geometry::translate_y`].
    TranslateY {
        /// Upwards.
        pixels: f64,
        /// How the source is read.
        sampling: Sampling,
    },
    /// [`erase::cutout`].
    Cutout {
        /// Column of the centre.
        x: usize,
        /// Row of the centre.
        y: usize,
        /// Half the side.
        half: usize,
        /// Its colour.
        fill: Fill,
    },
    /// [`geometry::flip`].
    Flip,
    /// [`geometry::reflect_crop`].
    ReflectCrop {
        /// Pixels added on each side.
        pad: usize,
        /// Column of the crop, `0..=2 * pad`.
        dx: usize,
        /// Row of the crop, `0..=2 * pad`.
        dy: usize,
    },
}

/// An operation without argument, for [`Op::Blended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// [`color::auto_contrast`].
    AutoContrast,
    /// [`color::equalize`].
    Equalize,
    /// [`color::invert`].
    Invert,
    /// [`filter::blur`].
    Blur,
    /// [`filter::smooth`].
    Smooth,
}

impl Op {
    /// Applies the operation in place.
    ///
    /// ```
    /// use augment::{image::Image, op::Op, scratch::Scratch};
    /// let mut image = Image::new(2, 1, 1, vec![10, 200]);
    /// Op::Invert.apply(&mut image, &mut Scratch::new());
    /// assert_eq!(image.pixels(), [245, 55]);
    /// ```
    pub fn apply(&self, image: &mut Image, scratch: &mut Scratch) {
        match *self {
            Self::Identity => {}
            Self::AutoContrast => color::auto_contrast(image),
            Self::Equalize => color::equalize(image),
            Self::Invert => color::invert(image),
            Self::Posterize { bits } => color::posterize(image, bits),
            Self::Solarize { threshold } => color::solarize(image, threshold),
            Self::SolarizeAdd { add, threshold } => color::solarize_add(image, add, threshold),
            Self::Color { factor } => color::color(image, factor),
            Self::Contrast { factor, mean } => color::contrast(image, factor, mean),
            Self::Brightness { factor } => color::brightness(image, factor),
            Self::Sharpness { factor } => filter::sharpness(image, factor, scratch),
            Self::GaussianBlur { radius } => gaussian::gaussian_blur(image, radius, scratch),
            Self::UnsharpMask { radius, percent } => {
                unsharp::unsharp_mask(image, radius, percent, scratch);
            }
            Self::ColorTf { factor } => tf::color(image, factor),
            Self::SharpnessTf { factor } => tf::sharpness(image, factor, scratch),
            Self::Blended { with, share } => blended(image, with, share, scratch),
            Self::Rescale { margin, filter } => resize::rescale(image, margin, filter, scratch),
            Self::Rotate { degrees, sampling } => {
                geometry::rotate(image, degrees, sampling, scratch)
            }
            Self::ShearX { shear, sampling } => geometry::shear_x(image, shear, sampling, scratch),
            Self::ShearY { shear, sampling } => geometry::shear_y(image, shear, sampling, scratch),
            Self::TranslateX { pixels, sampling } => {
                geometry::translate_x(image, pixels, sampling, scratch)
            }
            Self::TranslateY { pixels, sampling } => {
                geometry::translate_y(image, pixels, sampling, scratch)
            }
            Self::Cutout { x, y, half, fill } => erase::cutout(image, x, y, half, fill),
            Self::Flip => geometry::flip(image),
            Self::ReflectCrop { pad, dx, dy } => {
                geometry::reflect_crop(image, pad, dx, dy, scratch)
            }
        }
    }
}

/// The bytes from before the operation are kept while it runs.
fn blended(image: &mut Image, with: Whole, share: f64, scratch: &mut Scratch) {
    let mut before = std::mem::take(&mut scratch.before);
    before.clear();
    before.extend_from_slice(image.pixels());
    match with {
        Whole::AutoContrast => color::auto_contrast(image),
        Whole::Equalize => color::equalize(image),
        Whole::Invert => color::invert(image),
        Whole::Blur => filter::blur(image, scratch),
        Whole::Smooth => filter::smooth(image, scratch),
    }
    color::blend_with(image, &before, share);
    scratch.before = before;
}

/// The operations that RandAugment's variants draw from, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is explained at the operation of the same name")]
pub enum OpName {
    Identity,
    AutoContrast,
    Equalize,
    Invert,
    Posterize,
    Solarize,
    SolarizeAdd,
    Color,
    Contrast,
    Brightness,
    Sharpness,
    Rotate,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Cutout,
    Desaturate,
    GaussianBlur,
}

impl Op {
    /// This operation with bicubic interpolation, if it interpolates.
    pub(crate) fn bicubic(mut self) -> Self {
        if let Self::Rotate { sampling, .. }
        | Self::ShearX { sampling, .. }
        | Self::ShearY { sampling, .. }
        | Self::TranslateX { sampling, .. }
        | Self::TranslateY { sampling, .. } = &mut self
        {
            sampling.interpolation = Interpolation::Bicubic;
        }
        self
    }

    /// The argument in a word or two, `27 degrees`; empty for an operation without one.
    pub fn argument(&self) -> String {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        match *self {
            Self::Identity | Self::AutoContrast | Self::Equalize | Self::Invert | Self::Flip => {
                String::new()
            }
            Self::Posterize { bits } => format!("{bits} bits"),
            Self::Solarize { threshold } => format!("from {threshold}"),
            Self::SolarizeAdd { add, .. } => format!("+{add}"),
            Self::Color { factor }
            | Self::ColorTf { factor }
            | Self::Contrast { factor, .. }
            | Self::Brightness { factor }
            | Self::Sharpness { factor }
            | Self::SharpnessTf { factor } => format!("x {factor:.2}"),
            Self::GaussianBlur { radius } => format!("{radius:.1} px"),
            Self::UnsharpMask { radius, percent } => format!("{radius:.1} px, {percent} %"),
            Self::Blended { share, .. } => percent(share),
            Self::Rescale { margin, filter } => format!("{} {filter:?}", percent(margin)),
            Self::Rotate { degrees, .. } => format!("{degrees:.0} deg"),
            Self::ShearX { shear, .. } | Self::ShearY { shear, .. } => format!("{shear:.2}"),
            Self::TranslateX { pixels, .. } | Self::TranslateY { pixels, .. } => {
                format!("{pixels:.1} px")
            }
            Self::Cutout { half, .. } => format!("{} px", 2 * half),
            Self::ReflectCrop { pad, dx, dy } => format!("{dx},{dy} of {pad}"),
        }
    }
}

impl fmt::Display for OpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // serde's own name, so that what is printed can be parsed.
        self.serialize(f)
    }
}
