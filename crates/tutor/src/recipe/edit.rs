//! Changing recipes by dotted keys.

use anyhow::{Context, Result, anyhow, bail};
use toml::{Table, Value};

pub(crate) use super::reading::read;
use super::{keys, reading};

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
        let quick = quick_of(&table, data_is_there).context(
            "--quick: this recipe has no table [quick], which says what a short run changes: leave \
             --quick out, or write the table, as\n  [quick]\n  \"train.steps\" = 20",
        )?;
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

/// What a quick run of a recipe changes; generated data only where its own are not there.
pub(crate) fn quick_of(recipe: &Table, data_is_there: bool) -> Option<Table> {
    let mut quick = recipe.get("quick")?.as_table()?.clone();
    if data_is_there {
        quick.remove("data");
    }
    Some(quick)
}

/// Adds to `quick` the values in which the recipe `printed` differs from `wanted`, both being quick
/// ones; those of its head, rows and lists of tables aside.
pub(crate) fn add_differences(quick: &mut Table, printed: &Table, wanted: &Table) {
    for (key, value) in wanted {
        if !keys::HEAD.contains(&key.as_str()) {
            differences(key, printed.get(key), value, quick);
        }
    }
}

fn differences(key: &str, printed: Option<&Value>, wanted: &Value, found: &mut Table) {
    match (printed, wanted) {
        (Some(Value::Table(printed)), Value::Table(wanted)) => {
            for (name, wanted) in wanted {
                differences(&format!("{key}.{name}"), printed.get(name), wanted, found);
            }
        }
        (None, _) | (_, Value::Table(_)) => {}
        (_, Value::Array(items)) if items.iter().any(Value::is_table) => {}
        (Some(printed), wanted) if printed != wanted => {
            found.insert(key.to_owned(), wanted.clone());
        }
        _ => {}
    }
}

/// What stands at a dotted key.
pub(crate) fn value<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    let mut parts = key.split('.');
    reading::at(table.get(parts.next()?)?, parts)
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
            let usual = value(whole, key).and_then(Value::as_integer).filter(|usual| *usual > 0);
            shorten(set, key, (most, usual.unwrap_or(i64::MAX)));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_recipe_without_a_quick_run_has_none() {
        let error = resolved("a = 1", true, false, &[]).expect_err("refused").to_string();
        assert!(error.contains("[quick]") && error.contains("leave --quick out"), "{error}");
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
}
