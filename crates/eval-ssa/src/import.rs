//! Items and ratings from files of other tools: Label Studio, Potato, doccano, and plain tables of
//! responses.
//!
//! Tools name questions and choices as their users like. A [`Mapping`] says which question is
//! which; choices are understood as yes and no, or by what they say (`sensible`, `not sensible`,
//! `specific`, `not specific`, `skip`), in any case, with spaces, `-` or `_` between the words.
//!
//! ```
//! use eval_ssa::import::{Mapping, doccano};
//! let line = r#"{"id": 7, "text": "Hello!", "label": ["sensible", "specific"]}"#;
//! let imported = doccano(line, "anna", &Mapping::default())?;
//! let rating = &imported.ratings[0];
//! assert_eq!((rating.item.as_str(), rating.rater.as_str()), ("7", "anna"));
//! # Ok::<(), eval_ssa::import::ImportError>(())
//! ```

mod cells;
mod doccano;
mod label_studio;
mod potato;
mod responses;

pub use doccano::doccano;
pub use label_studio::label_studio;
pub use potato::potato;
pub use responses::{Defaults, responses_csv, responses_json, responses_jsonl};

use crate::item::{Item, Turn};
use crate::rating::{Answer, Rating, answer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The system of responses of which a file does not say whose they are.
pub const UNKNOWN: &str = "unknown";

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// Responses, where the format holds them.
    pub items: Vec<Item>,
    /// Those of the items, by their places, whose ids are only their numbers in the file.
    pub numbered: Vec<usize>,
    /// Answers.
    pub ratings: Vec<Rating>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// A file that cannot be imported.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct ImportError {
    /// The line or the task.
    pub place: String,
    /// What is wrong with it, and what it should be.
    pub fault: String,
}

fn error(place: impl Into<String>, fault: impl Into<String>) -> ImportError {
    ImportError { place: place.into(), fault: fault.into() }
}

/// How another tool's project names things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// The question whether the response makes sense.
    pub sensible: String,
    /// The question whether it is specific.
    pub specific: String,
    /// The question whether a person could have said it.
    pub human_like: String,
    /// The free text for remarks.
    pub comment: String,
    /// The field with the item's id.
    pub item: String,
    /// The field with the turns before the response.
    pub context: String,
    /// The field with the response.
    pub response: String,
    /// The field with the system's name.
    pub system: String,
    /// The field with the conversation or the context's id.
    pub conversation: String,
}

impl Default for Mapping {
    /// The names that the fields have here; the item's id is `item`.
    fn default() -> Self {
        Self {
            sensible: "sensible".into(),
            specific: "specific".into(),
            human_like: "human_like".into(),
            comment: "comment".into(),
            item: "item".into(),
            context: "context".into(),
            response: "response".into(),
            system: "system".into(),
            conversation: "conversation".into(),
        }
    }
}

impl Mapping {
    /// The fields of a response.
    fn of_responses(&self) -> [&str; 5] {
        [&self.item, &self.response, &self.context, &self.system, &self.conversation]
            .map(String::as_str)
    }
}

/// What a choice says: about its own question, or by itself.
enum Said {
    Yes,
    No,
    Sensible(bool),
    Specific(bool),
    Skip,
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn said(choice: &str) -> Option<Said> {
    Some(match plain(choice).as_str() {
        "yes" | "true" | "y" | "1" => Said::Yes,
        "no" | "false" | "n" | "0" => Said::No,
        "sensible" | "makessense" => Said::Sensible(true),
        "notsensible" | "nosense" | "nonsense" | "insensible" => Said::Sensible(false),
        "specific" | "sensibleandspecific" => Said::Specific(true),
        "notspecific" | "unspecific" | "generic" | "vague" => Said::Specific(false),
        "skip" | "skipped" | "cannotjudge" => Said::Skip,
        _ => return None,
    })
}

/// What a rater chose: questions with their choices.
struct Choices<'a> {
    mapping: &'a Mapping,
    sensible: Option<bool>,
    specific: Option<bool>,
    human_like: Option<bool>,
    skipped: bool,
}

impl<'a> Choices<'a> {
    fn new(mapping: &'a Mapping) -> Self {
        Self { mapping, sensible: None, specific: None, human_like: None, skipped: false }
    }

