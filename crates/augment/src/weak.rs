//! Weak augmentation: a flip and a crop out of a mirrored border.
//!
//! CIFAR-10 in UDA, FixMatch and Noisy Student: flip with probability 1/2, then pad 4; SVHN: no
//! flip; STL-10: pad 12.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::geometry;
use crate::image::Image;
use crate::rng::Rng;
use crate::scratch::Scratch;

/// The step `flip-crop`.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `pad` | 4 | mirrored border on each side; the crop is uniform in `0..=2 pad` | 0 to 1024 |
/// | `flip` | true | mirror left and right with probability 1/2 | |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlipCrop {
    /// Pixels of mirrored border on each side.
    pub pad: usize,
    /// Whether to mirror left and right half of the time.
    pub flip: bool,
}

impl Default for FlipCrop {
    fn default() -> Self {
        Self { pad: 4, flip: true }
    }
}

impl FlipCrop {
    /// Flips and crops.
    pub fn apply(&self, image: &mut Image, rng: &mut Rng, scratch: &mut Scratch) {
        if self.flip && rng.chance(0.5) {
            geometry::flip(image);
        }
        let (dx, dy) = (rng.below(2 * self.pad + 1), rng.below(2 * self.pad + 1));
        geometry::reflect_crop(image, self.pad, dx, dy, scratch);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        Fault::unless(self.pad <= 1024, "pad", self.pad, "0 to 1024").into_iter().collect()
    }
}
