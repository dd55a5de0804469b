//! The order of samples: a pure function of a seed and a position, so that a run resumes without
//! saved state.
//!
//! Position `p` is draw `p mod n` of epoch `p / n`; an epoch is one permutation of all `n` slots,
//! keyed by (seed, epoch).

use augment::rng::Key;
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
}

impl Sampler {
    /// A sampler over `len` slots. Panics if there are none.
    pub fn new(len: u32, seed: u64, order: Order) -> Self {
        assert!(len > 0, "a sampler needs at least one slot");
        Self { len, seed, order, epoch: None, permutation: Vec::new() }
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
            Key { seed: self.seed, epoch, index: 0, view: 1000 }
                .rng()
                .shuffle(&mut self.permutation);
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
