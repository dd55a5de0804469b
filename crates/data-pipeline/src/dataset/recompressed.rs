//! Images as they are after they were kept as JPEG.

use super::{ImageSamples, Samples};
use crate::digest::Digest;
use crate::error::DataError;
use augment::{Image, jpeg};
use std::sync::Arc;

/// The images of a set after they were written as JPEG and read again, as some code keeps those of
/// sets that have none (Noisy Student's SVHN, at quality 100). Labels and names are the set's own.
pub struct Recompressed {
    set: Arc<ImageSamples>,
    quality: u8,
}

impl Recompressed {
    /// `quality` is libjpeg's, from 1 to 100. Fails if it is another.
    pub fn new(set: Arc<ImageSamples>, quality: u8) -> Result<Self, DataError> {
        if (1..=100).contains(&quality) {
            return Ok(Self { set, quality });
        }
        Err(DataError::Request(format!("JPEG quality {quality}; it must be from 1 to 100")))
    }
}

impl Samples for Recompressed {
    type Item = Image;

    fn len(&self) -> usize {
        self.set.len()
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        Ok(jpeg::round_trip(&self.set.item(index)?, self.quality))
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.set.label(index)
    }

    fn id(&self, index: usize) -> String {
        self.set.id(index)
    }

    fn classes(&self) -> &[String] {
        self.set.classes()
    }

    fn digests(&self) -> Result<Option<Vec<Digest>>, DataError> {
        self.set.digests()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::digits;

    #[test]
    fn images_are_those_after_jpeg_and_all_else_is_the_sets() {
        let set: Arc<ImageSamples> = Arc::new(digits::load());
        let fine = Recompressed::new(set.clone(), 100).unwrap();
        let coarse = Recompressed::new(set.clone(), 5).unwrap();
        let (own, fine_item, coarse_item) =
            (set.item(3).unwrap(), fine.item(3).unwrap(), coarse.item(3).unwrap());
        let off = |image: &Image| {
            let pairs = own.pixels().iter().zip(image.pixels());
            pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
        };
        assert!(off(&fine_item) <= 2 && off(&coarse_item) > 10);
        assert_eq!(fine_item, jpeg::round_trip(&own, 100));
        assert_eq!((fine.len(), fine.label(3), fine.id(3)), (set.len(), set.label(3), set.id(3)));
        assert_eq!(fine.classes(), set.classes());
    }

    #[test]
    fn a_quality_that_jpeg_has_not_is_refused() {
        let set: Arc<ImageSamples> = Arc::new(digits::load());
        for quality in [0, 101] {
            let error = Recompressed::new(set.clone(), quality).err().unwrap().to_string();
            assert!(error.contains(&format!("JPEG quality {quality}; it must be")), "{error}");
        }
    }
}
