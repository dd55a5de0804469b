//! How fast steps are.

use std::time::Instant;

/// Seconds and units of the steps themselves, without evaluations and checkpoints.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pace {
    pub(crate) units: u64,
    pub(crate) seconds: f64,
}

impl Pace {
    pub(crate) fn add(&mut self, units: u64, since: Instant) {
        self.units += units;
        self.seconds += since.elapsed().as_secs_f64();
    }

    /// What was added to `earlier` to come to this.
    pub(crate) fn minus(self, earlier: Pace) -> Pace {
        Pace { units: self.units - earlier.units, seconds: self.seconds - earlier.seconds }
    }

    /// Units per second; 0 if no time was spent.
    pub(crate) fn per_second(self) -> f64 {
        self.rate(self.units)
    }

    /// How many of these were done per second of the steps; 0 if no time was spent.
    pub(crate) fn rate(self, count: u64) -> f64 {
        if self.seconds > 0.0 { count as f64 / self.seconds } else { 0.0 }
    }
}
