//! Rows of a table: which are run, and the recipe's own keys with something changed.

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::edit;
use super::faults::Faults;
use super::head::Head;

/// A row of a table that knows no keys but these.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowConfig {
    pub(crate) name: String,
    pub(crate) about: String,
    /// What is changed: dotted key to value.
    #[serde(default)]
    pub(crate) set: Table,
    /// The row that this one is compared with, seed by seed.
    pub(crate) against: Option<String>,
}

impl TableRow for RowConfig {
    fn keys(&self) -> (&str, &str, Option<&str>) {
        (&self.name, &self.about, self.against.as_deref())
    }

    fn against_mut(&mut self) -> &mut Option<String> {
        &mut self.against
    }
}

/// A row that may be compared with another of its table.
pub(crate) trait TableRow {
    /// Its name, what it is in a line, and the row that it is compared with.
    fn keys(&self) -> (&str, &str, Option<&str>);

    /// The row that it is compared with, to take it away.
    fn against_mut(&mut self) -> &mut Option<String>;

    fn name(&self) -> &str {
        self.keys().0
    }

    fn about(&self) -> &str {
        self.keys().1
    }

    fn against(&self) -> Option<&str> {
        self.keys().2
    }

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
        let kept = row.against_mut().take().filter(is_run);
        *row.against_mut() = kept;
    }
    head.expect.retain(|expected| {
        let mut names = expected.subject.name().split(" - ");
        names.all(|name| left.iter().any(|left| left == last_word(name)) && is_asked(name, labels))
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

/// What rows are called, and what they are.
pub(crate) fn listed<R: TableRow>(rows: &[R]) -> Vec<(String, String)> {
    rows.iter().map(|row| (row.name().to_owned(), row.about().to_owned())).collect()
}

/// What rows are called, and the rows that they are compared with.
pub(crate) fn compared<R: TableRow>(rows: &[R]) -> Vec<(String, Option<String>)> {
    rows.iter().map(|row| (row.name().to_owned(), row.against().map(str::to_owned))).collect()
}

/// Names what cannot work in rows: names that are not their own, comparisons with rows that are not
/// there, and what `check` names or returns of each. `recipe` is what the recipe is called.
pub(crate) fn check<R: TableRow>(
    rows: &[R],
    recipe: &str,
    faults: &mut Faults,
    check: impl Fn(&R, &mut Faults) -> Result<()>,
) {
    faults.rows(rows.iter().map(|row| (row.name(), row.against())));
    for row in rows {
        let key = format!("rows.{}", row.name());
        let mut of_row = Faults::default();
        if let Err(error) = check(row, &mut of_row) {
            of_row.add(&key, format!("{error:#}"));
        }
        faults.of(&key, of_row.done(recipe));
    }
}

/// Whether a key is one of `keys`, or lies below one.
pub(crate) fn is_within(key: &str, keys: &[&str]) -> bool {
    keys.contains(&key.split('.').next().unwrap_or(key))
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
