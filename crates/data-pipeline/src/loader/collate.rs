//! How the samples drawn for a batch become the data of that batch.

use crate::dataset::Samples;
use crate::error::DataError;
use crate::sampler::Draw;
use augment::rng::Key;
use std::iter::Zip;
use std::slice::Iter;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the random numbers of a view of a sample are drawn from; `seed` is the stream's, `view` the
/// view's position.
pub fn key(seed: u64, epoch: u64, slot: u32, view: usize) -> Key {
    Key { seed, epoch, index: u64::from(slot), view: view as u64 }
}

/// Turns the samples of a batch into the data that the training loop gets: augments images and
/// stacks them ([`Views`](super::Views)), pads token ids to the longest, and so on.
///
/// The loader gives the same bytes for any number of workers only if a batch is a pure function of
/// `self` and the draws: take random numbers from [`Drawn::key`], and let results not depend on
/// what the scratch memory holds.
///
/// ```
/// use data_pipeline::error::DataError;
/// use data_pipeline::loader::{Collate, Items};
///
/// /// Texts as they are.
/// struct Texts;
///
/// impl Collate for Texts {
///     type Item = String;
///     type Batch = Vec<String>;
///     type Scratch = ();
///
///     fn collate(&self, items: Items<'_, String>, _: &mut ()) -> Result<Vec<String>, DataError> {
///         items.map(|drawn| Ok(drawn?.item)).collect()
///     }
/// }
/// ```
pub trait Collate: Send + Sync {
    /// A sample, as [`Samples::item`] gives it.
    type Item;
    /// The data of a batch.
    type Batch: Send;
    /// Memory that is kept from batch to batch. Each worker has its own, and all streams of a
    /// loader use it; `()` if none is needed.
    type Scratch: Default + Send;

    /// Makes the data of one batch. Each sample is read when `items` gets to it, so samples that
    /// are left out are not read.
    ///
    /// # Errors
    /// Those of `items`, and [`DataError::Request`] for samples that cannot be in one batch.
    fn collate(
        &self,
        items: Items<'_, Self::Item>,
        scratch: &mut Self::Scratch,
    ) -> Result<Self::Batch, DataError>;

    /// How much memory a batch takes, by which the loader decides how far it works ahead; 0 where
    /// that is too little to matter.
    fn bytes(_batch: &Self::Batch) -> u64 {
        0
    }
}

/// A sample in a batch, and what it was drawn with.
pub struct Drawn<'a, T> {
    /// The sample.
    pub item: T,
    /// Its index in the data set.
    pub index: u32,
    /// Its position in the stream's entries.
    pub slot: u32,
    /// How often the order had gone round all entries before.
    pub epoch: u64,
    /// The stream's seed.
    pub seed: u64,
    /// The step that the batch is for.
    pub step: u64,
    set: &'a dyn Samples<Item = T>,
}

impl<T> Drawn<'_, T> {
    /// What the random numbers of the sample's view number `view` are drawn from.
    pub fn key(&self, view: usize) -> Key {
        key(self.seed, self.epoch, self.slot, view)
    }

    /// The sample's name ([`Samples::id`]), for messages.
    pub fn id(&self) -> String {
        self.set.id(self.index as usize)
    }
}

/// The samples of one batch in their order. [`ExactSizeIterator::len`] is the number of samples
/// left.
pub struct Items<'a, T> {
    pub(super) set: &'a dyn Samples<Item = T>,
    /// Draws with their indices in `set`.
    pub(super) draws: Zip<Iter<'a, Draw>, Iter<'a, u32>>,
    pub(super) seed: u64,
    pub(super) step: u64,
    /// Set when the loader stops; what `collate` then returns is dropped.
    pub(super) stop: &'a AtomicBool,
}

impl<'a, T> Iterator for Items<'a, T> {
    type Item = Result<Drawn<'a, T>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (draw, &index) = self.draws.next()?;
        if self.stop.load(Ordering::Relaxed) {
            let fault = "the loader was stopped".into();
            return Some(Err(DataError::Worker { step: self.step, fault }));
        }
        let drawn = self.set.item(index as usize).map(|item| Drawn {
            item,
            index,
            slot: draw.slot,
            epoch: draw.epoch,
            seed: self.seed,
            step: self.step,
            set: self.set,
        });
        Some(drawn)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.draws.size_hint()
    }
}

impl<T> ExactSizeIterator for Items<'_, T> {}
