//! Scratch memory, kept between operations so that they do not allocate.

use crate::image::Image;
use crate::resize::passes::Blocks;
use crate::resize::taps::Taps;

/// Buffers that operations write to and then swap with the image's own. Make one per thread and
/// pass it to every call; results do not depend on its content.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub(crate) bytes: Vec<u8>,
    /// The image before an operation that it is blended with.
    pub(crate) before: Vec<u8>,
    /// A chain of AugMix, and the sums of all chains.
    pub(crate) chain: Option<Image>,
    pub(crate) sums: Vec<f32>,
    pub(crate) columns: Vec<u32>,
    pub(crate) mask: Option<Image>,
    pub(crate) taps: [Taps; 2],
    pub(crate) blocks: Blocks,
}

impl Scratch {
    /// Empty buffers, which grow with the first images.
    pub fn new() -> Self {
        Self::default()
    }

    /// `len` bytes of unspecified content.
    pub(crate) fn bytes(&mut self, len: usize) -> &mut [u8] {
        self.bytes.resize(len, 0);
        &mut self.bytes
    }

    /// Makes the bytes written here the image, of a new size; the old bytes become scratch.
    pub(crate) fn trade(&mut self, image: &mut Image, width: usize, height: usize) {
        image.replace(width, height, &mut self.bytes);
    }
}
