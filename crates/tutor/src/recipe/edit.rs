//! Changing recipes by dotted keys, and saying what was meant when a key is unknown.

use std::fmt;

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::keys;

/// A change of one key, as `--set` and `--unset` ask for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Override {
    /// Dotted key; whole numbers index lists.
    pub(crate) key: String,
    /// What it becomes; nothing takes the key out of the recipe.
    pub(crate) value: Option<Value>,
    /// The value as it was written, where it may be read in another way than `value`.
    pub(super) written: Option<String>,
}

impl Override {
    /// The key becomes this very value.
    pub(crate) fn set(key: &str, value: Value) -> Self {
        Self { key: key.to_owned(), value: Some(value), written: None }
    }

    /// The key is taken out of the recipe.
    pub(crate) fn unset(key: &str) -> Self {
        Self { key: key.trim().to_owned(), value: None, written: None }
    }
}

/// Parses `key=value`: a TOML value, or else a string without quotes. What `value` is in the end,
/// the type of its key decides ([`by_type`](super::by_type::by_type)).
pub(crate) fn parse_override(text: &str) -> Result<Override, String> {
    let (key, written) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form key=value"))?;
    let key = key.trim();
    if written.trim().is_empty() {
        return Err(format!(
            "{key} is set to nothing; to take the key out of the recipe write --unset {key}, for a \
             string of no letters --set '{key}=\"\"'"
        ));
    }
    let value = format!("value = {written}")
        .parse::<Table>()
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(written.to_owned()));
    Ok(Override { key: key.to_owned(), value: Some(value), written: Some(written.to_owned()) })
}

/// A recipe that cannot be read: a key that is unknown or missing, a value of another type.
#[derive(Debug)]
pub(crate) struct ReadError(String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

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
        let whole = table.clone();
        apply_table(&mut table, &quick)?;
        shorten_rows(&mut table, &quick, &whole);
    }
    table.remove("quick");
    // What is taken out goes first, so that a table can be begun anew.
    for Override { key, .. } in overrides.iter().filter(|change| change.value.is_none()) {
        remove(&mut table, key).with_context(|| format!("--unset {key}"))?;
    }
    for Override { key, value, .. } in overrides {
        if let Some(value) = value {
            apply(&mut table, key, value.clone())?;
        }
    }
    Ok(table)
}

/// Reads a table as settings; an unknown key is an error that names the nearest known one.
pub(crate) fn read<T: DeserializeOwned>(table: &Table) -> Result<T> {
    let text = toml::to_string_pretty(table)?;
    toml::from_str(&text).map_err(|error| ReadError(explain(&error, &text)).into())
}

/// Sets every dotted key of `changes`.
pub(crate) fn apply_table(table: &mut Table, changes: &Table) -> Result<()> {
    changes.iter().try_for_each(|(key, value)| apply(table, key, value.clone()))
}

/// Makes rows that set what `quick` sets too as short: a whole number of a row becomes the smaller
/// of both. What a row has more of than the recipe, `whole`, it keeps more of, in proportion.
fn shorten_rows(table: &mut Table, quick: &Table, whole: &Table) {
    let rows: Vec<&mut Value> = match table.get_mut("rows") {
        Some(Value::Array(rows)) => rows.iter_mut().collect(),
        Some(Value::Table(rows)) => rows.iter_mut().map(|(_, row)| row).collect(),
        _ => return,
    };
    for row in rows {
        let Some(set) = row.get_mut("set").and_then(Value::as_table_mut) else { continue };
        for (key, most) in quick.iter().filter_map(|(key, value)| Some((key, value.as_integer()?)))
        {
            let usual = number(whole, key).filter(|usual| *usual > 0);
            shorten(set, key, (most, usual.unwrap_or(i64::MAX)));
        }
    }
}

/// The whole number that a dotted key has.
fn number(table: &Table, key: &str) -> Option<i64> {
    let mut parts = key.split('.');
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))?.as_integer()
}

/// Lowers the number of a dotted key to `most`, or to as many times that as it is times `usual`,
/// whether the key stands there as a whole or in a table within a table.
fn shorten(set: &mut Table, key: &str, (most, usual): (i64, i64)) {
    if let Some(Value::Integer(number)) = set.get_mut(key) {
        let times = (*number as f64 / usual as f64).max(1.0);
        *number = (*number).min((times * most as f64).round() as i64);
    }
    for (end, _) in key.match_indices('.') {
        if let Some(Value::Table(inner)) = set.get_mut(&key[..end]) {
            shorten(inner, &key[end + 1..], (most, usual));
        }
    }
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

/// Takes one dotted key out. One that is not there is an error: it may be misspelt.
fn remove(table: &mut Table, key: &str) -> Result<()> {
    let (first, rest) =
        key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    if !table.contains_key(first) {
        let known: Vec<&str> = table.keys().map(String::as_str).collect();
        bail!("there is no {first} among {}", known.join(", "))
    }
    match rest {
        Some(rest) => remove_below(&mut table[first], rest),
        None => {
            table.remove(first);
            Ok(())
        }
    }
}

fn remove_below(place: &mut Value, key: &str) -> Result<()> {
    match place {
        Value::Table(table) => remove(table, key),
        Value::Array(items) => {
            let (index, rest) =
                key.split_once('.').map_or((key, None), |(i, rest)| (i, Some(rest)));
            let Some(i) = index.parse().ok().filter(|i: &usize| *i < items.len()) else {
                bail!("{index} is not an index of this list of {}", items.len())
            };
            match rest {
                Some(rest) => remove_below(&mut items[i], rest),
                None => {
                    items.remove(i);
                    Ok(())
                }
            }
        }
        other => bail!("there is no {key} in a {}", other.type_str()),
    }
}

/// A reading error: the table and line at fault, and the nearest known name where a name is
/// unknown. Line numbers would be of `text`, which nobody has written.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let message = error.message();
    let missing = message.starts_with("missing field");
    let place = error.span().map_or(String::new(), |span| place(text, span.start, missing));
    match nearest_expected(message) {
        Some(hint) => format!("{place}{message}; did you mean `{hint}`?"),
        None => format!("{place}{message}"),
    }
}