    /// Takes one choice in. One that is neither understood nor asked for is left out.
    ///
    /// # Errors
    /// When the choice of a question that is asked for is not understood, or contradicts another.
    fn add(&mut self, question: &str, choice: &str) -> Result<(), String> {
        let mapping = self.mapping;
        let is = |name: &str| plain(question) == plain(name);
        let known = is(&mapping.sensible) || is(&mapping.specific) || is(&mapping.human_like);
        let (slot, value) = match (said(choice), known) {
            (Some(Said::Skip), _) => {
                self.skipped = true;
                return Ok(());
            }
            (Some(Said::Sensible(value)), _) => (&mut self.sensible, value),
            (Some(Said::Specific(value)), _) => (&mut self.specific, value),
            (Some(yes @ (Said::Yes | Said::No)), true) => {
                let slot = match () {
                    () if is(&mapping.sensible) => &mut self.sensible,
                    () if is(&mapping.specific) => &mut self.specific,
                    () => &mut self.human_like,
                };
                (slot, matches!(yes, Said::Yes))
            }
            (None, true) => {
                return Err(format!(
                    "the answer {choice:?} to {question:?} is neither yes nor no, and says nothing \
                     of sense or specificity"
                ));
            }
            (_, false) => return Ok(()),
        };
        match slot.replace(value) {
            Some(before) if before != value => {
                Err(format!("two answers to {question:?} contradict each other"))
            }
            _ => Ok(()),
        }
    }

    /// The answer; `None` if nothing was chosen. What is specific also makes sense, and of check
    /// boxes, one that is not ticked says no.
    fn answer(self, check_boxes: bool) -> Result<Option<(Answer, Option<bool>)>, String> {
        let sensible = self.sensible.or(self.specific.is_some().then_some(true));
        let specific = match (sensible, self.specific) {
            (Some(true), None) if check_boxes => Some(false),
            (Some(false), Some(false)) => None,
            (_, specific) => specific,
        };
        if sensible.is_none() && !self.skipped {
            return Ok(None);
        }
        let skipped = (sensible.is_none() && self.skipped).then(String::new);
        Ok(Some((answer(sensible, specific, skipped)?, self.human_like)))
    }
}

/// The turns in a value: a list of texts, a list of objects with speaker and text, or one text with
/// a turn a line; without space around each turn. Speakers without names alternate, and the last is
/// `A`. What a program is told before a conversation, with the role `system`, is no turn of it.
fn turns(value: &Value) -> Option<Vec<Turn>> {
    match value {
        Value::String(text) => {
            let lines: Vec<String> =
                text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
            Some(crate::guideline::speakers(&lines))
        }
        Value::Array(list) if list.iter().all(Value::is_string) => {
            let texts: Vec<String> =
                list.iter().filter_map(|text| Some(text.as_str()?.trim().to_owned())).collect();
            Some(crate::guideline::speakers(&texts))
        }
        Value::Array(list) => list.iter().skip_while(|value| is_prompt(value)).map(turn).collect(),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

/// Whether it is what a program is told before a conversation, and no rater may see.
fn is_prompt(value: &Value) -> bool {
    value.get("role").is_some_and(|role| role == "system" || role == "developer")
}

fn turn(value: &Value) -> Option<Turn> {
    let field = |names: &[&str]| names.iter().find_map(|name| value.get(name)?.as_str());
    let speaker = field(&["speaker", "author", "role", "user"])?;
    Some(Turn::new(speaker, field(&["text", "content", "utterance"])?.trim()))
}

/// The conversation or context that a response belongs to, by which responses of several systems
/// are compared: as it is named, or else by its turns; empty where there is neither.
fn conversation(named: Option<String>, context: &[Turn]) -> String {
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let turns: Vec<&str> = context.iter().map(|turn| turn.text.as_str()).collect();
        turns.join(" / ")
    })
}

/// A text or a number as a text.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Milliseconds since 1970 of a time such as `2021-03-09T22:16:08.728353Z`.
fn milliseconds(time: &str) -> Option<i64> {
    let time = humantime::parse_rfc3339_weak(time.trim()).ok()?;
    i64::try_from(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()
}
