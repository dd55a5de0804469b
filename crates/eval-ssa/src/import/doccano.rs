//! doccano's JSONL export of text classification.

use super::{Choices, ImportError, Imported, Mapping, error, text};
use crate::rating::Rating;
use serde_json::Value;

/// Reads ratings from doccano's JSONL export, one file a rater (doccano names it after the user).
/// Its labels are check boxes: `sensible` without `specific` means not specific, and a line without
/// any label is left out. The item's id is a field of the document's metadata, by the mapping's
/// name, or else doccano's `id`.
///
/// # Errors
/// A line that is not of that form, and labels that contradict one another.
pub fn doccano(jsonl: &str, rater: &str, mapping: &Mapping) -> Result<Imported, ImportError> {
    let mut imported = Imported::default();
    for (number, line) in (1..).zip(jsonl.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("line {number}");
        let line: Value = serde_json::from_str(line)
            .map_err(|fault| error(&place, format!("it is no JSON object: {fault}")))?;
        let item = text(line.get(&mapping.item).or(line.get("id")));
        let item = item.ok_or_else(|| error(&place, "it has no `id`"))?;
        let labels = line.get("label").or(line.get("labels")).and_then(Value::as_array);
        let labels = labels.ok_or_else(|| {
            error(
                &place,
                "it has no list `label`: export a project of text classification as JSONL",
            )
        })?;
        let mut choices = Choices::new(mapping);
        for label in labels.iter().filter_map(Value::as_str) {
            choices.add(label, label).map_err(|fault| error(&place, fault))?;
        }
        let comments: Vec<String> = line
            .get("Comments")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|comment| text(Some(comment)))
            .collect();
        match choices.answer(true).map_err(|fault| error(&place, fault))? {
            None => imported.notes.push(format!("{item}: no label that says anything")),
            Some((answer, human_like)) => imported.ratings.push(Rating {
                human_like,
                comment: (!comments.is_empty()).then(|| comments.join("\n")),
                ..Rating::new(item, rater, answer)
            }),
        }
    }
    Ok(imported)
}
