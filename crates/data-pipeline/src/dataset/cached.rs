//! Decoded images kept in memory.

use super::Samples;
use crate::digest::Digest;
use crate::error::DataError;
use augment::Image;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A set of images that keeps what it has decoded, up to a number of bytes of pixels. An image that
/// is kept is decoded once, whichever threads ask for it; what no longer fits is decoded whenever
/// it is asked for. Images are the same either way. Those that a set enlarges are kept in their own
/// size ([`Samples::kept`]).
///
/// ```
/// use data_pipeline::dataset::{Cached, Samples, digits};
/// let digits = Cached::new(digits::load(), 1 << 20);
/// assert_eq!(digits.item(3)?, digits.inner().item(3)?);
/// assert_eq!(digits.bytes(), 64);
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Debug)]
pub struct Cached<S> {
    set: S,
    kept: Vec<Mutex<Option<Image>>>,
    bytes: AtomicU64,
    limit: u64,
}

impl<S: Samples<Item = Image>> Cached<S> {
    /// Keeps at most `limit` bytes of pixels of `set`.
    pub fn new(set: S, limit: u64) -> Self {
        let kept = (0..set.len()).map(|_| Mutex::new(None)).collect();
        Self { set, kept, bytes: AtomicU64::new(0), limit }
    }

    /// The set itself.
    pub fn inner(&self) -> &S {
        &self.set
    }

    /// How many bytes of pixels are kept now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether every image is kept, so that nothing is read any more.
    pub fn is_whole(&self) -> bool {
        self.kept.iter().all(|kept| lock(kept).is_some())
    }

    /// Keeps what [`Samples::kept`] gives of an image, if it fits.
    pub(super) fn keep(&self, index: usize, mut image: Image) {
        image.shrink_to_fit();
        let mut slot = lock(&self.kept[index]);
        if slot.is_none() && self.fits(&image) {
            *slot = Some(image);
        }
    }

    /// Counts the image in if it fits.
    fn fits(&self, image: &Image) -> bool {
        let add = |used: u64| {
            used.checked_add(image.pixels().len() as u64).filter(|&sum| sum <= self.limit)
        };
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }
}

/// A panic while the lock was held left the slot as it was: empty or whole.
fn lock(slot: &Mutex<Option<Image>>) -> std::sync::MutexGuard<'_, Option<Image>> {
    slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl<S: Samples<Item = Image>> Samples for Cached<S> {
    type Item = Image;

    fn len(&self) -> usize {
        self.set.len()
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        let mut slot = lock(&self.kept[index]);
        let image = match &*slot {
            Some(image) => image.clone(),
            None if self.bytes() >= self.limit => {
                drop(slot);
                return self.set.item(index);
            }
            None => {
                let image = self.set.kept(index)?;
                *slot = self.fits(&image).then(|| image.clone());
                image
            }
        };
        drop(slot);
        Ok(self.set.of_kept(image))
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
