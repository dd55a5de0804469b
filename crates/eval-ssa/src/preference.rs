//! Side by side: which of two responses to the same context is better.

use crate::item::{Item, Turn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Two responses to one context. A line of `pairs.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Unique in the study.
    pub id: String,
    /// The context of the set or the conversation, which the bootstrap draws anew.
    pub conversation: String,
    /// The turns before the responses.
    pub context: Vec<Turn>,
    /// The systems, which raters never see.
    pub systems: [String; 2],
    /// Their responses, in the same order. On which side each is shown is the rater's own draw.
    pub responses: [String; 2],
}

/// Pairs of what two systems answered to the same turns of the same conversation. Where a system
/// answered several times, its first answer meets the other's first one, and so on; gold items are
/// left out. A pair's id is made of the items' ids.
pub fn pairs(items: &[Item], mut systems: [&str; 2]) -> Vec<Pair> {
    // The same pairs, whichever is named first.
    systems.sort_unstable();
    let mut answers: BTreeMap<(&str, Vec<&str>), [Vec<&Item>; 2]> = BTreeMap::new();
    for item in items.iter().filter(|item| item.is_rated()) {
        let Some(which) = systems.iter().position(|system| *system == item.system) else {
            continue;
        };
        let turns = item.context.iter().map(|turn| turn.text.trim()).collect();
        answers.entry((item.conversation.as_str(), turns)).or_default()[which].push(item);
    }
    let met = answers.into_values().flat_map(|[first, second]| first.into_iter().zip(second));
    let pair = |(a, b): (&Item, &Item)| Pair {
        id: format!("{} | {}", a.id, b.id),
        conversation: a.conversation.clone(),
        context: a.context.clone(),
        systems: systems.map(str::to_owned),
        responses: [&a.response, &b.response].map(String::clone),
    };
    met.map(pair).collect()
}

/// A rater's choice, by the order of [`Pair::systems`] and not by the side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The first system's response.
    First,
    /// The second system's response.
    Second,
    /// Both are as good.
    Tie,
    /// Neither is any good.
    BothBad,
}

/// One rater's choice between two responses. A line of `preferences.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preference {
    /// The pair's id.
    pub pair: String,
    /// The rater.
    pub rater: String,
    /// The choice.
    pub choice: Choice,
    /// Whether the second response was shown on the left.
    pub swapped: bool,
    /// The version of the guideline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub guideline: String,
    /// When the pair was shown, in milliseconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<i64>,
    /// When the choice was made, in milliseconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<i64>,
    /// At which place of the rater's own order, from 0 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// What the rater remarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Preference {
    /// A choice of which nothing else is known, with the first response on the left.
    pub fn new(pair: impl Into<String>, rater: impl Into<String>, choice: Choice) -> Self {
        Self {
            pair: pair.into(),
            rater: rater.into(),
            choice,
            swapped: false,
            guideline: String::new(),
            shown_at: None,
            answered_at: None,
            position: None,
            comment: None,
        }
    }
}
