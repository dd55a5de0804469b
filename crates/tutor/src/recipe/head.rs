//! What every recipe begins with: its kind and name, how it is run by default, what it expects, and
//! what its paper prints.

use anyhow::{Context, Result, bail};
use report::{Expectation, PaperRow};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::faults::is_plain;
use super::{edit, keys};

/// The keys of a recipe that do not belong to a paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// Which paper reads the rest.
    pub(crate) kind: String,
    /// `paper/row`; also where the run's folder goes.
    pub(crate) name: String,
    /// What it is, with its source.
    pub(crate) about: String,
    /// Whether it is the one meant when only the paper is named.
    #[serde(default)]
    pub(crate) default: bool,
    /// Whether it is that where `--data` names data, too.
    #[serde(default)]
    pub(crate) default_with_data: bool,
    /// How many seeds are run unless `--seeds` says otherwise.
    #[serde(default = "one")]
    pub(crate) seeds: u64,
    /// Which of its rows are run.
    #[serde(default)]
    pub(crate) run_rows: RowChoice,
    /// The comparison that the headline of the report speaks of; the paper's choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) headline: Option<String>,
    /// What the paper prints, each number with its source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) paper: Vec<PaperRow>,
    /// What a run of this recipe is expected to find.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) expect: Vec<Expectation>,
}

fn one() -> u64 {
    1
}

/// Which rows of a table are run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub(crate) enum RowChoice {
    /// All of them.
    #[default]
    All,
    /// None beside what the recipe runs anyway.
    None,
    /// Those of these names.
    Only(Vec<String>),
}

impl From<RowChoice> for Value {
    fn from(choice: RowChoice) -> Self {
        match choice {
            RowChoice::All => Value::String("all".to_owned()),
            RowChoice::None => Value::String("none".to_owned()),
            RowChoice::Only(names) => Value::Array(names.into_iter().map(Value::String).collect()),
        }
    }
}

/// How rows are chosen.
const FORMS: &str = "rows to run are `all`, `none`, or names of rows with commas";

impl TryFrom<Value> for RowChoice {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let names = match value {
            Value::String(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
            other => Vec::<String>::deserialize(other)
                .map_err(|_| format!("is no list of names; {FORMS}"))?,
        };
        Ok(match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["all"] => RowChoice::All,
            ["none"] => RowChoice::None,
            ref names if names.is_empty() || names.contains(&"") => {
                return Err(format!("names no row; {FORMS}"));
            }
            ref names if names.contains(&"all") || names.contains(&"none") => {
                return Err(format!("`all` and `none` stand alone; {FORMS}"));
            }
            _ => RowChoice::Only(names),
        })
    }
}

impl RowChoice {
    /// Whether a row is run.
    pub(crate) fn takes(&self, row: &str) -> bool {
        match self {
            RowChoice::All => true,
            RowChoice::None => false,
            RowChoice::Only(names) => names.iter().any(|name| name == row),
        }
    }

    /// Refuses a name that no row has.
    pub(crate) fn check<'a>(&self, rows: impl Iterator<Item = &'a str>) -> Result<()> {
        let RowChoice::Only(names) = self else { return Ok(()) };
        let rows: Vec<&str> = rows.collect();
        match names.iter().find(|name| !rows.contains(&name.as_str())) {
            None => Ok(()),
            Some(unknown) if rows.is_empty() => {
                bail!("run_rows: there is no row {unknown}; this recipe has no rows")
            }
            Some(unknown) => {
                bail!("run_rows: there is no row {unknown}; the rows are {}", rows.join(", "))
            }
        }
    }
}

impl Head {
    /// Takes the head out of a recipe, so that the paper's own keys are left.
    pub(crate) fn take(table: &mut Table) -> Result<Self> {
        let mut own = Table::new();
        for key in keys::HEAD {
            own.extend(table.remove(key).map(|value| (key.to_owned(), value)));
        }
        let head: Self = edit::read(&own)?;
        let parts: Vec<&str> = head.name.split('/').collect();
        let named = parts.len() == 2 && parts.iter().all(|part| is_plain(part));
        if !named || parts[1] == "latest" {
            bail!(
                "name: {:?} must be paper/row, of letters, digits, - and _, and not latest",
                head.name
            );
        }
        if let Some(row) = head.paper.iter().find(|row| !row.value.is_finite()) {
            bail!("paper: the value {} of {} is not a number", row.value, row.name);
        }
        if !(1..=1000).contains(&head.seeds) {
            bail!("seeds: {} is not between 1 and 1000", head.seeds);
        }
        Ok(head)
    }

    /// Refuses an expectation of a row or comparison that no run of the recipe has. `rows` are the
    /// names of all rows, each with that of the row it is compared with.
    pub(crate) fn check_expectations(&self, rows: &[(String, Option<String>)]) -> Result<()> {
        let names: Vec<String> = rows.iter().map(|(name, _)| name.clone()).collect();
        let pairs = rows.iter().filter_map(|(name, other)| Some((name, other.as_ref()?)));
        let comparisons: Vec<String> =
            pairs.map(|(name, other)| format!("{name} - {other}")).collect();
        self.expect.iter().try_for_each(|expected| expected.check(&names, &comparisons))
    }

    /// The whole recipe as text, `own` being the paper's keys: running it again is the same run.
    pub(crate) fn to_toml(&self, own: &impl Serialize) -> Result<String> {
        let mut table = Table::try_from(self).context("the head of a recipe")?;
        table.extend(Table::try_from(own).context("a recipe's own keys")?);
        Ok(toml::to_string_pretty(&table)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().expect("valid TOML")
    }

    const TEXT: &str = "kind = 'k'\nname = 'a/b'\nabout = 'x'\nown = 3";

    #[test]
    fn the_head_is_taken_and_the_rest_stays() {
        let mut whole = table(TEXT);
        let head = Head::take(&mut whole).expect("a head");
        assert_eq!(whole, table("own = 3"));
        assert_eq!((head.seeds, &head.run_rows), (1, &RowChoice::All));
        let mut again = table(&head.to_toml(&whole).expect("text"));
        assert_eq!(Head::take(&mut again).expect("a head"), head);
        for bad in ["name = 'a'", "name = 'a/latest'", "name = '../x'", "seeds = 0"] {
            let mut whole = table(TEXT);
            whole.extend(table(bad));
            assert!(Head::take(&mut whole).is_err(), "{bad}");
        }
    }

    #[test]
    fn rows_are_chosen_by_a_word_or_by_names() {
        let choice = |text: &str| {
            RowChoice::try_from(table(text).remove("r").expect("it")).expect("a choice")
        };
        assert_eq!(choice("r = 'all'"), RowChoice::All);
        assert_eq!(choice("r = 'none'"), RowChoice::None);
        let only = choice("r = ['a', 'b']");
        assert_eq!(only, choice("r = 'a, b'"));
        assert!(only.takes("a") && !only.takes("c"));
        assert!(only.check(["a", "b", "c"].into_iter()).is_ok());
        let error = only.check(["a"].into_iter()).expect_err("no b").to_string();
        assert!(error.contains("no row b"), "{error}");
        assert!(RowChoice::try_from(Value::Integer(3)).is_err());
        for (text, said) in
            [("", "names no row"), ("all,none", "stand alone"), ("a,", "with commas")]
        {
            let fault = RowChoice::try_from(Value::String(text.to_owned())).expect_err(text);
            assert!(fault.contains(said), "{text}: {fault}");
        }
    }
}
