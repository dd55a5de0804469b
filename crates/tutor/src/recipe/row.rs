//! Rows of a table: the recipe's own keys with something changed.

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use super::edit;

/// `base` with the dotted keys of `changes` set, and no rows of its own. `allowed` says which keys a
/// row may change, in words and as a test.
pub(crate) fn changed<T: Serialize + DeserializeOwned>(
    base: &T,
    name: &str,
    changes: &Table,
    allowed: (&str, impl Fn(&str) -> bool),
) -> Result<T> {
    let (words, is_allowed) = allowed;
    for key in changes.keys() {
        ensure!(is_allowed(key), "row {name}: {key}: a row may change {words}");
    }
    let mut table = Table::try_from(base)?;
    table.remove("rows");
    edit::apply_table(&mut table, changes)?;
    edit::read(&table).with_context(|| format!("row {name}"))
}
