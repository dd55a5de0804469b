//! What a rater answers about one item.

use crate::item::Label;
use serde::{Deserialize, Serialize};

/// An answer to the two questions, of which the second is asked only after a yes to the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It makes no sense.
    NotSensible,
    /// It makes sense.
    Sensible {
        /// Whether it is specific; `None` while that has not been answered.
        specific: Option<bool>,
    },
    /// The rater gives no answer.
    Skipped {
        /// Why, in the rater's words; may be empty.
        reason: String,
    },
}

impl Answer {
    /// The answer to the first question; nothing if skipped.
    pub fn sensible(&self) -> Option<bool> {
        match self {
            Self::NotSensible => Some(false),
            Self::Sensible { .. } => Some(true),
            Self::Skipped { .. } => None,
        }
    }

    /// The answer to the second question, only where it was asked and answered.
    pub fn specific_if_asked(&self) -> Option<bool> {
        match self {
            Self::Sensible { specific } => *specific,
            _ => None,
        }
    }

    /// The vote on specificity: no from whoever finds no sense, nothing if skipped or not answered
    /// yet.
    pub fn specific(&self) -> Option<bool> {
        match self {
            Self::NotSensible => Some(false),
            Self::Sensible { specific } => *specific,
            Self::Skipped { .. } => None,
        }
    }

    /// The label of a complete answer.
    pub fn label(&self) -> Option<Label> {
        match self {
            Self::NotSensible => Some(Label::NotSensible),
            Self::Sensible { specific: Some(false) } => Some(Label::Sensible),
            Self::Sensible { specific: Some(true) } => Some(Label::Specific),
            _ => None,
        }
    }
}

impl From<Label> for Answer {
    fn from(label: Label) -> Self {
        match label {
            Label::NotSensible => Self::NotSensible,
            Label::Sensible => Self::Sensible { specific: Some(false) },
            Label::Specific => Self::Sensible { specific: Some(true) },
        }
    }
}

/// One rater's answer about one item. A line of `ratings.jsonl`:
///
/// ```
/// use eval_ssa::{Answer, Rating};
/// let line = r#"{"item":"c1-3","rater":"r1","sensible":true,"specific":false,"guideline":"en-1",
///     "shown_at":1760000000000,"answered_at":1760000004200,"position":12}"#;
/// let rating: Rating = serde_json::from_str(line)?;
/// assert_eq!(rating.answer, Answer::Sensible { specific: Some(false) });
/// assert_eq!(rating.duration_ms(), Some(4200));
/// // A response without sense is not specific: such a line is an error.
/// let wrong = r#"{"item":"c1-3","rater":"r1","sensible":false,"specific":true}"#;
/// assert!(serde_json::from_str::<Rating>(wrong).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RatingLine", into = "RatingLine")]
pub struct Rating {
    /// The item's id.
    pub item: String,
    /// The rater, by a name that says nothing about the person.
    pub rater: String,
    /// The answer. In JSON: `sensible` and `specific`, or `skipped` with the reason.
    pub answer: Answer,
    /// Whether a person could have said it: an optional third question.
    pub human_like: Option<bool>,
    /// The version of the guideline that the rater was given; empty if unknown.
    pub guideline: String,
    /// When the item was shown, in milliseconds since 1970 (UTC).
    pub shown_at: Option<i64>,
    /// When the answer was given, in milliseconds since 1970 (UTC).
    pub answered_at: Option<i64>,
    /// At which place of the rater's own order the item was shown, from 0 on.
    pub position: Option<u32>,
    /// What the rater remarks.
    pub comment: Option<String>,
}

impl Rating {
    /// An answer of which nothing else is known.
    pub fn new(item: impl Into<String>, rater: impl Into<String>, answer: Answer) -> Self {
        Self {
            item: item.into(),
            rater: rater.into(),
            answer,
            human_like: None,
            guideline: String::new(),
            shown_at: None,
            answered_at: None,
            position: None,
            comment: None,
        }
    }

    /// Time from showing to answering, in milliseconds; nothing if one of them is unknown or the
    /// clock went backwards.
    pub fn duration_ms(&self) -> Option<u64> {
        u64::try_from(self.answered_at?.checked_sub(self.shown_at?)?).ok()
    }
}

