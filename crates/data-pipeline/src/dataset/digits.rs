//! The 1,797 handwritten digits of 8x8 pixels that the crate contains: a real data set that needs
//! no download.
//!
//! Source: "Optical Recognition of Handwritten Digits", test part, E. Alpaydin and C. Kaynak
//! (1998), UCI Machine Learning Repository, doi 10.24432/C50P49, licence CC BY 4.0. Only the file
//! format was changed (`data/README.md`).

use super::{ArraySet, idx};
use std::path::Path;

const IMAGES: &[u8] = include_bytes!("../../data/digits-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../../data/digits-labels-idx1-ubyte.gz");

/// All 1,797 images, 8x8x1, in their original order. The original values 0 to 16 become `round(v *
/// 255 / 16)`.
///
/// ```
/// use data_pipeline::dataset::{Samples, digits};
/// let digits = digits::load();
/// assert_eq!((digits.len(), digits.label(0)), (1797, Some(0)));
/// ```
pub fn load() -> ArraySet {
    let read = |bytes, name: &str| {
        let path = Path::new(name);
        idx::parse(path, flate2::read::GzDecoder::new(bytes)).expect("the embedded file is whole")
    };
    let mut images = read(IMAGES, "digits-images-idx3-ubyte.gz");
    for value in &mut images.data {
        *value = ((u32::from(*value) * 255 + 8) / 16) as u8;
    }
    let labels = read(LABELS, "digits-labels-idx1-ubyte.gz");
    idx::assemble("digits", (Path::new("images"), images), (Path::new("labels"), labels), 10)
        .expect("the embedded files fit each other")
}
