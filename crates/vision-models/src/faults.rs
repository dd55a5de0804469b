//! The faults of a configuration: all of them, each with its key and what is allowed.

use std::fmt::Display;

/// A model's configuration cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model: {}", .faults.join("; "))]
pub struct InvalidConfig {
    /// One line a fault, as `depth = 27: must be 6n + 4, as 10, 16, 28`.
    pub faults: Vec<String>,
}

/// Collects faults.
#[derive(Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    /// Adds a fault unless `fine`.
    pub(crate) fn unless(&mut self, fine: bool, key: &str, value: impl Display, rule: &str) {
        if !fine {
            self.0.push(format!("{key} = {value}: must be {rule}"));
        }
    }

    /// A probability that something is dropped.
    pub(crate) fn rate(&mut self, key: &str, value: f64) {
        self.unless((0.0..1.0).contains(&value), key, value, "at least 0 and below 1");
    }

    /// A factor or constant above 0.
    pub(crate) fn positive(&mut self, key: &str, value: f64) {
        self.unless(value > 0.0 && value.is_finite(), key, value, "above 0");
    }

    /// The weight of a new batch in running statistics.
    pub(crate) fn momentum(&mut self, key: &str, value: f64) {
        self.unless(value > 0.0 && value <= 1.0, key, value, "above 0 and at most 1");
    }

    pub(crate) fn done(self) -> Result<(), InvalidConfig> {
        if self.0.is_empty() { Ok(()) } else { Err(InvalidConfig { faults: self.0 }) }
    }
}