/// The flat form of a rating in files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RatingLine {
    item: String,
    rater: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sensible: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    specific: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    human_like: Option<bool>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    guideline: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answered_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

/// The answer that the three columns `sensible`, `specific` and `skipped` give.
///
/// # Errors
/// When they contradict one another, or there is no answer in them.
pub(crate) fn answer(
    sensible: Option<bool>,
    specific: Option<bool>,
    skipped: Option<String>,
) -> Result<Answer, String> {
    match (sensible, specific, skipped) {
        (None, None, Some(reason)) => Ok(Answer::Skipped { reason }),
        (_, _, Some(_)) => Err("`skipped` stands beside an answer: leave one out".into()),
        // Some tools write `false` for what was not asked; it says the same.
        (Some(false), None | Some(false), None) => Ok(Answer::NotSensible),
        (Some(true), specific, None) => Ok(Answer::Sensible { specific }),
        (Some(false), Some(true), None) => Err("a response that is not sensible cannot be \
             specific: `specific` is asked only when `sensible` is true"
            .into()),
        (None, Some(_), None) => Err("`specific` without `sensible`".into()),
        (None, None, None) => Err("no answer: give `sensible` (true or false), or `skipped` with \
             the reason"
            .into()),
    }
}

impl TryFrom<RatingLine> for Rating {
    type Error = String;

    fn try_from(line: RatingLine) -> Result<Self, String> {
        let answer = answer(line.sensible, line.specific, line.skipped).map_err(|fault| {
            format!("rating of item {:?} by {:?}: {fault}", line.item, line.rater)
        })?;
        Ok(Self {
            item: line.item,
            rater: line.rater,
            answer,
            human_like: line.human_like,
            guideline: line.guideline,
            shown_at: line.shown_at,
            answered_at: line.answered_at,
            position: line.position,
            comment: line.comment,
        })
    }
}

impl From<Rating> for RatingLine {
    fn from(rating: Rating) -> Self {
        let skipped = match &rating.answer {
            Answer::Skipped { reason } => Some(reason.clone()),
            _ => None,
        };
        Self {
            sensible: rating.answer.sensible(),
            specific: rating.answer.specific_if_asked(),
            skipped,
            item: rating.item,
            rater: rating.rater,
            human_like: rating.human_like,
            guideline: rating.guideline,
            shown_at: rating.shown_at,
            answered_at: rating.answered_at,
            position: rating.position,
            comment: rating.comment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(answer: &Answer) -> String {
        serde_json::to_string(&Rating::new("i", "r", answer.clone())).expect("plain data")
    }

    #[test]
    fn every_answer_comes_back() {
        for (answer, shown) in [
            (Answer::NotSensible, r#"{"item":"i","rater":"r","sensible":false}"#),
            (Answer::Sensible { specific: None }, r#"{"item":"i","rater":"r","sensible":true}"#),
            (
                Answer::Sensible { specific: Some(true) },
                r#"{"item":"i","rater":"r","sensible":true,"specific":true}"#,
            ),
            (Answer::Skipped { reason: String::new() }, r#"{"item":"i","rater":"r","skipped":""}"#),
        ] {
            assert_eq!(lines(&answer), shown);
            let back: Rating = serde_json::from_str(shown).expect("what was written");
            assert_eq!(back.answer, answer);
        }
    }

    #[test]
    fn contradictions_are_errors() {
        for (line, fault) in [
            (r#"{"item":"i","rater":"r"}"#, "no answer"),
            (r#"{"item":"i","rater":"r","specific":true}"#, "without `sensible`"),
            (r#"{"item":"i","rater":"r","sensible":true,"skipped":"x"}"#, "beside an answer"),
            (r#"{"item":"i","rater":"r","sensible":false,"specific":true}"#, "cannot be specific"),
            (r#"{"item":"i","rater":"r","sensible":true,"specifc":true}"#, "specifc"),
        ] {
            let error = serde_json::from_str::<Rating>(line).expect_err(line).to_string();
            assert!(error.contains(fault), "{error}");
        }
    }
}
