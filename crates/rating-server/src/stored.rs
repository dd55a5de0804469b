//! Items and pairs as the database keeps them.

use crate::error::{Error, Result};
use eval_ssa::{Item, Pair};

/// An item as it is stored.
pub(crate) fn item(record: &str) -> Result<Item> {
    serde_json::from_str(record).map_err(|error| Error::Invalid(format!("stored item: {error}")))
}

/// A pair as it is stored.
pub(crate) fn pair(record: &str) -> Result<Pair> {
    serde_json::from_str(record).map_err(|error| Error::Invalid(format!("stored pair: {error}")))
}
