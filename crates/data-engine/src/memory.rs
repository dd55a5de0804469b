//! How memory is shared.

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Equal shares for all that can go to files (sorts, groups, rows on their way to another
/// partition), as in DataFusion's `FairSpillPool`, but of three quarters of the memory: the rest is
/// for what must be in it. With `FairSpillPool` a sort that has filled its share, and has to merge
/// what it holds in order to write it, finds nothing left, or does, as other threads happen to run.
///
/// Shares become smaller with each one that registers; what is above its share by then stays so.
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
    /// A pool of so many bytes.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_quarter_is_left_to_what_must_be_in_memory() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Memory::new(800));
        let spills = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (one, other) = (spills("one"), spills("other"));
        one.try_grow(300).expect("its share");
        let said = one.try_grow(1).expect_err("more than its share").to_string();
        assert!(said.contains("one has 300.0 B and needs 1.0 B"), "{said}");
        other.try_grow(300).expect("the other share");
        let must = MemoryConsumer::new("merge").register(&pool);
        must.try_grow(200).expect("the quarter");
        assert!(must.try_grow(1).is_err());
        // What it takes beyond a quarter is no longer shared.
        one.shrink(200);
        must.try_grow(100).expect("what was given back");
        assert!(one.try_grow(151).is_err());
        drop(other);
        one.try_grow(400).expect("a share of one");
        assert_eq!(pool.reserved(), 800);
        drop((one, must));
        assert_eq!(pool.reserved(), 0);
    }
}
