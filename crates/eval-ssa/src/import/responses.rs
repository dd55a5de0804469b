//! Tables of responses that are to be rated.

use super::cells::Cells;
use super::{ImportError, Imported, Mapping, conversation, error, is_prompt, text, turns};
use crate::export::{is_ours, unescaped};
use crate::item::{Item, Mode};
use metrics::words::counted;
use serde_json::{Map, Value};

/// What a table may leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The system, where there is no column for it.
    pub system: Option<String>,
    /// How the responses came about.
    pub mode: Mode,
}

/// Reads responses from CSV with a header; where that is split by semicolons or tabs, so is the
/// rest, unless a line such as `sep=;` above it says otherwise. Columns, by the mapping's names:
/// `response`; `context` (a list of texts in JSON, or a turn a line) or `context_1`, `context_2`
/// and so on; and, where they are there, `item`, `system` and `conversation`. Other columns are
/// left out and noted. A response may be empty. Marks of [`escaped`](crate::export::escaped) are
/// taken away where the table has the columns of [`csv`](crate::export::csv()).
///
/// Responses with the same context belong to the same conversation, unless a column says otherwise.
///
/// # Errors
/// The first row that has no response or another number of cells, a missing column, or a quote that
/// opens a cell and is not closed; with the line.
pub fn responses_csv(
    csv: &str,
    defaults: &Defaults,
    mapping: &Mapping,
) -> Result<Imported, ImportError> {
    let Cells { header, rows: records } = Cells::read(csv)?;
    if !header.is_empty() && !header.contains(&mapping.response) {
        let there: Vec<String> = header.iter().map(|name| format!("{name:?}")).collect();
        let fault = format!(
            "no column is called {0:?}, but {1}: call the one with the responses {0:?}",
            mapping.response,
            there.join(", ")
        );
        return Err(error("the header", fault));
    }
    let mut seen = std::collections::BTreeSet::new();
    let used = mapping.of_responses();
    let is_used = |name: &&str| used.contains(name) || name.starts_with("context_");
    let twice = header.iter().map(String::as_str).filter(is_used).find(|name| !seen.insert(*name));
    if let Some(name) = twice {
        return Err(error("the header", format!("two columns are called {name:?}")));
    }
    // An apostrophe may be somebody's own, but in the tables that are written here.
    let ours = is_ours(header.iter().map(String::as_str));
    let mut rows = Vec::new();
    for (line, record) in records {
        let mut row = Map::new();
        let mut numbered = Vec::new();
        for (name, value) in header.iter().zip(record) {
            let value = if ours { unescaped(&value) } else { value };
            match name.strip_prefix("context_").and_then(|n| n.parse::<u32>().ok()) {
                Some(number) if !value.trim().is_empty() => numbered.push((number, value)),
                Some(_) => {}
                None if value.is_empty() && *name != mapping.response => {}
                None => {
                    row.insert(name.clone(), Value::String(value));
                }
            }
        }
        numbered.sort();
        if let Some(Value::String(context)) = row.get(&mapping.context)
            && let Ok(list @ Value::Array(_)) = serde_json::from_str(context)
        {
            row.insert(mapping.context.clone(), list);
        } else if !numbered.is_empty() {
            let list = numbered.into_iter().map(|(_, text)| Value::String(text)).collect();
            row.insert(mapping.context.clone(), Value::Array(list));
        }
        rows.push((format!("line {line}"), row));
    }
    items(rows, defaults, mapping)
}

/// Reads responses from lines of JSON with the fields of [`responses_csv`]; `context` is a list of
/// texts, or of objects with `speaker` and `text`.
///
/// # Errors
/// The first line that is not of that form.
pub fn responses_jsonl(
    jsonl: &str,
    defaults: &Defaults,
    mapping: &Mapping,
) -> Result<Imported, ImportError> {
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(jsonl.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("line {number}");
        let row = serde_json::from_str(line)
            .map_err(|fault| error(&place, format!("it is no JSON object: {fault}")))?;
        rows.push((place, row));
    }
    items(rows, defaults, mapping)
}

/// Reads responses from a list of objects in JSON, with the fields of [`responses_jsonl`].
///
/// # Errors
/// When it is no list, or its first object that is not of that form.
pub fn responses_json(
    json: &str,
    defaults: &Defaults,
    mapping: &Mapping,
) -> Result<Imported, ImportError> {
    let rows: Vec<Map<String, Value>> = serde_json::from_str(json)
        .map_err(|fault| error("the file", format!("it is no list of JSON objects: {fault}")))?;
    let rows = (1..).zip(rows).map(|(number, row)| (format!("object {number}"), row));
    items(rows.collect(), defaults, mapping)
}

fn items(
    rows: Vec<(String, Map<String, Value>)>,
    defaults: &Defaults,
    mapping: &Mapping,
) -> Result<Imported, ImportError> {
    let mut imported = Imported::default();
    let mut others = std::collections::BTreeSet::new();
    let (mut empty, mut prompts) = (0, 0);
    let used = mapping.of_responses();
    for (place, row) in rows {
        others.extend(row.keys().filter(|key| !used.contains(&key.as_str())).cloned());
        let of = |name: &String| text(row.get(name));
        let response = of(&mapping.response).ok_or_else(|| {
            let name = &mapping.response;
            let way_out = format!("call the field of the response {name:?}");
            error(&place, format!("there is no text in {name:?}: {way_out}"))
        })?;
        let named = of(&mapping.system).or_else(|| defaults.system.clone());
        let named = named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        let system = named.ok_or_else(|| {
            let name = &mapping.system;
            let way_out = "say by --system which system the responses are from";
            error(&place, format!("there is no {name:?}: {way_out}, or in a field of that name"))
        })?;
        let context =
            turns(row.get(&mapping.context).unwrap_or(&Value::Null)).ok_or_else(|| {
                let name = &mapping.context;
                error(&place, format!("{name:?} is neither a text nor a list of turns"))
            })?;
        let conversation = conversation(of(&mapping.conversation), &context);
        if conversation.is_empty() {
            let fault = "there is neither a context nor a conversation: a response cannot be \
                         rated without what it answers";
            return Err(error(&place, fault));
        }
        empty += usize::from(response.trim().is_empty());
        let parts = row.get(&mapping.context).and_then(Value::as_array);
        prompts += usize::from(parts.is_some_and(|parts| parts.first().is_some_and(is_prompt)));
        let (id, number) = (of(&mapping.item), imported.items.len() + 1);
        if id.is_none() {
            imported.numbered.push(number - 1);
        }
        imported.items.push(Item {
            id: id.unwrap_or_else(|| format!("{system}/{number}")),
            mode: defaults.mode,
            system,
            conversation,
            turn: context.len() as u32,
            context,
            response,
            ..Item::default()
        });
    }
    if empty > 0 {
        let (responses, are) = (counted(empty, "response"), if empty == 1 { "is" } else { "are" });
        imported.notes.push(format!("{responses} {are} empty, and {are} shown to raters so"));
    }
    if prompts > 0 {
        let (contexts, begin) = (counted(prompts, "context"), if prompts == 1 { "s" } else { "" });
        imported.notes.push(format!(
            "{contexts} begin{begin} with a prompt of the role \"system\", which is not shown to \
             raters"
        ));
    }
    for name in others {
        imported.notes.push(format!("the field {name:?} was left out"));
    }
    Ok(imported)
}
