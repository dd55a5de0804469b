//! Colour and sharpness as Noisy Student's TensorFlow code computes them, where that differs from
//! Pillow.
//!
//! The greys of a colour have the weights 0.2989, 0.587 and 0.114 in single precision, and are
//! scaled by 255.5 and cut, as TensorFlow turns floats into bytes (from memory of
//! `convert_image_dtype`). The smooth image of sharpness is cut where Pillow rounds.

use crate::color::blend;
use crate::filter::{Thirteenth, sharpness_by};
use crate::image::Image;
use crate::scratch::Scratch;

/// TensorFlow's grey of a colour.
pub(crate) fn grey(red: u8, green: u8, blue: u8) -> u8 {
    let part = |value: u8, weight: f32| f32::from(value) / 255.0 * weight;
    let grey = part(red, 0.2989) + part(green, 0.587) + part(blue, 0.114);
    (grey * 255.5) as u8
}

/// Blends with the grey image, as [`crate::color::color`] does with Pillow's.
pub fn color(image: &mut Image, factor: f64) {
    if image.channels() == 3 {
        for pixel in image.pixels_mut().as_chunks_mut::<3>().0 {
            let grey = grey(pixel[0], pixel[1], pixel[2]);
            *pixel = pixel.map(|value| blend(grey, value, factor as f32));
        }
    }
}

/// Blends with the smoothed image, as [`crate::filter::sharpness`] does with Pillow's.
pub fn sharpness(image: &mut Image, factor: f64, scratch: &mut Scratch) {
    sharpness_by(image, factor, Thirteenth::Cut, scratch);
}
