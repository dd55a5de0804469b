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

    /// The numbers of labels that it is for, where these are not all of the recipe's.
    fn labels(&self) -> Option<&[usize]> {
        None
    }
}

/// Leaves the rows that are to be run, so that the resolved recipe is the table that is run. A
/// comparison with a row that is not run goes. A row that is for other numbers of labels than the
/// recipe's, `labels`, is left out, and told of in what is returned; what is expected of other
/// numbers goes too.
pub(crate) fn choose<R: TableRow>(
    head: &mut Head,
    rows: &mut Vec<R>,
    labels: &[usize],
) -> Result<Vec<String>> {
    let choice = std::mem::take(&mut head.run_rows);
    choice.check(rows.iter().map(TableRow::name))?;
    let known: Vec<String> = rows.iter().map(|row| row.name().to_owned()).collect();
    rows.retain(|row| choice.takes(row.name()));
    let listed =
        |counts: &[usize]| counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let mut left_out = Vec::new();
    rows.retain(|row| {
        let other = row.labels().filter(|own| !own.iter().any(|count| labels.contains(count)));
        left_out.extend(other.map(|own| {
            let (name, own) = (row.name(), listed(own));
            format!(
                "The row {name} is left out: it is for {own} labels, not for {}.",
                listed(labels)
            )
        }));
        other.is_none()
    });
    ensure!(
        left_out.is_empty() || !rows.is_empty(),
        "no row is left to be run:\n  {}",
        left_out.join("\n  ")
    );
    let left: Vec<String> = rows.iter().map(|row| row.name().to_owned()).collect();
    for row in rows.iter_mut() {
        // That a name is unknown is found when the rows are checked.
        let is_run = |name: &String| left.contains(name) || !known.contains(name);
        let kept = row.against().take().filter(is_run);
        *row.against() = kept;
    }
    head.expect.retain(|expected| {
        let about = expected.row.iter().chain(&expected.comparison);
        about
            .flat_map(|name| name.split(" - "))
            .all(|name| left.iter().any(|left| left == last_word(name)) && is_asked(name, labels))
    });
    Ok(left_out)
}

/// Whether a row is of these numbers of labels: where its name says how many, and there are any.
fn is_asked(name: &str, labels: &[usize]) -> bool {
    let own = name.split_once(" labels, ").and_then(|(count, _)| count.parse().ok());
    own.is_none_or(|own| labels.is_empty() || labels.contains(&own))
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
