//! What is wrong with a configuration: one form for all crates that compute with tensors.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// One key of a configuration and what is wrong with its value.
///
/// ```
/// use torch::ConfigError;
/// let error = ConfigError::new("decay", "1.5 is not in [0, 1)").within("ema");
/// assert_eq!(error.to_string(), "ema.decay: 1.5 is not in [0, 1)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {fault}")]
pub struct ConfigError {
    /// The key, with those of the tables around it: `ema.decay`.
    pub key: String,
    /// What is wrong with its value.
    pub fault: String,
}

impl ConfigError {
    /// A fault of a key.
    pub fn new(key: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { key: key.into(), fault: fault.into() }
    }

    /// This fault with its key in the table `table`: `table.key`.
    #[must_use]
    pub fn within(self, table: &str) -> Self {
        Self { key: format!("{table}.{}", self.key), ..self }
    }
}

/// All faults of a configuration as one error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidConfig {
    /// The faults, at least one.
    pub faults: Vec<ConfigError>,
}

impl InvalidConfig {
    /// The error of a configuration with these faults; `Ok` if there are none.
    pub fn of(faults: Vec<ConfigError>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self { faults }) }
    }

    /// Panics if there are faults, with `message` and all of them.
    #[track_caller]
    pub fn assert_none(faults: Vec<ConfigError>, message: &str) {
        if let Err(error) = Self::of(faults) {
            panic!("{message}: {error}");
        }
    }
}

/// Collects the faults of a configuration. Each method checks one key; a fault says the value and
/// what is allowed. NaN is in no range.
///
/// ```
/// use torch::Faults;
/// let mut faults = Faults::default();
/// faults.rate("decay", 1.5).at_least_one("memory", 128).positive("temperature", 0.0);
/// let lines: Vec<_> = faults.done().iter().map(ToString::to_string).collect();
/// assert_eq!(lines, ["decay: 1.5 is not in [0, 1)", "temperature: 0 is not above 0"]);
/// ```
#[derive(Debug, Default)]
pub struct Faults(Vec<ConfigError>);

impl Faults {
    /// Adds a fault of `key` unless `ok`.
    pub fn unless(&mut self, ok: bool, key: &str, fault: impl Into<String>) -> &mut Self {
        if !ok {
            self.0.push(ConfigError::new(key, fault));
        }
        self
    }

    /// Adds the fault "`value` is not `allowed`" unless `ok`.
    pub fn must_be(
        &mut self,
        ok: bool,
        key: &str,
        value: impl Display,
        allowed: &str,
    ) -> &mut Self {
        self.unless(ok, key, format!("{value} is not {allowed}"))
    }

    fn finite(&mut self, ok: bool, key: &str, value: f64, allowed: &str) -> &mut Self {
        let (ok, allowed) = if value.is_finite() { (ok, allowed) } else { (false, "finite") };
        self.must_be(ok, key, value, allowed)
    }

    /// A finite number above 0.
    pub fn positive(&mut self, key: &str, value: f64) -> &mut Self {
        self.finite(value > 0.0, key, value, "above 0")
    }

    /// A finite number of at least 0.
    pub fn not_negative(&mut self, key: &str, value: f64) -> &mut Self {
        self.finite(value >= 0.0, key, value, "at least 0")
    }

    /// A number in \[0, 1\].
    pub fn fraction(&mut self, key: &str, value: f64) -> &mut Self {
        self.must_be((0.0..=1.0).contains(&value), key, value, "in [0, 1]")
    }

    /// A number in \[0, 1): what is dropped, a decay.
    pub fn rate(&mut self, key: &str, value: f64) -> &mut Self {
        self.must_be((0.0..1.0).contains(&value), key, value, "in [0, 1)")
    }

    /// A number in (0, 1\].
    pub fn positive_fraction(&mut self, key: &str, value: f64) -> &mut Self {
        self.must_be(value > 0.0 && value <= 1.0, key, value, "in (0, 1]")
    }

    /// A number in (0, 1).
    pub fn inner_fraction(&mut self, key: &str, value: f64) -> &mut Self {
        self.must_be(value > 0.0 && value < 1.0, key, value, "in (0, 1)")
    }

    /// A count of at least 1.
    pub fn at_least_one<T: PartialOrd + From<u8> + Display>(
        &mut self,
        key: &str,
        value: T,
    ) -> &mut Self {
        self.must_be(value >= T::from(1), key, value, "at least 1")
    }

    /// A count in a range, its end included.
    pub fn in_range(&mut self, key: &str, value: i64, range: RangeInclusive<i64>) -> &mut Self {
        let allowed = format!("in {} to {}", range.start(), range.end());
        self.must_be(range.contains(&value), key, value, &allowed)
    }

    /// Adds faults whose keys are of this table already.
    pub fn also(&mut self, faults: impl IntoIterator<Item = ConfigError>) -> &mut Self {
        self.0.extend(faults);
        self
    }

    /// Adds the faults of what is in the table `table`.
    pub fn within(
        &mut self,
        table: &str,
        faults: impl IntoIterator<Item = ConfigError>,
    ) -> &mut Self {
        self.also(faults.into_iter().map(|fault| fault.within(table)))
    }

    /// The faults, in the order in which they were found.
    pub fn done(&mut self) -> Vec<ConfigError> {
        std::mem::take(&mut self.0)
    }
}
