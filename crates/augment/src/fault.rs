//! What is wrong with a setting: its key, its value and what would be right.

use std::fmt;

/// One setting out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}; allowed: {allowed}")]
pub struct Fault {
    /// The key as written in a recipe.
    pub key: String,
    /// The value found there.
    pub value: String,
    /// What may stand there.
    pub allowed: String,
}

impl Fault {
    pub(crate) fn new(key: &str, value: impl fmt::Display, allowed: impl fmt::Display) -> Self {
        Self { key: key.to_owned(), value: value.to_string(), allowed: allowed.to_string() }
    }

    pub(crate) fn unless(
        ok: bool,
        key: &str,
        value: impl fmt::Display,
        allowed: impl fmt::Display,
    ) -> Option<Self> {
        (!ok).then(|| Self::new(key, value, allowed))
    }

    /// A fault unless `low <= value <= high`.
    pub(crate) fn outside(key: &str, value: f64, low: f64, high: f64) -> Option<Self> {
        Self::unless(value >= low && value <= high, key, value, format_args!("{low} to {high}"))
    }

    /// A fault unless `low <= pair[0] <= pair[1] <= high`.
    pub(crate) fn bad_range(key: &str, pair: [f64; 2], low: f64, high: f64) -> Option<Self> {
        let ok = low <= pair[0] && pair[0] <= pair[1] && pair[1] <= high;
        let value = format_args!("[{}, {}]", pair[0], pair[1]).to_string();
        Self::unless(ok, key, value, format_args!("two rising numbers from {low} to {high}"))
    }
}
