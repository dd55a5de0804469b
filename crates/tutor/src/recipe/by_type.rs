//! The type of a key decides how its value on the command line is read.

use anyhow::Result;
use toml::Value;

use super::edit::Override;
use super::reading::ReadError;

/// Resolves a recipe with `overrides`, each read as TOML first; where that has the wrong type for
/// its key, as what else the same text can be: a string (`2024-01-01` for a path), a number (`.5`,
/// `1e3` for a whole one), a truth value (`True`).
///
/// Only the key's own reader knows its type, so the other readings are tried where reading fails. A
/// reading stays if reading then gets further: it succeeds, or complains of something else.
pub(crate) fn by_type<T>(
    overrides: &[Override],
    mut resolve: impl FnMut(&[Override]) -> Result<T>,
) -> Result<T> {
    let mut changes = overrides.to_vec();
    let mut fault = match resolve(&changes) {
        Ok(found) => return Ok(found),
        Err(fault) => fault,
    };
    let mut undecided: Vec<usize> = (0..changes.len()).collect();
    'again: while fault.is::<ReadError>() {
        for (place, &at) in undecided.iter().enumerate() {
            for reading in readings(&changes[at]) {
                let before = changes[at].value.replace(reading.clone());
                match resolve(&changes) {
                    Ok(found) => return Ok(found),
                    Err(other) if is_better(&other, &fault, &reading) => {
                        fault = other;
                        undecided.remove(place);
                        continue 'again;
                    }
                    Err(_) => changes[at].value = before,
                }
            }
        }
        break;
    }
    let hint = not_toml(overrides, &fault).or_else(|| meant_unset(overrides, resolve));
    Err(match hint {
        Some(hint) => fault.context(hint),
        None => fault,
    })
}

/// What else the text of a change can be.
fn readings(change: &Override) -> Vec<Value> {
    let (Some(text), Some(value)) = (&change.written, &change.value) else { return Vec::new() };
    let word = text.trim();
    let mut readings = vec![Value::String(text.clone())];
    let number = word.parse::<f64>().ok().or(value.as_float());
    readings.extend(word.parse().ok().map(Value::Integer));
    readings.extend(number.map(Value::Float));
    // A float holds each whole number below this one.
    let whole = number.filter(|x| x.fract() == 0.0 && x.abs() < 9_007_199_254_740_992.0);
    readings.extend(whole.map(|x| Value::Integer(x as i64)));
    readings.extend(word.to_lowercase().parse().ok().map(Value::Boolean));
    readings.retain(|reading| reading != value);
    readings
}

/// Whether a fault shows that reading got further with a value than without it.
fn is_better(fault: &anyhow::Error, before: &anyhow::Error, value: &Value) -> bool {
    let Some(found) = fault.downcast_ref::<ReadError>() else { return true };
    !found.rejects(value) && before.downcast_ref::<ReadError>() != Some(found)
}

/// A word on a list or table that is not TOML, as when the shell took its quotes.
fn not_toml(overrides: &[Override], fault: &anyhow::Error) -> Option<String> {
    let fault = fault.downcast_ref::<ReadError>()?;
    let change = overrides.iter().find(|change| match &change.value {
        Some(value @ Value::String(text)) => text.starts_with(['[', '{']) && fault.rejects(value),
        _ => false,
    })?;
    let (key, text) = (&change.key, change.written.as_ref()?);
    Some(format!(
        "--set {key}: {text} is not TOML: strings in it need quotes, and the whole those of the \
         shell, as --set '{key}=[\"a\", \"b\"]'"
    ))
}

/// A word on a key that is set to nothing by another word, where leaving it out would do.
fn meant_unset<T>(
    overrides: &[Override],
    mut resolve: impl FnMut(&[Override]) -> Result<T>,
) -> Option<String> {
    let nothing = ["none", "null", "nil", "false", "off", "no", "{}", "[]", "~"];
    let says_nothing = |change: &Override| {
        let text = change.written.as_deref().unwrap_or_default().trim().to_lowercase();
        nothing.contains(&text.as_str())
    };
    let key = overrides.iter().enumerate().find_map(|(at, change)| {
        let mut without = overrides.to_vec();
        without[at] = Override::unset(&change.key);
        (says_nothing(change) && resolve(&without).is_ok()).then_some(&change.key)
    })?;
    Some(format!("to take {key} out of the recipe, write --unset {key}"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde::Deserialize;

    use super::*;
    use crate::recipe::edit::{self, parse_override};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Recipe {
        steps: u64,
        rate: f64,
        #[serde(default)]
        on: bool,
        data: Option<Data>,
    }

    /// Its `kind` inside makes serde read the other keys before it knows their types.
    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
    enum Data {
        Folder {
            path: PathBuf,
            name: String,
            #[allow(dead_code, reason = "read for its type")]
            size: Option<[u32; 2]>,
        },
    }

    fn read(set: &[&str]) -> Result<Recipe> {
        let changes: Vec<_> = set.iter().map(|s| parse_override(s).expect("parsed")).collect();
        by_type(&changes, |changes| {
            let text = "steps = 1\nrate = 1\n[data]\nkind = 'folder'\npath = 'a'\nname = 'b'";
            edit::read(&edit::resolved(text, false, false, changes)?)
        })
    }

    #[test]
    fn strings_may_look_like_anything() {
        for text in ["2024-01-01", "2023", "1.50", "true", "inf", "1e3", "0x10", "[1]", "07:32:00"]
        {
            let set = [format!("data.path={text}"), format!("data.name={text}")];
            let Some(Data::Folder { path, name, .. }) =
                read(&[&set[0], "steps=5", &set[1]]).expect(text).data
            else {
                panic!("no data")
            };
            assert_eq!((path, name.as_str()), (PathBuf::from(text), text));
        }
    }

    #[test]
    fn numbers_and_truth_may_be_written_as_people_do() {
        let found = read(&["steps=1e3", "rate=.5", "on=True"]).expect("a recipe");
        assert_eq!((found.steps, found.rate, found.on), (1000, 0.5, true));
        let found = read(&["steps=007", "rate=5."]).expect("a recipe");
        assert_eq!((found.steps, found.rate), (7, 5.0));
    }

    #[test]
    fn what_no_reading_mends_is_told_as_it_was_read_first() {
        for set in
            [&["steps=1.5"][..], &["data.name=2023", "steps=1.5"], &["steps=1.5", "data.name=1"]]
        {
            let error = format!("{:#}", read(set).expect_err("half a step"));
            assert!(error.contains("steps = 1.5: must be a whole number"), "{error}");
        }
        let error = format!("{:#}", read(&["data.name=1", "data.nam=2"]).expect_err("no key"));
        assert!(error.contains("data: there is no key `nam`"), "{error}");
        let error = format!("{:#}", read(&["data.size=[a,b]"]).expect_err("no sizes"));
        assert!(error.contains("not TOML"), "{error}");
        for nothing in ["none", "false", "{}"] {
            let error = read(&[&format!("data={nothing}")]).expect_err("no table").to_string();
            assert!(error.contains("--unset data"), "{error}");
        }
    }
}
