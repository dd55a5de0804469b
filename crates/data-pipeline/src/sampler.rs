//! The order of samples: a pure function of a seed and a position, so that a run resumes without
//! saved state.
//!
//! Position `p` is draw `p mod n` of epoch `p / n`; an epoch is one permutation of all `n` slots,
//! keyed by (seed, epoch).

use augment::rng::{Key, Rng};
use serde::{Deserialize, Serialize};

/// The order inside an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// A new permutation each epoch.
    #[default]
    Shuffled,
    /// 0, 1, 2, ... in each epoch.
    Sequential,
    /// A new permutation each epoch, in which the samples of a batch are of like size: of 64
    /// batches drawn at a time the samples are sorted by size and cut into batches again, and these
    /// come in random order. So little is computed for the sake of the longest of a batch.
    Bucketed,
}

/// One draw of a [`Sampler`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// What was drawn, in `0..n`.
    pub slot: u32,
    /// The epoch of the draw, which is how often the slot came before.
    pub epoch: u64,
}

/// Draws slots `0..n`, each once per epoch.
///
/// ```
/// use data_pipeline::sampler::{Order, Sampler};
/// let mut sampler = Sampler::new(5, 1, Order::Shuffled);
/// let mut epoch: Vec<u32> = (0..5).map(|p| sampler.at(p).slot).collect();
/// let again = sampler.at(3);
/// assert_eq!(again.slot, epoch[3]);
/// epoch.sort();
/// assert_eq!(epoch, [0, 1, 2, 3, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct Sampler {
    len: u32,
    seed: u64,
    order: Order,
    /// The epoch that `permutation` belongs to. Positions mostly rise, so one is enough.
    epoch: Option<u64>,
    permutation: Vec<u32>,
    buckets: Option<Buckets>,
}

/// What batches of samples of like size are made by.
#[derive(Clone, Debug)]
struct Buckets {
    sizes: Vec<u32>,
    batch: usize,
}

/// So many batches are sorted together.
const BUCKETS: usize = 64;

impl Sampler {
    /// A sampler over `len` slots. Panics if there are none, and for [`Order::Bucketed`], which
    /// needs [`Sampler::bucketed`].
    pub fn new(len: u32, seed: u64, order: Order) -> Self {
        assert!(len > 0, "a sampler needs at least one slot");
        assert!(order != Order::Bucketed, "sizes are needed for buckets");
        Self { len, seed, order, epoch: None, permutation: Vec::new(), buckets: None }
    }

    /// A sampler in [`Order::Bucketed`] over slots of these sizes, for steps that take `batch`.
    /// Panics if there are none or `batch` is 0.
    pub fn bucketed(sizes: Vec<u32>, batch: usize, seed: u64) -> Self {
        assert!(batch > 0, "batches of 0 samples");
        let shuffled = Self::new(sizes.len() as u32, seed, Order::Shuffled);
        Self { order: Order::Bucketed, buckets: Some(Buckets { sizes, batch }), ..shuffled }
    }

    /// The draw at a position, counted from the start of the run.
    pub fn at(&mut self, position: u64) -> Draw {
        let (epoch, offset) = (position / u64::from(self.len), position % u64::from(self.len));
        if self.order == Order::Sequential {
            return Draw { slot: offset as u32, epoch };
        }
        if self.epoch != Some(epoch) {
            self.permutation.clear();
            self.permutation.extend(0..self.len);
            let mut rng = Key { seed: self.seed, epoch, index: 0, view: 1000 }.rng();
            rng.shuffle(&mut self.permutation);
            if let Some(buckets) = &self.buckets {
                let first = (epoch % buckets.batch as u64) * u64::from(self.len);
                buckets.sort(&mut self.permutation, first, &mut rng);
            }
            self.epoch = Some(epoch);
        }
        Draw { slot: self.permutation[offset as usize], epoch }
    }

    /// The draws of step `step` when each step takes `batch`.
    pub fn batch(&mut self, step: u64, batch: usize) -> Vec<Draw> {
        let first = step * batch as u64;
        (first..first + batch as u64).map(|position| self.at(position)).collect()
    }
}

impl Buckets {
    /// Sorts a permutation whose first place is position `first` of the run, up to a multiple of
    /// the batch: where batches begin depends on it, since they go on over the end of an epoch.
    fn sort(&self, permutation: &mut [u32], first: u64, rng: &mut Rng) {
        let into = (first % self.batch as u64) as usize;
        let lead = if into == 0 { 0 } else { (self.batch - into).min(permutation.len()) };
        for window in permutation[lead..].chunks_mut(self.batch * BUCKETS) {
            window.sort_by_key(|&slot| self.sizes[slot as usize]);
            let mut order: Vec<usize> = (0..window.len() / self.batch).collect();
            rng.shuffle(&mut order);
            let whole = order.len() * self.batch;
            let of_batch = |&n: &usize| window[n * self.batch..(n + 1) * self.batch].to_vec();
            let sorted: Vec<u32> = order.iter().flat_map(of_batch).collect();
            window[..whole].copy_from_slice(&sorted);
        }
    }
}
