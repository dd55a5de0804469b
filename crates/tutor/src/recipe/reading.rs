//! Reading a recipe's tables as settings, and saying in a user's words what is wrong with one.

use std::fmt;

use anyhow::Result;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::keys;
use super::near::proposal;

/// A recipe that cannot be read: a key that is unknown or missing, a value of another type.
#[derive(Debug, PartialEq)]
pub(crate) struct ReadError {
    /// The fault as serde words it.
    fault: String,
    /// The key and its fault in a user's words.
    told: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

impl std::error::Error for ReadError {}

impl ReadError {
    /// Of a fault in what was written that its reader found itself, in a user's words.
    pub(crate) fn told(told: String) -> Self {
        Self { fault: String::new(), told }
    }

    /// Whether it is that a value like this one is of the wrong type.
    pub(super) fn rejects(&self, value: &Value) -> bool {
        found_and_expected(&self.fault).is_some_and(|(found, _)| is(value, found))
    }

    /// The key that it says is not known.
    pub(crate) fn unknown_key(&self) -> Option<&str> {
        quoted(self.fault.strip_prefix("unknown field ")?)
    }
}

/// Reads a table as settings. An error names the key at fault; of an unknown one also the known one
/// that was probably meant.
pub(crate) fn read<T: DeserializeOwned>(table: &Table) -> Result<T> {
    attempt(table).map_err(|fault| explained::<T>(table, fault).into())
}

/// Where reading failed, and why, as serde words it.
#[derive(PartialEq)]
struct Fault {
    path: Vec<String>,
    message: String,
}

fn attempt<T: DeserializeOwned>(table: &Table) -> Result<T, Fault> {
    serde_path_to_error::deserialize(Value::Table(table.clone())).map_err(|error| Fault {
        path: error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                Segment::Seq { index } => Some(index.to_string()),
                Segment::Map { key } | Segment::Enum { variant: key } => Some(key.clone()),
                Segment::Unknown => None,
            })
            .collect(),
        message: error.inner().message().to_owned(),
    })
}

fn explained<T: DeserializeOwned>(table: &Table, fault: Fault) -> ReadError {
    let Fault { path, message } = &fault;
    let whole = Value::Table(table.clone());
    let deeper = below::<T>(&whole, &fault);
    let path = deeper.as_ref().unwrap_or(path);
    let told = told(path, at(&whole, path), message);
    ReadError { told, fault: fault.message }
}

/// The place below that of a fault which it is about. Of a table whose `kind` says what it is,
/// serde knows the place of the table alone.
fn below<T: DeserializeOwned>(whole: &Value, fault: &Fault) -> Option<Vec<String>> {
    let Fault { path, message } = fault;
    let unknown = message.strip_prefix("unknown field ").and_then(quoted);
    let variant = message.strip_prefix("unknown variant ").and_then(quoted);
    let found = found_and_expected(message).map(|(found, _)| found);
    let may_be = |path: &[String], value: &Value| {
        let key = path.last().map(String::as_str);
        unknown.is_some_and(|name| key == Some(name))
            || variant.is_some_and(|name| value.as_str() == Some(name))
            || found.is_some_and(|found| is(value, found))
    };
    let mut places = Vec::new();
    visit(at(whole, path)?, path, &mut |path, value| {
        places.extend(may_be(path, value).then(|| path.to_vec()));
    });
    // Without the one that is meant, reading gets further.
    let gets_further = |place: &Vec<String>| {
        let mut rest = whole.clone();
        take_out(&mut rest, place);
        let rest = rest.as_table().map(attempt::<T>);
        rest.is_some_and(|read| read.err().as_ref() != Some(fault))
    };
    match places.len() {
        1 => places.pop(),
        _ => places.into_iter().find(gets_further),
    }
}

/// Calls `look` with what lies below a place.
fn visit(value: &Value, path: &[String], look: &mut impl FnMut(&[String], &Value)) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect()
        }
        _ => return,
    };
    for (key, value) in parts {
        let mut path = path.to_vec();
        path.push(key);
        look(&path, value);
        visit(value, &path, look);
    }
}

/// What lies at a place below a value.
pub(super) fn at<P: AsRef<str>>(
    value: &Value,
    path: impl IntoIterator<Item = P>,
) -> Option<&Value> {
    path.into_iter().try_fold(value, |value, part| match value {
        Value::Array(items) => items.get(part.as_ref().parse::<usize>().ok()?),
        value => value.get(part.as_ref()),
    })
}

fn take_out(value: &mut Value, path: &[String]) {
    let [part, rest @ ..] = path else { return };
    let next = match value {
        Value::Table(table) if rest.is_empty() => return drop(table.remove(part)),
        Value::Table(table) => table.get_mut(part),
        Value::Array(items) => match part.parse::<usize>() {
            Ok(i) if rest.is_empty() && i < items.len() => return drop(items.remove(i)),
            Ok(i) => items.get_mut(i),
            Err(_) => None,
        },
        _ => None,
    };
    if let Some(next) = next {
        take_out(next, rest);
    }
}

/// The first part of a text that stands between backticks.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.split('`').next()
}

/// What was found and what was expected, of a fault that is about that.
fn found_and_expected(message: &str) -> Option<(&str, &str)> {
    let kinds = ["invalid type: ", "invalid value: ", "invalid "];
    let rest = kinds.iter().find_map(|kind| message.strip_prefix(kind))?;
    rest.rsplit_once(", expected ")
}

