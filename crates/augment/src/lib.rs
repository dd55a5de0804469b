//! Image augmentation on host threads, without any tensor library.
#![forbid(unsafe_code)]

pub mod image;
pub mod rng;

pub use image::Image;
