//! Digests of images that have been taken.

use crate::digest::Digest;
use augment::Image;
use std::sync::OnceLock;

/// Digests of all images of a set, where they have been taken.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Digests of the encoded images.
    pub(super) files: OnceLock<Vec<Digest>>,
    /// Digests of the decoded images, in the size in which they are learned from.
    pub(super) shown: OnceLock<Vec<Digest>>,
}

impl Known {
    /// Those of the images with these numbers.
    pub(super) fn only(&self, numbers: &[usize]) -> Self {
        let kept = |known: &OnceLock<Vec<Digest>>| match known.get() {
            Some(known) => numbers.iter().map(|&i| known[i]).collect::<Vec<_>>().into(),
            None => OnceLock::new(),
        };
        Self { files: kept(&self.files), shown: kept(&self.shown) }
    }
}

/// The digest of an image: of its sides, its channels and its pixels.
pub(super) fn digest(image: &Image) -> Digest {
    let sides = [image.width(), image.height(), image.channels()];
    let sides: Vec<u8> = sides.iter().flat_map(|&side| (side as u64).to_le_bytes()).collect();
    Digest::of_parts(&[&sides, image.pixels()])
}
