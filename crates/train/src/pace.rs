//! How fast steps are.

use std::time::Instant;

/// Seconds and units of the steps themselves, without evaluations and checkpoints.
#[derive(Default)]
pub(crate) struct Pace {
    pub(crate) units: u64,
    pub(crate) seconds: f64,
}

impl Pace {
    pub(crate) fn add(&mut self, units: u64, since: Instant) {
        self.units += units;
        self.seconds += since.elapsed().as_secs_f64();
    }

    pub(crate) fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.units as f64 / self.seconds } else { 0.0 }
    }
}
