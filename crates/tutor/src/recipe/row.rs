//! Rows of a table: which are run, and the recipe's own keys with something changed.

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use super::edit;
use super::head::Head;

/// A row that may be compared with another of its table.
pub(crate) trait TableRow {
    fn name(&self) -> &str;

    /// The row that it is compared with.
    fn against(&mut self) -> &mut Option<String>;
}

/// Leaves the rows that are to be run, so that the resolved recipe is the table that is run. A
/// comparison with a row that is not run goes.
pub(crate) fn choose<R: TableRow>(head: &mut Head, rows: &mut Vec<R>) -> Result<()> {
    let choice = std::mem::take(&mut head.run_rows);
    choice.check(rows.iter().map(TableRow::name))?;
    rows.retain(|row| choice.takes(row.name()));
    for row in rows.iter_mut() {
        let kept = row.against().take().filter(|name| choice.takes(name));
        *row.against() = kept;
    }
    let left: Vec<&str> = rows.iter().map(TableRow::name).collect();
    head.expect.retain(|expected| {
        let about = expected.row.iter().chain(&expected.comparison);
        about.flat_map(|name| name.split(" - ")).all(|name| left.contains(&last_word(name)))
    });
    Ok(())
}

/// `uda` of `two-moons, uda`: a row's name may stand behind that of its data.
fn last_word(name: &str) -> &str {
    name.rsplit(", ").next().unwrap_or(name)
}

/// `base` with the dotted keys of `changes` set, and no rows of its own. `allowed` says which keys
/// a row may change, in words and as a test.
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
