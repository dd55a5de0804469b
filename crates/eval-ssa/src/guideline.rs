//! What raters are told, as data with a version.

use crate::item::{Check, CheckKind, Item, Label, Turn};
use serde::{Deserialize, Serialize};

const ENGLISH: &str = include_str!("../data/guideline-en.toml");

/// The text that raters read, the questions, and practice items. [`Guideline::from_toml`] reads one
/// in another language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guideline {
    /// Kept with every rating, so that a changed text is seen in the data.
    pub version: String,
    /// The language, as a BCP 47 tag: `en`.
    pub language: String,
    /// The headline.
    pub title: String,
    /// The text.
    #[serde(rename = "section")]
    pub sections: Vec<Section>,
    /// The questions.
    pub questions: Questions,
    /// What is rated before the study begins.
    #[serde(default, rename = "practice")]
    pub practice: Vec<Practice>,
}

/// One part of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// Its text: plain, a single paragraph.
    pub text: String,
}

/// What is asked about each response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Questions {
    /// The first question.
    pub sensible: String,
    /// The second, asked after a yes to the first.
    pub specific: String,
    /// The optional third.
    pub human_like: String,
}

/// A practice item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Practice {
    /// The turns before the response; two speakers take turns, and the last is not the responder.
    pub context: Vec<String>,
    /// The response.
    pub response: String,
    /// The right answer.
    pub expected: Label,
    /// Why.
    pub explanation: String,
}

impl Guideline {
    /// The English guideline of this crate, written from the published definitions.
    ///
    /// ```
    /// let guideline = eval_ssa::Guideline::english();
    /// assert_eq!(guideline.version, "en-1");
    /// assert_eq!(guideline.practice_items().len(), 6);
    /// ```
    pub fn english() -> Self {
        Self::from_toml(ENGLISH).expect("the guideline of this crate is TOML of this form")
    }

    /// Reads a guideline. `crates/eval-ssa/data/guideline-en.toml` shows the form.
    ///
    /// # Errors
    /// What is wrong with the text, with its place in it.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The practice items, with ids `practice-1` and so on.
    pub fn practice_items(&self) -> Vec<Item> {
        let item = |(index, practice): (usize, &Practice)| {
            let id = format!("practice-{}", index + 1);
            Item {
                conversation: id.clone(),
                id,
                turn: practice.context.len() as u32,
                context: speakers(&practice.context),
                response: practice.response.clone(),
                check: Some(Check {
                    kind: CheckKind::Practice,
                    expected: practice.expected,
                    explanation: Some(practice.explanation.clone()),
                }),
                ..Item::default()
            }
        };
        self.practice.iter().enumerate().map(item).collect()
    }
}

/// Turns of `A` and `B` in alternation, ending with `A`, whom `B` answers.
pub(crate) fn speakers(texts: &[String]) -> Vec<Turn> {
    let last = texts.len().wrapping_sub(1);
    let speaker = |index: usize| if (last - index).is_multiple_of(2) { "A" } else { "B" };
    texts.iter().enumerate().map(|(index, text)| Turn::new(speaker(index), text)).collect()
}
