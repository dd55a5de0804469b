//! Label Studio's JSON export: tasks with their annotations.

use super::{Choices, ImportError, Imported, Mapping, UNKNOWN, error, milliseconds, text, turns};
use crate::item::Item;
use crate::rating::{Answer, Rating};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads the JSON export of Label Studio (not JSON-MIN, which leaves out who answered what).
///
/// A task's `data` has the response and its context, by the names of the mapping; its id is the
/// field `item` there, or else the task's own. Answers come from `choices`, remarks from text
/// areas; a cancelled annotation is a skip. Raters who are given by e-mail get numbers instead.
///
/// # Errors
/// When the text is not that export, a task has no response, or a choice is not understood.
pub fn label_studio(json: &str, mapping: &Mapping) -> Result<Imported, ImportError> {
    let tasks: Vec<Value> = serde_json::from_str(json)
        .map_err(|fault| error("the export", format!("it is no list of tasks in JSON: {fault}")))?;
    let mut imported = Imported::default();
    let mut raters: BTreeMap<String, String> = BTreeMap::new();
    let mut empty = 0;
    for (number, task) in (1..).zip(&tasks) {
        let place = format!("task {}", text(task.get("id")).unwrap_or(format!("number {number}")));
        let item = item(task, mapping, &place)?;
        let annotations = task.get("annotations").and_then(Value::as_array);
        let annotations = annotations.ok_or_else(|| {
            error(&place, "it has no `annotations`: export the project as JSON, not as JSON-MIN")
        })?;
        for annotation in annotations {
            let by = annotation.get("completed_by").unwrap_or(&Value::Null);
            let rater = match text(by.get("id")).or_else(|| by.as_u64().map(|id| id.to_string())) {
                Some(id) => format!("user {id}"),
                None => {
                    let next = format!("rater {}", raters.len() + 1);
                    raters.entry(by.to_string()).or_insert(next).clone()
                }
            };
            match rating(annotation, &item.id, &rater, mapping) {
                Ok(Some(rating)) => imported.ratings.push(rating),
                Ok(None) => empty += 1,
                Err(fault) => return Err(error(&place, fault)),
            }
        }
        imported.items.push(item);
    }
    if empty > 0 {
        imported.notes.push(format!("{empty} annotations without an answer were left out"));
    }
    if !raters.is_empty() {
        imported.notes.push(format!("{} raters without a number got names", raters.len()));
    }
    Ok(imported)
}

fn item(task: &Value, mapping: &Mapping, place: &str) -> Result<Item, ImportError> {
    let data = task.get("data").unwrap_or(&Value::Null);
    let of = |name: &String| text(data.get(name));
    let id = of(&mapping.item).or_else(|| text(task.get("id")));
    let id = id.ok_or_else(|| error(place, "it has no id"))?;
    let response = of(&mapping.response);
    let response = response.ok_or_else(|| {
        error(place, format!("its data has no text {:?}: name the field", mapping.response))
    })?;
    let context = turns(data.get(&mapping.context).unwrap_or(&Value::Null)).ok_or_else(|| {
        let shape = "a text, a list of texts, or a list of objects with `speaker` and `text`";
        error(place, format!("{:?} in its data is not {shape}", mapping.context))
    })?;
    Ok(Item {
        conversation: of(&mapping.conversation).unwrap_or_else(|| id.clone()),
        id,
        system: of(&mapping.system).unwrap_or_else(|| UNKNOWN.into()),
        turn: context.len() as u32,
        context,
        response,
        ..Item::default()
    })
}

fn rating(
    annotation: &Value,
    item: &str,
    rater: &str,
    mapping: &Mapping,
) -> Result<Option<Rating>, String> {
    let mut choices = Choices::new(mapping);
    let mut comments = Vec::new();
    for result in annotation.get("result").and_then(Value::as_array).into_iter().flatten() {
        let question = result.get("from_name").and_then(Value::as_str).unwrap_or_default();
        let value = result.get("value").unwrap_or(&Value::Null);
        for choice in value.get("choices").and_then(Value::as_array).into_iter().flatten() {
            choices.add(question, choice.as_str().unwrap_or_default())?;
        }
        match value.get("text") {
            Some(Value::Array(lines)) => {
                comments.extend(lines.iter().filter_map(|l| text(Some(l))))
            }
            other => comments.extend(text(other)),
        }
    }
    let cancelled = annotation.get("was_cancelled").and_then(Value::as_bool) == Some(true);
    let (answer, human_like) = match (cancelled, choices.answer(false)?) {
        (true, _) => (Answer::Skipped { reason: "cancelled".into() }, None),
        (false, Some(answer)) => answer,
        (false, None) => return Ok(None),
    };
    let answered_at = annotation.get("created_at").and_then(Value::as_str).and_then(milliseconds);
    let seconds = annotation.get("lead_time").and_then(Value::as_f64);
    Ok(Some(Rating {
        human_like,
        answered_at,
        shown_at: answered_at.zip(seconds).map(|(at, s)| at - (s * 1000.0).round() as i64),
        comment: (!comments.is_empty()).then(|| comments.join("\n")),
        ..Rating::new(item, rater, answer)
    }))
}