/// Whether a value is what serde says that it found.
fn is(value: &Value, found: &str) -> bool {
    match value {
        Value::String(text) => found == format!("string {text:?}"),
        Value::Integer(number) => found == format!("integer `{number}`"),
        Value::Float(number) => {
            let told = found.strip_prefix("floating point ").and_then(quoted);
            told.and_then(|told| told.parse::<f64>().ok())
                .is_some_and(|told| told == *number || (told.is_nan() && number.is_nan()))
        }
        Value::Boolean(truth) => found == format!("boolean `{truth}`"),
        Value::Array(items) => found == "sequence" || found == format!("length {}", items.len()),
        Value::Table(_) | Value::Datetime(_) => found == "map",
    }
}

/// The longest value that is repeated in a message.
const SHOWN: usize = 60;

/// A fault in a user's words.
fn told(path: &[String], value: Option<&Value>, message: &str) -> String {
    let of = |path: &[String], rest: String| match path {
        [] => rest,
        path => format!("{}: {rest}", path.join(".")),
    };
    if let Some(name) = message.strip_prefix("missing field ").and_then(quoted) {
        return of(path, format!("the key `{name}` is missing"));
    }
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let (true, [unknown, known @ ..]) = (message.starts_with("unknown field "), &names[..]) {
        let table = path.strip_suffix(&[(*unknown).to_owned()]).unwrap_or(path);
        // A key of the recipe itself may also be meant for its head.
        let head: &[&str] = if table.is_empty() { &keys::HEAD } else { &[] };
        return of(table, format!("there is no key `{unknown}`{}", proposal(unknown, known, head)));
    }
    if let (true, [unknown, known @ ..]) = (message.starts_with("unknown variant "), &names[..]) {
        return of(path, format!("there is no `{unknown}`{}", proposal(unknown, known, &[])));
    }
    let fault = match found_and_expected(message) {
        Some((_, expected)) => format!("must be {}", in_words(expected)),
        None => message.to_owned(),
    };
    let shown = value.filter(|value| !value.is_table()).map(ToString::to_string);
    match shown.filter(|shown| shown.len() <= SHOWN && !path.is_empty()) {
        Some(shown) => format!("{} = {shown}: {fault}", path.join(".")),
        None => of(path, fault),
    }
}

/// What serde expected, without the names that types have in Rust.
fn in_words(expected: &str) -> String {
    let size = expected
        .strip_prefix("an array of length ")
        .or_else(|| expected.strip_prefix("a tuple of size "))
        .or_else(|| expected.strip_suffix(" elements in sequence"));
    if let Some(size) = size {
        return format!("a list of {size} values");
    }
    let word = |word: &str| expected.split(' ').any(|part| part == word);
    match expected {
        "usize" | "u64" => "a whole number of at least 0".to_owned(),
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "i64" | "i32" | "isize" => "a whole number".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "path string" => "a string".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        _ if word("struct") || word("tagged") => "a table".to_owned(),
        _ if word("enum") || expected.starts_with("string or ") => "a string or a table".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read for their types")]
    struct Whole {
        width: u32,
        #[serde(default)]
        rate: f64,
        #[serde(default)]
        on: bool,
        net: Part,
        data: Option<Data>,
        #[serde(default)]
        rows: Vec<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read for its type")]
    struct Part {
        depth: usize,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
    #[allow(dead_code, reason = "read for its types")]
    enum Data {
        Folder { path: PathBuf, size: Option<[u32; 2]>, inner: Option<Part>, least: Option<u64> },
    }

    #[test]
    fn the_key_at_fault_is_named_and_what_it_must_be() {
        let data = "width = 1\nnet.depth = 1\n[data]\nkind = 'folder'\npath = 'a'\n";
        for (text, said) in [
            ("width = 1", "the key `net` is missing"),
            ("width = 1\n[net]", "net: the key `depth` is missing"),
            ("width = 1\nnet = 3", "net = 3: must be a table"),
            ("width = -1", "width = -1: must be a whole number from 0 to 4294967295"),
            ("width = 1.5", "width = 1.5: must be a whole number from 0 to 4294967295"),
            ("width = 1\nrate = 'a'", "rate = \"a\": must be a number"),
            ("width = 1\non = 1", "on = 1: must be true or false"),
            ("width = 1\nrows = 1", "rows = 1: must be a list"),
            ("width = 1\nrows = [{ depth = 1 }, { depth = -1 }]", "rows.1.depth = -1: must be a"),
            ("widht = 1", "there is no key `widht`; did you mean `width`? There are width, rate"),
            ("haedline = 1", "there is no key `haedline`; did you mean `headline`?"),
            ("width = 1\nnet.deep = 1", "net: there is no key `deep`; there are depth"),
        ] {
            let error = read::<Whole>(&text.parse().expect("TOML")).expect_err(text).to_string();
            assert!(error.starts_with(said), "{text}: {error}");
        }
        // Of a table with a kind, too.
        for (more, said) in [
            ("size = 96", "data.size = 96: must be a list of 2 values"),
            ("size = [1, -1]", "data.size.1 = -1: must be a whole number from 0 to 4294967295"),
            ("size = [1, 2, 3]", "data.size = [1, 2, 3]: must be a list of 2 values"),
            ("least = -5", "data.least = -5: must be a whole number of at least 0"),
            ("least = -5\ninner.depth = -5", "data.inner.depth = -5: must be a whole number"),
            ("inner = { deep = 1 }", "data.inner: there is no key `deep`"),
            ("lesat = 1", "data: there is no key `lesat`; did you mean `least`?"),
        ] {
            let text = format!("{data}{more}");
            let error = read::<Whole>(&text.parse().expect("TOML")).expect_err(more).to_string();
            assert!(error.starts_with(said), "{more}: {error}");
        }
        let text = data.replace("'folder'", "'floder'");
        let error = read::<Whole>(&text.parse().expect("TOML")).expect_err("no kind").to_string();
        assert!(
            error.starts_with("data.kind: there is no `floder`; did you mean `folder`?"),
            "{error}"
        );
    }
}
