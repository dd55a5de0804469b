//! From the raters' votes on one response to its label.

use crate::item::Label;
use crate::rating::{Answer, Rating};
use serde::{Deserialize, Serialize};

/// How many raters each response gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Required(u32);

impl Required {
    /// This many raters for each response.
    ///
    /// # Errors
    /// When the number is even: then there can be ties.
    pub fn new(raters: u32) -> Result<Self, String> {
        match raters % 2 {
            1 => Ok(Self(raters)),
            _ => Err(format!("{raters} raters for each response: give an odd number, as 5")),
        }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for Required {
    /// Five, as in the paper.
    fn default() -> Self {
        Self(5)
    }
}

impl TryFrom<u32> for Required {
    type Error = String;

    fn try_from(raters: u32) -> Result<Self, String> {
        Self::new(raters)
    }
}

impl From<Required> for u32 {
    fn from(required: Required) -> u32 {
        required.0
    }
}

/// The yes and no votes on one question about one response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Votes for yes.
    pub yes: u32,
    /// Votes for no.
    pub no: u32,
}

impl Tally {
    fn count(&mut self, vote: Option<bool>) {
        match vote {
            Some(true) => self.yes += 1,
            Some(false) => self.no += 1,
            None => {}
        }
    }

    /// All votes.
    pub fn votes(self) -> u32 {
        self.yes + self.no
    }

    /// What more than half of the required votes say, or of those cast where there are more.
    pub fn decide(self, required: Required) -> Option<bool> {
        let needed = required.get().max(self.votes()) / 2 + 1;
        match (self.yes >= needed, self.no >= needed) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// Whether the votes that are missing may still give this majority. Where none is missing and
    /// there is no majority, both may come, from votes beyond those required.
    pub fn may_be(self, yes: bool, required: Required) -> bool {
        let missing = required.get().saturating_sub(self.votes());
        let has = if yes { self.yes } else { self.no };
        match self.decide(required) {
            Some(decided) => decided == yes,
            None => missing == 0 || has + missing > required.get() / 2,
        }
    }
}

/// All answers about one response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// Votes on whether it makes sense.
    pub sensible: Tally,
    /// Votes on whether it is specific; who finds no sense votes no.
    pub specific: Tally,
    /// Votes on whether a person could have said it.
    pub human_like: Tally,
    /// Raters who skipped it.
    pub skipped: u32,
}

impl Ballot {
    /// Counts ratings, which are all about the same response and each by another rater.
    ///
    /// ```
    /// use eval_ssa::{Answer, Ballot, Label, Rating, Required};
    /// let specific = Answer::Sensible { specific: Some(true) };
    /// let vague = Answer::Sensible { specific: Some(false) };
    /// let answers = [&specific, &specific, &vague, &Answer::NotSensible, &Answer::NotSensible];
    /// let rating = |(i, a): (usize, &&Answer)| Rating::new("x", format!("r{i}"), (*a).clone());
    /// let ratings: Vec<Rating> = answers.iter().enumerate().map(rating).collect();
    /// // Three of five find sense; only two of five find it specific.
    /// assert_eq!(Ballot::count(&ratings).label(Required::default()), Some(Label::Sensible));
    /// ```
    pub fn count<'a>(ratings: impl IntoIterator<Item = &'a Rating>) -> Self {
        let mut ballot = Self::default();
        for rating in ratings {
            ballot.sensible.count(rating.answer.sensible());
            ballot.specific.count(rating.answer.specific());
            ballot.human_like.count(rating.human_like);
            ballot.skipped += u32::from(matches!(rating.answer, Answer::Skipped { .. }));
        }
        ballot
    }

    /// Whether the required number of raters answered both questions.
    pub fn is_complete(&self, required: Required) -> bool {
        self.sensible.votes() >= required.get() && self.specific.votes() >= required.get()
    }

    /// The label: more than half of the required votes decide each question, and then a response
    /// that makes no sense is not specific. `None` while a question is undecided.
    pub fn label(&self, required: Required) -> Option<Label> {
        match (self.sensible.decide(required)?, self.specific.decide(required)) {
            (false, _) => Some(Label::NotSensible),
            (true, specific) => Some(if specific? { Label::Specific } else { Label::Sensible }),
        }
    }
}
