//! Decisions of a researcher on responses without a majority. They stand beside the votes and are
//! never counted among them.

use crate::item::Label;
use serde::{Deserialize, Serialize};

/// A decision on one item. A line of `adjudications.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjudication {
    /// The item's id.
    pub item: String,
    /// Who decided.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Whether it makes sense.
    pub sensible: bool,
    /// Whether it is specific, which only a sensible response is.
    pub specific: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<i64>,
}

impl Adjudication {
    /// What it makes of the response.
    pub fn label(&self) -> Label {
        match (self.sensible, self.specific) {
            (false, _) => Label::NotSensible,
            (true, false) => Label::Sensible,
            (true, true) => Label::Specific,
        }
    }
}
