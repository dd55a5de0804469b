//! The contexts of this crate for static evaluation.
//!
//! The Mini-Turing Benchmark of the paper is not public. These contexts were written for this
//! project, in the same proportions of one, two and three turns (315 : 500 : 662), and numbers on
//! them do not compare with published ones. [`Context::parse`] reads a set of one's own.

use crate::guideline::speakers;
use crate::item::Turn;
use serde::{Deserialize, Serialize};

const OWN: &str = include_str!("../data/contexts.jsonl");

/// A piece of a conversation that a system has to answer. A line of a file of contexts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Unique in the set.
    pub id: String,
    /// The turns of two people in alternation, oldest first; the system answers the last.
    pub turns: Vec<String>,
    /// What it is about or asks for, such as `personality`, for results by kind.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// A set that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the contexts: {fault}")]
pub struct ContextError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: String,
}

impl Context {
    /// The set of this crate.
    ///
    /// ```
    /// let contexts = eval_ssa::Context::own();
    /// let with = |turns| contexts.iter().filter(|c| c.turns.len() == turns).count();
    /// println!("{} contexts, {} of one turn", contexts.len(), with(1));
    /// ```
    pub fn own() -> Vec<Self> {
        Self::parse(OWN).expect("the set of this crate")
    }

    /// Reads lines of JSON; empty lines are left out.
    ///
    /// # Errors
    /// The first line that is no context, has no turns or an empty one, or an id that was there.
    pub fn parse(text: &str) -> Result<Vec<Self>, ContextError> {
        let mut ids = std::collections::BTreeSet::new();
        let mut contexts = Vec::new();
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            let fault = |fault: String| ContextError { line, fault };
            let context: Self = serde_json::from_str(text).map_err(|e| fault(e.to_string()))?;
            if context.turns.is_empty() || context.turns.iter().any(|t| t.trim().is_empty()) {
                return Err(fault("it needs turns, and none may be empty".into()));
            }
            if !ids.insert(context.id.clone()) {
                return Err(fault(format!("the id {:?} comes twice", context.id)));
            }
            contexts.push(context);
        }
        Ok(contexts)
    }

    /// The turns with their speakers: `A` speaks last, and `B` is to answer.
    pub fn as_turns(&self) -> Vec<Turn> {
        speakers(&self.turns)
    }
}
