//! Streams of samples, and the batches of a step that are drawn from them.

use super::collate::{Collate, Items};
use crate::dataset::Samples;
use crate::error::DataError;
use crate::sampler::{Draw, Order, Sampler};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The label in a [`HostBatch`] of a sample that has none.
pub const NO_LABEL: u32 = u32::MAX;

/// What one part of each step is drawn from. Give each stream of a run its own `seed`, or equal
/// slots of two streams get equal random numbers.
#[derive(Clone)]
pub struct Stream<C: Collate> {
    /// Where the samples come from.
    pub set: Arc<dyn Samples<Item = C::Item>>,
    /// The indices into `set` that take part. One may occur several times and then counts as
    /// several entries.
    pub entries: Vec<u32>,
    /// How the samples of a batch become its data.
    pub collate: C,
    /// Samples per step.
    pub batch: usize,
    /// The seed of order and augmentation.
    pub seed: u64,
    /// The order of the entries.
    pub order: Order,
}

/// One stream's part of a step; `b` samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostBatch<B> {
    /// Positions in [`Stream::entries`], length `b`.
    pub slots: Vec<u32>,
    /// Indices in the data set, length `b`.
    pub indices: Vec<u32>,
    /// How often the order had gone round all entries before each, length `b`.
    pub epochs: Vec<u64>,
    /// Labels, length `b`; [`NO_LABEL`] where there is none.
    pub labels: Vec<u32>,
    /// What [`Collate::collate`] made of the samples.
    pub data: B,
}

/// Everything for one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<B> {
    /// The number of the step, counted from the start of the run.
    pub step: u64,
    /// One batch per stream, in the order of the streams.
    pub batches: Vec<HostBatch<B>>,
}

impl<B> Step<B> {
    /// How much memory its data take.
    pub(super) fn bytes<C: Collate<Batch = B>>(&self) -> u64 {
        self.batches.iter().map(|batch| C::bytes(&batch.data)).sum()
    }
}

impl<C: Collate> Stream<C> {
    /// All samples of a set, in a new random order each epoch.
    ///
    /// ```
    /// use data_pipeline::dataset::VecSet;
    /// use data_pipeline::loader::{AsIs, Loader, Stream};
    /// let words = VecSet::new("words", vec!["a", "b", "c"], None, vec![])?;
    /// let stream = Stream::shuffled(std::sync::Arc::new(words), AsIs::default(), 3, 1);
    /// let step = Loader::builder(vec![stream]).steps(0..1).start().next().expect("a step")?;
    /// assert_eq!(step.batches[0].data.len(), 3);
    /// # Ok::<(), data_pipeline::error::DataError>(())
    /// ```
    pub fn shuffled(
        set: Arc<dyn Samples<Item = C::Item>>,
        collate: C,
        batch: usize,
        seed: u64,
    ) -> Self {
        let entries = (0..set.len() as u32).collect();
        Self { set, entries, collate, batch, seed, order: Order::Shuffled }
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        let fault = |what: String| Err(DataError::Request(format!("a loader's stream {what}")));
        if self.entries.is_empty() || self.entries.len() > u32::MAX as usize {
            return fault(format!("has {} entries", self.entries.len()));
        }
        if self.batch == 0 {
            return fault("has a batch of 0 samples".into());
        }
        match self.entries.iter().find(|&&entry| entry as usize >= self.set.len()) {
            Some(entry) => fault(format!("names sample {entry} of a set of {}", self.set.len())),
            None => Ok(()),
        }
    }

    pub(super) fn sampler(&self) -> Sampler {
        if self.order == Order::Bucketed {
            let size = |&entry: &u32| self.set.size(entry as usize);
            let sizes = self.entries.iter().map(size).collect();
            return Sampler::bucketed(sizes, self.batch, self.seed);
        }
        Sampler::new(self.entries.len() as u32, self.seed, self.order)
    }

    /// Loads and collates the samples drawn. `None` if told to stop meanwhile.
    pub(super) fn prepare(
        &self,
        step: u64,
        draws: &[Draw],
        stop: &AtomicBool,
        scratch: &mut C::Scratch,
    ) -> Result<Option<HostBatch<C::Batch>>, DataError> {
        let slots: Vec<u32> = draws.iter().map(|draw| draw.slot).collect();
        let indices: Vec<u32> = slots.iter().map(|&slot| self.entries[slot as usize]).collect();
        let labels =
            indices.iter().map(|&i| self.set.label(i as usize).unwrap_or(NO_LABEL)).collect();
        let epochs = draws.iter().map(|draw| draw.epoch).collect();
        let draws = draws.iter().zip(&indices);
        let items = Items { set: &*self.set, draws, seed: self.seed, step, stop };
        let data = self.collate.collate(items, scratch);
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Ok(Some(HostBatch { slots, indices, epochs, labels, data: data? }))
    }
}
