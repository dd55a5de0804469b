//! How memory is shared.

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Equal shares for all sorts and groups, which can go to files, as in DataFusion's
/// `FairSpillPool`; but never all of the memory: a quarter is left for what must be in it. In that
/// one a sort that has filled its share, and has to merge what it holds in order to write it, finds
/// nothing left, or does, as other threads happen to run.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// How many can go to files, and what they have.
    shares: usize,
    rows: usize,
    /// What must be in memory has.
    others: usize,
}

impl Used {
    fn of(&mut self, consumer: &MemoryConsumer) -> &mut usize {
        if consumer.can_spill() { &mut self.rows } else { &mut self.others }
    }
}

impl Memory {
    /// Of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes, used: Mutex::default() }
    }

    fn used<T>(&self, work: impl FnOnce(&mut Used) -> T) -> T {
        work(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl MemoryPool for Memory {
    fn name(&self) -> &str {
        "shares"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.used(|used| used.shares += usize::from(consumer.can_spill()));
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.used(|used| used.shares -= usize::from(consumer.can_spill()));
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used(|used| *used.of(reservation.consumer()) += additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used(|used| *used.of(reservation.consumer()) -= shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let consumer = reservation.consumer();
        self.used(|used| {
            let own = reservation.size();
            let left = if consumer.can_spill() {
                let rows = (self.bytes / 4 * 3).min(self.bytes.saturating_sub(used.others));
                (rows / used.shares.max(1)).saturating_sub(own)
            } else {
                self.bytes.saturating_sub(used.rows + used.others)
            };
            if additional > left {
                let [more, own, left, bytes] =
                    [additional, own, left, self.bytes].map(human_readable_size);
                return Err(DataFusionError::ResourcesExhausted(format!(
                    "{} has {own} and needs {more}, where {left} of {bytes} are left for it",
                    consumer.name()
                )));
            }
            *used.of(consumer) += additional;
            Ok(())
        })
    }

    fn reserved(&self) -> usize {
        self.used(|used| used.rows + used.others)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shares of {}", human_readable_size(self.bytes))
    }
}
