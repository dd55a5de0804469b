//! Changing recipes by dotted keys, and saying what was meant when a key is unknown.

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::keys;

/// `key=value` of the command line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Override {
    /// Dotted key; whole numbers index lists.
    pub(crate) key: String,
    /// What it becomes.
    pub(crate) value: Value,
}

/// Parses `key=value`: a TOML value, or else a string without quotes.
pub(crate) fn parse_override(text: &str) -> Result<Override, String> {
    let (key, value) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form key=value"))?;
    let value = format!("value = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    Ok(Override { key: key.trim().to_owned(), value })
}

/// Reads a recipe and applies `--quick` and the overrides.
///
/// A quick run is on generated images where the recipe's own data have to be brought, unless they
/// are there.
pub(crate) fn resolved(
    text: &str,
    quick: bool,
    data_is_there: bool,
    overrides: &[Override],
) -> Result<Table> {
    let mut table: Table = toml::from_str(text).context("the recipe is not valid TOML")?;
    if quick {
        let mut quick = table.get("quick").and_then(|q| q.as_table()).cloned().unwrap_or_default();
        if data_is_there {
            quick.remove("data");
        }
        apply_table(&mut table, &quick)?;
    }
    table.remove("quick");
    for Override { key, value } in overrides {
        apply(&mut table, key, value.clone())?;
    }
    Ok(table)
}

/// Reads a table as settings; an unknown key is an error that names the nearest known one.
pub(crate) fn read<T: DeserializeOwned>(table: &Table) -> Result<T> {
    let text = toml::to_string_pretty(table)?;
    toml::from_str(&text).map_err(|error| explain(&error, &text))
}

/// Sets every dotted key of `changes`.
pub(crate) fn apply_table(table: &mut Table, changes: &Table) -> Result<()> {
    changes.iter().try_for_each(|(key, value)| apply(table, key, value.clone()))
}

/// Sets one dotted key. Tables on the way are made where they are missing: whether the key is known
/// is decided when the whole is read.
fn apply(table: &mut Table, key: &str, value: Value) -> Result<()> {
    let mut parts: Vec<&str> = key.split('.').collect();
    let Some(last) = parts.pop().filter(|last| !last.is_empty()) else {
        bail!("{key:?} is not a key")
    };
    if parts.is_empty() {
        table.insert(last.to_owned(), value);
        return Ok(());
    }
    let first = parts.remove(0);
    let mut place = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
    for part in parts {
        place = step(place, part, key)?;
    }
    match place {
        Value::Table(table) => {
            table.insert(last.to_owned(), value);
        }
        Value::Array(_) => *step(place, last, key)? = value,
        other => bail!("{key}: there is a {} where a table was expected", other.type_str()),
    }
    Ok(())
}

fn step<'v>(place: &'v mut Value, part: &str, key: &str) -> Result<&'v mut Value> {
    match place {
        Value::Table(table) => Ok(table.entry(part).or_insert_with(|| Value::Table(Table::new()))),
        Value::Array(items) => {
            let len = items.len();
            let item = part.parse().ok().and_then(|i: usize| items.get_mut(i));
            item.ok_or_else(|| anyhow!("{key}: {part} is not an index of this list of {len}"))
        }
        other => bail!("{key}: {} under a {}", part, other.type_str()),
    }
}

/// A reading error: the table and line at fault, and the nearest known name where a name is
/// unknown. Line numbers would be of `text`, which nobody has written.
fn explain(error: &toml::de::Error, text: &str) -> anyhow::Error {
    let message = error.message();
    let place = error.span().map_or(String::new(), |span| place(text, span.start));
    match nearest_expected(message) {
        Some(hint) => anyhow!("{place}{message}; did you mean `{hint}`?"),
        None => anyhow!("{place}{message}"),
    }
}

/// `[table] key = value: ` at a byte of a TOML text.
fn place(text: &str, at: usize) -> String {
    let (before, after) = text.split_at(at.min(text.len()));
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    let line = &text[begin..at + after.find('\n').unwrap_or(after.len())];
    let table = before[..begin].lines().rev().find(|line| line.starts_with('['));
    match table {
        Some(table) if !line.starts_with('[') => format!("{table} {line}: "),
        _ => format!("{line}: "),
    }
}

/// The nearest known name for serde's "unknown field `x`, expected one of `a`, `b`". A key of the
/// recipe itself may also be meant for its head.
fn nearest_expected(message: &str) -> Option<String> {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return None;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let head = keys::HEAD.into_iter().filter(|_| message.contains("unknown field"));
    nearest(unknown, names.chain(head)).map(str::to_owned)
}

/// The name that is most like `wanted`.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let like = names.map(|name| (strsim::jaro_winkler(wanted, name), name));
    like.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().expect("valid TOML")
    }

    #[test]
    fn overrides_are_toml_values_or_strings() {
        assert_eq!(parse_override("a.b=3").expect("parsed").value, Value::Integer(3));
        assert_eq!(parse_override("a=[]").expect("parsed").value, Value::Array(vec![]));
        assert_eq!(
            parse_override("a=x=/tmp/b c").expect("parsed").value,
            Value::String("x=/tmp/b c".to_owned())
        );
        assert!(parse_override("a").is_err());
    }

    #[test]
    fn keys_reach_into_tables_and_lists() {
        let mut t = table("a = [{ b = 1 }]\nc = 2");
        apply(&mut t, "a.0.b", Value::Integer(5)).expect("applied");
        apply(&mut t, "d.e.f", Value::Boolean(true)).expect("applied");
        assert_eq!(t, table("a = [{ b = 5 }]\nc = 2\n[d.e]\nf = true"));
        assert!(apply(&mut t, "a.1.b", Value::Integer(5)).is_err());
        assert!(apply(&mut t, "c.x", Value::Integer(5)).is_err());
        assert!(apply(&mut t, "", Value::Integer(5)).is_err());
    }

    #[test]
    fn the_nearest_name_is_named() {
        let message = "unknown field `stepz`, expected one of `net`, `steps`, `batch`";
        assert_eq!(nearest_expected(message).as_deref(), Some("steps"));
        assert_eq!(nearest_expected("invalid type: string"), None);
    }
}
