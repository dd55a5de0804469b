//! Automatic judges. Their votes stand beside those of people, under their own name, and are never
//! counted among them.

use crate::item::Label;
use serde::{Deserialize, Serialize};

/// One judgement of a model about one item. A line of `judgments.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgment {
    /// The item's id.
    pub item: String,
    /// The judge's own name: model, version and prompt, such as `some-model-2026-01, prompt 3`.
    pub judge: String,
    /// What it says; nothing where its output could not be read.
    pub label: Option<Label>,
    /// Its whole output, to be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}
