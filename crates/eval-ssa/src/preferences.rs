//! Side by side: how often one system's response is chosen over another's.

use crate::bootstrap::{Bootstrap, Estimate, Unit};
use crate::preference::{Choice, Pair, Preference};
use crate::quality::Share;
use crate::study::Study;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How choices become the share for the first of two systems, in words for reports.
pub const RULE: &str =
    "a tie, whether both are as good or both are bad, counts as half a vote for each";

/// The choices between two systems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contest {
    /// The systems, in order of their names.
    pub systems: [String; 2],
    /// Votes for the first.
    pub first: u64,
    /// Votes for the second.
    pub second: u64,
    /// Votes that both are as good.
    pub ties: u64,
    /// Votes that both are bad.
    pub both_bad: u64,
    /// The share of votes for the first by [`RULE`]. Drawn anew are conversations or contexts.
    pub score: Option<Estimate>,
    /// Votes for whichever response was on the left, among those for one of the two: far from one
    /// half, raters preferred a side.
    pub left: Share,
}

impl Contest {
    /// All votes, ties included.
    pub fn choices(&self) -> u64 {
        self.first + self.second + self.ties + self.both_bad
    }
}

/// How many raters chose between the two responses of a pair.
pub(crate) fn choosers(study: &Study) -> usize {
    let pairs: BTreeSet<&str> = study.pairs.iter().map(|pair| &*pair.id).collect();
    let of_pairs = study.preferences.iter().filter(|p| pairs.contains(&*p.pair));
    of_pairs.map(|preference| &*preference.rater).collect::<BTreeSet<&str>>().len()
}

/// All contests of a study. A rater's later choice on the same pair replaces the earlier one.
pub fn contests(study: &Study, bootstrap: &Bootstrap) -> Vec<Contest> {
    let pairs: BTreeMap<&str, &Pair> = study.pairs.iter().map(|pair| (&*pair.id, pair)).collect();
    let mut last: BTreeMap<(&str, &str), &Preference> = BTreeMap::new();
    for preference in &study.preferences {
        last.insert((&preference.pair, &preference.rater), preference);
    }
    let mut contests: BTreeMap<[&str; 2], (Contest, BTreeMap<&str, Unit>)> = BTreeMap::new();
    for preference in last.into_values() {
        let Some(pair) = pairs.get(&*preference.pair) else { continue };
        let [a, b] = &pair.systems;
        let turned = b < a;
        let systems: [&str; 2] = if turned { [b, a] } else { [a, b] };
        let (contest, units) = contests.entry(systems).or_insert_with(|| {
            let contest = Contest {
                systems: systems.map(str::to_owned),
                first: 0,
                second: 0,
                ties: 0,
                both_bad: 0,
                score: None,
                left: Share::default(),
            };
            (contest, BTreeMap::new())
        });
        let value = match preference.choice {
            Choice::First => f64::from(!turned),
            Choice::Second => f64::from(turned),
            Choice::Tie | Choice::BothBad => 0.5,
        };
        match preference.choice {
            Choice::Tie => contest.ties += 1,
            Choice::BothBad => contest.both_bad += 1,
            Choice::First | Choice::Second => {
                contest.first += u64::from(value == 1.0);
                contest.second += u64::from(value == 0.0);
                contest.left.count((preference.choice == Choice::First) != preference.swapped);
            }
        }
        let unit = units.entry(&pair.conversation).or_default();
        unit.sum += value;
        unit.count += 1.0;
    }
    let finish = |(mut contest, units): (Contest, BTreeMap<&str, Unit>)| {
        contest.score = bootstrap.mean(&units.into_values().collect::<Vec<Unit>>());
        contest
    };
    contests.into_values().map(finish).collect()
}
