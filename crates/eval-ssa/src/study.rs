//! A study: all records, checked, and the label of each response.

use crate::adjudication::Adjudication;
use crate::item::{Item, Label, Mode, System};
use crate::judgment::Judgment;
use crate::preference::{Pair, Preference};
use crate::protocol::{Ballot, Required};
use crate::rating::Rating;
use crate::votes::Votes;
use std::collections::{BTreeMap, BTreeSet};

/// The records of a study.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Study {
    /// How many raters each response gets.
    pub required: Required,
    /// What is known of the systems; those that only items name are added by [`Study::systems`].
    pub systems: Vec<System>,
    /// The responses, checks included.
    pub items: Vec<Item>,
    /// The answers.
    pub ratings: Vec<Rating>,
    /// What automatic judges say.
    pub judgments: Vec<Judgment>,
    /// What the researcher decided where votes give no label; never counted among them.
    pub adjudications: Vec<Adjudication>,
    /// Pairs of responses.
    pub pairs: Vec<Pair>,
    /// Choices between them.
    pub preferences: Vec<Preference>,
}

/// Records that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the records do not fit together:\n  {}", .0.join("\n  "))]
pub struct Mismatch(
    /// All faults, each with the id of its record.
    pub Vec<String>,
);

/// A response with its votes.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<'a> {
    /// The response.
    pub item: &'a Item,
    /// The votes.
    pub ballot: Ballot,
    /// The label that they give.
    pub label: Option<Label>,
    /// Whether the required number of raters answered.
    pub complete: bool,
}

impl Study {
    /// Looks for records that refer to nothing, for ids that come twice and for values that cannot
    /// be.
    ///
    /// # Errors
    /// All faults at once.
    pub fn check(&self) -> Result<(), Mismatch> {
        let mut faults = Vec::new();
        let items = unique("item", self.items.iter().map(|item| &item.id), &mut faults);
        let pairs = unique("pair", self.pairs.iter().map(|pair| &pair.id), &mut faults);
        unique("system", self.systems.iter().map(|system| &system.name), &mut faults);
        faults.extend(self.systems.iter().filter_map(|system| system.check().err()));
        for item in self.items.iter().filter(|item| item.is_rated() && item.system.is_empty()) {
            faults.push(format!("item {:?} names no system", item.id));
        }
        for item in self.items.iter().filter(|item| item.conversation.is_empty()) {
            faults.push(format!("item {:?} names no conversation", item.id));
        }
        for (id, likelihood) in
            self.items.iter().filter_map(|item| item.likelihood.map(|l| (&item.id, l)))
        {
            if likelihood.tokens == 0 || !(likelihood.nll >= 0.0 && likelihood.nll.is_finite()) {
                faults.push(format!(
                    "item {id:?}: a likelihood needs tokens and a finite nll of 0 or more"
                ));
            }
        }
        let known = self.ratings.iter().map(|rating| ("rating", &rating.item, &rating.rater));
        let judged = self.judgments.iter().map(|j| ("judgment", &j.item, &j.judge));
        let decided = self.adjudications.iter().map(|a| ("adjudication", &a.item, &a.by));
        let all = known.chain(judged).chain(decided);
        for (what, item, by) in all.filter(|(_, item, _)| !items.contains(*item)) {
            faults.push(format!("{what} by {by:?} of an unknown item {item:?}"));
        }
        for decision in self.adjudications.iter().filter(|a| a.specific && !a.sensible) {
            let item = &decision.item;
            faults.push(format!("adjudication of {item:?}: what makes no sense is not specific"));
        }
        for preference in self.preferences.iter().filter(|p| !pairs.contains(&p.pair)) {
            let Preference { pair, rater, .. } = preference;
            faults.push(format!("preference by {rater:?} of an unknown pair {pair:?}"));
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(Mismatch(faults)),
        }
    }

    /// The systems in order of their names, with those that only items name.
    pub fn systems(&self) -> Vec<System> {
        let mut systems: BTreeMap<&str, System> =
            self.systems.iter().map(|system| (&*system.name, system.clone())).collect();
        for item in self.rated() {
            systems
                .entry(&item.system)
                .or_insert_with(|| System { name: item.system.clone(), ..System::default() });
        }
        systems.into_values().collect()
    }

    /// The items that say something about a system.
    pub fn rated(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_rated())
    }

    /// The ratings by item. Where a rater answered twice, the answer that stands later counts: that
    /// is how a correction looks.
    pub fn ratings_by_item(&self) -> BTreeMap<&str, Vec<&Rating>> {
        let mut last: BTreeMap<(&str, &str), &Rating> = BTreeMap::new();
        for rating in &self.ratings {
            last.insert((&rating.item, &rating.rater), rating);
        }
        let mut by_item: BTreeMap<&str, Vec<&Rating>> = BTreeMap::new();
        for ((item, _), rating) in last {
            by_item.entry(item).or_default().push(rating);
        }
        by_item
    }

    /// How many ratings were replaced by a later one of the same rater.
    pub fn replaced(&self) -> usize {
        let standing: usize = self.ratings_by_item().values().map(Vec::len).sum();
        self.ratings.len() - standing
    }

    /// Every rated response with its votes and its label.
    pub fn outcomes(&self) -> Vec<Outcome<'_>> {
        let ratings = self.ratings_by_item();
        let mut outcomes = Vec::new();
        for item in self.rated() {
            let of_item = ratings.get(&*item.id).into_iter().flatten();
            let ballot = Ballot::count(of_item.copied());
            outcomes.push(Outcome {
                item,
                ballot,
                label: ballot.label(self.required),
                complete: ballot.is_complete(self.required),
            });
        }
        outcomes
    }

    /// The votes on one question about the rated items that `keep` keeps.
    pub fn votes(
        &self,
        keep: impl Fn(&Item) -> bool,
        question: impl Fn(&Rating) -> Option<bool>,
    ) -> Votes {
        let items: BTreeSet<&str> =
            self.rated().filter(|item| keep(item)).map(|item| &*item.id).collect();
        let ratings = self.ratings_by_item();
        let votes =
            ratings.iter().filter(|(item, _)| items.contains(*item)).flat_map(|(_, list)| {
                list.iter().filter_map(|r| Some((&*r.item, &*r.rater, u32::from(question(r)?))))
            });
        Votes::collect(votes)
    }

    /// The modes in which there are rated items.
    pub fn modes(&self) -> BTreeSet<Mode> {
        self.rated().map(|item| item.mode).collect()
    }
}

fn unique<'a>(
    what: &str,
    ids: impl Iterator<Item = &'a String>,
    faults: &mut Vec<String>,
) -> BTreeSet<&'a String> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            faults.push(format!("{what} {id:?} comes twice"));
        }
    }
    seen
}
