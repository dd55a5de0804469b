//! Label Studio's JSON export: tasks with their annotations.

use super::{
    Choices, ImportError, Imported, Mapping, UNKNOWN, conversation, error, milliseconds, text,
    turns,
};
use crate::item::Item;
use crate::rating::{Answer, Rating};
use metrics::words::counted;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads the JSON export of Label Studio (not JSON-MIN, which leaves out who answered what).
///
/// A task's `data` has the response and its context, by the names of the mapping; its id is the
/// field `item` there, or else the task's own. Tasks with the same context belong to the same
/// conversation, unless a field says otherwise. Answers come from `choices`, remarks from text
/// areas; a cancelled annotation is a skip. Of several annotations of one task by the same user the
/// newest counts, by `updated_at` or else by its place; that is also when it was answered, since a
/// correction changes an annotation where it stands. A ground truth is nobody's answer and does
/// not count. Raters who are given by e-mail get numbers instead.
///
/// # Errors
/// When the text is not that export, a task has no response, or a choice is not understood.
pub fn label_studio(json: &str, mapping: &Mapping) -> Result<Imported, ImportError> {
    let tasks: Vec<Value> = serde_json::from_str(json)
        .map_err(|fault| error("the export", format!("it is no list of tasks in JSON: {fault}")))?;
    let mut imported = Imported::default();
    let mut raters: BTreeMap<String, String> = BTreeMap::new();
    let mut left_out = LeftOut::default();
    for (number, task) in (1..).zip(&tasks) {
        let place = format!("task {}", text(task.get("id")).unwrap_or(format!("number {number}")));
        let mini =
            || error(&place, "it is of JSON-MIN: export the project as JSON, not as JSON-MIN");
        if task.get("data").is_none() {
            return Err(mini());
        }
        let item = item(task, mapping, &place)?;
        let annotations = task.get("annotations").and_then(Value::as_array).ok_or_else(mini)?;
        // The task's ratings, with whether the file says whose they are, and when they changed.
        let mut of_task: Vec<(Rating, bool, Option<i64>)> = Vec::new();
        for annotation in annotations {
            if annotation.get("ground_truth").and_then(Value::as_bool) == Some(true) {
                left_out.truths += 1;
                continue;
            }
            let by = annotation.get("completed_by").unwrap_or(&Value::Null);
            let rater = match text(by.get("id")).or_else(|| by.as_u64().map(|id| id.to_string())) {
                Some(id) => format!("user {id}"),
                None => {
                    let next = format!("rater {}", raters.len() + 1);
                    raters.entry(by.to_string()).or_insert(next).clone()
                }
            };
            let rating = match rating(annotation, &item.id, &rater, mapping) {
                Ok(Some(rating)) => rating,
                Ok(None) => {
                    left_out.empty += 1;
                    continue;
                }
                Err(fault) => return Err(error(&place, fault)),
            };
            let changed = annotation.get("updated_at").and_then(Value::as_str);
            let changed = changed.and_then(milliseconds);
            let new = (rating, !by.is_null(), changed);
            match of_task.iter_mut().find(|(there, known, _)| *known && there.rater == rater) {
                Some(there) => {
                    left_out.earlier += 1;
                    if changed.zip(there.2).is_none_or(|(new, old)| new >= old) {
                        *there = new;
                    }
                }
                None => of_task.push(new),
            }
        }
        imported.ratings.extend(of_task.into_iter().map(|(rating, ..)| rating));
        imported.items.push(item);
    }
    imported.notes.extend(left_out.notes());
    if !raters.is_empty() {
        let raters = counted(raters.len(), "rater");
        imported.notes.push(format!("{raters} without a number got a name instead"));
    }
    Ok(imported)
}

/// How many annotations are no votes.
#[derive(Default)]
struct LeftOut {
    /// Without an answer.
    empty: usize,
    /// Replaced by a newer one of the same user.
    earlier: usize,
    /// What the project holds for true.
    truths: usize,
}

impl LeftOut {
    fn notes(&self) -> impl Iterator<Item = String> + use<> {
        let parts = [
            (self.empty, "without an answer"),
            (self.earlier, "of a task that the same user annotated anew"),
            (self.truths, "marked as ground truth"),
        ];
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, which)| {
            let were = if count == 1 { "was" } else { "were" };
            format!("{} {which} {were} left out", counted(count, "annotation"))
        })
    }
}

fn item(task: &Value, mapping: &Mapping, place: &str) -> Result<Item, ImportError> {
    let data = task.get("data").unwrap_or(&Value::Null);
    let of = |name: &String| text(data.get(name));
    let id = of(&mapping.item).or_else(|| text(task.get("id")));
    let id = id.ok_or_else(|| error(place, "it has no id"))?;
    let response = of(&mapping.response);
    let response = response.ok_or_else(|| {
        let (name, way_out) = (&mapping.response, "call the field of the response so");
        error(place, format!("its data has no text {name:?}: {way_out} in the tasks"))
    })?;
    let context = turns(data.get(&mapping.context).unwrap_or(&Value::Null)).ok_or_else(|| {
        let shape = "a text, a list of texts, or a list of objects with `speaker` and `text`";
        error(place, format!("{:?} in its data is not {shape}", mapping.context))
    })?;
    let named = conversation(of(&mapping.conversation), &context);
    Ok(Item {
        // Nobody else answers a task without a context.
        conversation: if named.is_empty() { id.clone() } else { named },
        id,
        system: of(&mapping.system)
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| UNKNOWN.into()),
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
    let time = |key: &str| annotation.get(key).and_then(Value::as_str).and_then(milliseconds);
    let answered_at = time("updated_at").or_else(|| time("created_at"));
    let seconds = annotation.get("lead_time").and_then(Value::as_f64);
    Ok(Some(Rating {
        human_like,
        answered_at,
        shown_at: answered_at.zip(seconds).map(|(at, s)| at - (s * 1000.0).round() as i64),
        comment: (!comments.is_empty()).then(|| comments.join("\n")),
        ..Rating::new(item, rater, answer)
    }))
}
