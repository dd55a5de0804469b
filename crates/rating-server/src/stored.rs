//! Items and pairs as the database keeps them.

use crate::error::{Error, Result};
use eval_ssa::{Item, Pair};
use rusqlite::Connection;

/// An item as it is stored.
pub(crate) fn item(record: &str) -> Result<Item> {
    serde_json::from_str(record).map_err(|error| Error::Invalid(format!("stored item: {error}")))
}

/// A pair as it is stored.
pub(crate) fn pair(record: &str) -> Result<Pair> {
    serde_json::from_str(record).map_err(|error| Error::Invalid(format!("stored pair: {error}")))
}

/// The items of a system that are rated, as they are stored, in no order.
pub(crate) fn items_of(db: &Connection, system: &str) -> Result<Vec<Item>> {
    let mut found = db.prepare_cached(
        "SELECT record FROM item
         WHERE system = (SELECT id FROM system WHERE name = ?1) AND kind = 'rate'",
    )?;
    let records = found.query_map([system], |row| row.get::<_, String>(0))?;
    records.map(|record| item(&record?)).collect()
}