/// `[table] key = value: ` at a byte of a TOML text; `[table]: ` of a key that is missing, whose
/// place is where its table begins.
fn place(text: &str, at: usize, missing: bool) -> String {
    let (before, after) = text.split_at(at.min(text.len()));
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    let line = &text[begin..at + after.find('\n').unwrap_or(after.len())];
    let table = before[..begin].lines().rev().find(|line| line.starts_with('['));
    match table {
        table if missing && !line.starts_with('[') => {
            table.map_or(String::new(), |table| format!("{table}: "))
        }
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
    // All names that are known stand in the message: only one that may be meant is worth repeating.
    let near = |hint: &&str| strsim::jaro_winkler(unknown, hint) > LIKE;
    nearest(unknown, names.chain(head)).filter(near).map(str::to_owned)
}

/// How much a name is like one that was meant, from 0 to 1 (Jaro-Winkler).
const LIKE: f64 = 0.75;

/// The name that is most like `wanted`.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let like = names.map(|name| (strsim::jaro_winkler(wanted, name), name));
    like.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_said_of_its_table_and_of_no_other_key() {
        #[derive(Debug, serde::Deserialize)]
        struct Whole {
            #[serde(rename = "width")]
            _width: u32,
            #[serde(rename = "net")]
            _net: Part,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Part {
            #[serde(rename = "depth")]
            _depth: u32,
        }
        for (text, said) in [
            ("width = 1", "missing field `net`"),
            ("width = 1\n[net]\nkind = \"b\"", "[net]: missing field `depth`"),
        ] {
            let error = read::<Whole>(&table(text)).expect_err(text).to_string();
            assert_eq!(error, said);
        }
    }

    fn table(text: &str) -> Table {
        text.parse().expect("valid TOML")
    }

    #[test]
    fn a_quick_run_is_short_in_every_row() {
        let text = "train = { steps = 800, batch = 20 }\n\
            [[rows]]\nset = { \"train.steps\" = 2500, \"train.batch\" = 4 }\n\
            [[rows]]\nset = { train = { steps = 2500, lr = 0.1 }, kind = \"a\" }\n\
            [[rows]]\nset = { \"train.steps\" = 7 }\n[[rows]]\n\
            [quick]\n\"train.steps\" = 20\n\"train.lr\" = 0.01\nkind = \"b\"\n";
        // 2,500 / 800 of 20.
        let rows = "[[rows]]\nset = { \"train.steps\" = 63, \"train.batch\" = 4 }\n\
            [[rows]]\nset = { train = { steps = 63, lr = 0.1 }, kind = \"a\" }\n\
            [[rows]]\nset = { \"train.steps\" = 7 }\n[[rows]]\n";
        let found = resolved(text, true, false, &[]).expect("a recipe");
        assert_eq!(found["rows"], table(rows)["rows"]);
        assert_eq!(found["train"]["steps"], Value::Integer(20));
        let whole = resolved(text, false, false, &[]).expect("a recipe");
        assert_eq!(whole["rows"][0]["set"]["train.steps"], Value::Integer(2500));
        let named = "rows.a.set = { \"train.steps\" = 9 }\nquick = { \"train.steps\" = 2 }\n";
        let found = resolved(named, true, false, &[]).expect("a recipe");
        assert_eq!(found["rows"]["a"]["set"]["train.steps"], Value::Integer(2));
    }

    #[test]
    fn overrides_are_toml_values_or_strings() {
        let value = |text: &str| parse_override(text).expect("parsed").value.expect("a value");
        assert_eq!(value("a.b=3"), Value::Integer(3));
        assert_eq!(value("a=[]"), Value::Array(vec![]));
        assert_eq!(value("a=x=/tmp/b c"), Value::String("x=/tmp/b c".to_owned()));
        assert_eq!(value("a=1\nb = 2"), Value::String("1\nb = 2".to_owned()));
        assert!(parse_override("a").is_err());
        let said = parse_override("a.b= ").expect_err("no value");
        assert!(said.contains("--unset a.b"), "{said}");
    }

    #[test]
    fn keys_are_taken_out_of_tables_and_lists() {
        let mut t = table("a = [{ b = 1, c = 2 }, { b = 3 }]\n[d.e]\nf = true\ng = 1");
        for key in ["a.0.c", "a.1", "d.e.f"] {
            remove(&mut t, key).expect(key);
        }
        assert_eq!(t, table("a = [{ b = 1 }]\n[d.e]\ng = 1"));
        for (key, said) in [("a.1", "index"), ("d.e.x", "among g"), ("x.y", "no x"), ("", "among")]
        {
            let error = remove(&mut t, key).expect_err(key).to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_table_can_be_begun_anew() {
        let changes = [
            parse_override("lr.kind=constant").expect("parsed"),
            parse_override("lr.value=0.1").expect("parsed"),
            Override::unset("lr"),
        ];
        let text = "[lr]\nkind = 'cosine'\nfrom = 1";
        let found = resolved(text, false, false, &changes).expect("a recipe");
        assert_eq!(found, table("[lr]\nkind = 'constant'\nvalue = 0.1"));
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
