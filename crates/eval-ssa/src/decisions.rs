//! What the researcher's decisions on responses without a majority change, as a second number
//! beside that of the votes.

use crate::adjudication::Adjudication;
use crate::bootstrap::{Bootstrap, Estimate};
use crate::item::{Label, Mode};
use crate::protocol::Ballot;
use crate::score::{Score, scores_of};
use crate::study::{Outcome, Study};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A decision with the votes that it stands beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The item.
    pub item: String,
    /// Whose response it is.
    pub system: String,
    /// Who decided.
    pub by: String,
    /// What was decided.
    pub label: Label,
    /// Why.
    pub note: String,
    /// The votes.
    pub votes: Ballot,
    /// What the votes say; then the decision has no effect.
    pub by_votes: Option<Label>,
}

/// The measures of some responses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Responses with a label.
    pub decided: usize,
    /// Share that makes sense.
    pub sensibleness: Option<Estimate>,
    /// Share that is specific.
    pub specificity: Option<Estimate>,
    /// Their mean.
    pub ssa: Option<Estimate>,
}

/// One system in one mode, without decisions and with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithDecisions {
    /// The system.
    pub system: String,
    /// The mode.
    pub mode: Mode,
    /// Decisions that give a response the label that votes do not give.
    pub decisions: usize,
    /// By the votes alone: what all other tables have.
    pub votes: Measures,
    /// With the decisions.
    pub both: Measures,
}

/// All decisions of a study, and what they change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Adjudications {
    /// The decisions, in the order of the items.
    pub decisions: Vec<Decision>,
    /// Systems of which a response was decided.
    pub scores: Vec<WithDecisions>,
}

impl Adjudications {
    /// Decisions that count: those where the votes give no label.
    pub fn counted(&self) -> usize {
        self.decisions.iter().filter(|decision| decision.by_votes.is_none()).count()
    }
}

impl Study {
    /// The outcomes with decisions as labels where the votes give none. Where they do, they stand.
    pub fn outcomes_with_decisions(&self) -> Vec<Outcome<'_>> {
        let decided = self.decided();
        let mut outcomes = self.outcomes();
        for outcome in &mut outcomes {
            let decision = decided.get(&*outcome.item.id).map(|decision| decision.label());
            outcome.label = outcome.label.or(decision);
        }
        outcomes
    }

    /// The last decision on each item.
    fn decided(&self) -> BTreeMap<&str, &Adjudication> {
        self.adjudications.iter().map(|decision| (&*decision.item, decision)).collect()
    }
}

impl From<&Score> for Measures {
    fn from(score: &Score) -> Self {
        Self {
            decided: score.progress.decided,
            sensibleness: score.sensibleness.clone(),
            specificity: score.specificity.clone(),
            ssa: score.ssa.clone(),
        }
    }
}

/// The decisions of a study, and its scores with them. `votes` are the scores by votes alone.
pub(crate) fn adjudications(
    study: &Study,
    votes: &[Score],
    bootstrap: &Bootstrap,
) -> Option<Adjudications> {
    let decided = study.decided();
    if decided.is_empty() {
        return None;
    }
    let mut decisions = Vec::new();
    let mut counted: BTreeMap<(&str, Mode), usize> = BTreeMap::new();
    for outcome in study.outcomes() {
        let Some(decision) = decided.get(&*outcome.item.id) else { continue };
        let (item, count) = (outcome.item, usize::from(outcome.label.is_none()));
        *counted.entry((&item.system, item.mode)).or_default() += count;
        decisions.push(Decision {
            item: item.id.clone(),
            system: item.system.clone(),
            by: decision.by.clone(),
            label: decision.label(),
            note: decision.note.clone(),
            votes: outcome.ballot,
            by_votes: outcome.label,
        });
    }
    let both = scores_of(&study.outcomes_with_decisions(), study.required, bootstrap);
    // The same outcomes in the same order: only labels differ.
    let scores = votes.iter().zip(&both).filter_map(|(votes, both)| {
        Some(WithDecisions {
            system: votes.system.clone(),
            mode: votes.mode,
            decisions: *counted.get(&(&*votes.system, votes.mode))?,
            votes: votes.into(),
            both: both.into(),
        })
    });
    Some(Adjudications { decisions, scores: scores.collect() })
}
