//! A setting that makes no sense.

/// One key of a recipe and what is wrong with its value.
///
/// ```
/// use train::ConfigError;
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
