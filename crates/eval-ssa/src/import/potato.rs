//! Potato's output: lines of annotated instances, a rater's state, or its JSONL export.

use super::{Choices, ImportError, Imported, Mapping, error, text};
use crate::rating::Rating;
use serde_json::{Map, Value};

/// Reads ratings from Potato: an `annotated_instances.jsonl` or `user_state.json` of one rater, or
/// the JSONL export of all. Potato's files hold no responses, so the items come from elsewhere; the
/// instances' ids are the items'.
///
/// `rater` names the rater where the file does not: the name of the folder that it lies in.
///
/// # Errors
/// A line that is none of these, an answer that is not understood, or a rater who is not named.
pub fn potato(file: &str, rater: Option<&str>, mapping: &Mapping) -> Result<Imported, ImportError> {
    let mut imported = Imported::default();
    let mut add = |place: &str, item: &str, by: Option<&str>, labels: &Value| {
        let by = by.or(rater).ok_or_else(|| {
            error(place, "the file does not say whose answers these are: name the rater")
        })?;
        let mut choices = Choices::new(mapping);
        let mut comment = None;
        for (question, label, value) in chosen(labels) {
            if question == mapping.comment {
                comment = text(Some(value));
            } else {
                // The label is the answer, or, for a scale, its value.
                let choice = match value {
                    Value::String(value) if super::said(label).is_none() => value,
                    _ => label,
                };
                choices.add(question, choice).map_err(|fault| error(place, fault))?;
            }
        }
        match choices.answer(false).map_err(|fault| error(place, fault))? {
            None => imported.notes.push(format!("{item}: {by} gave no answer")),
            Some((answer, human_like)) => imported.ratings.push(Rating {
                human_like,
                comment,
                ..Rating::new(item, by, answer)
            }),
        }
        Ok(())
    };
    if let Ok(state) = serde_json::from_str::<Map<String, Value>>(file)
        && let Some(Value::Object(by_item)) = state.get("instance_id_to_label_to_value")
    {
        let by = state.get("user_id").and_then(Value::as_str);
        for (item, labels) in by_item {
            add(&format!("instance {item:?}"), item, by, labels)?;
        }
        return Ok(imported);
    }
    for (number, line) in (1..).zip(file.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("line {number}");
        let line: Value = serde_json::from_str(line)
            .map_err(|fault| error(&place, format!("it is no JSON object: {fault}")))?;
        let item = text(line.get("instance_id").or(line.get("id")));
        let item = item.ok_or_else(|| error(&place, "it has neither `instance_id` nor `id`"))?;
        let labels = line.get("labels").or(line.get("label_annotations"));
        let labels = labels.ok_or_else(|| {
            error(&place, "it has neither `labels` nor `label_annotations`: is it from Potato?")
        })?;
        add(&place, &item, line.get("user_id").and_then(Value::as_str), labels)?;
    }
    Ok(imported)
}

/// Questions with the labels that were chosen and their values. Two forms: an object of objects, or
/// a list of pairs of `{schema, name}` and a value.
fn chosen(labels: &Value) -> Vec<(&str, &str, &Value)> {
    let on = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
    let mut found = Vec::new();
    for (question, of_question) in labels.as_object().into_iter().flatten() {
        match of_question {
            Value::Object(labels) => {
                let chosen = labels.iter().filter(|(_, value)| on(value));
                found.extend(
                    chosen.map(|(label, value)| (question.as_str(), label.as_str(), value)),
                );
            }
            value if on(value) => found.push((question.as_str(), "", value)),
            _ => {}
        }
    }
    for pair in labels.as_array().into_iter().flatten() {
        let field = |name: &str| pair.get(0)?.get(name)?.as_str();
        if let (Some(question), Some(value)) = (field("schema"), pair.get(1).filter(|v| on(v))) {
            found.push((question, field("name").unwrap_or_default(), value));
        }
    }
    found
}
