//! A choice among classifiers of one's own samples, by short trainings on some of the labels that
//! are measured on the others.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::cost::StageCost;
use super::scores::{Paired, Scores};
use crate::recipe::faults::Faults;

/// Short trainings on some of the labels, measured on the others.
///
/// | key | default | what | range |
/// |---|---|---|---|
/// | `share` | 0.25 | share of the time | \[0, 1) |
/// | `folds` | 2 | how often; each time another part of the labels is held out | 1 to 20 |
/// | `held_out` | 0.2 | share of the labels that is held out where `folds` is 1 | (0, 1) |
/// | `steps` | 100 | with fewer steps of a training nothing is chosen by it, and it is left out where there is a test part | |
///
/// A method that learns from its own predictions starts slowly: after 20 to 50 steps the labels
/// alone are ahead of it on data where it is far ahead in the end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrialConfig {
    pub(crate) share: f64,
    pub(crate) folds: usize,
    pub(crate) held_out: f64,
    pub(crate) steps: u64,
}

impl Default for TrialConfig {
    fn default() -> Self {
        Self { share: 0.25, folds: 2, held_out: 0.2, steps: 100 }
    }
}

impl TrialConfig {
    /// Adds what cannot work.
    pub(crate) fn check(&self, faults: &mut Faults) {
        let Self { share, folds, held_out, .. } = *self;
        if !(0.0..1.0).contains(&share) {
            faults.add("trial.share", format!("is {share}; it must be in [0, 1)"));
        }
        if !(1..=20).contains(&folds) {
            faults.add("trial.folds", format!("is {folds}; it must be 1 to 20"));
        }
        if !(held_out > 0.0 && held_out < 1.0) {
            faults.add("trial.held_out", format!("is {held_out}; it must be in (0, 1)"));
        }
    }
}

/// The row of the labels alone.
pub(crate) const LABELS_ALONE: &str = "labels-alone";

/// What the trial found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// Of each row, what it said of the samples that were held out.
    pub(crate) scores: BTreeMap<String, Scores>,
    /// How many folds were trained.
    pub(crate) folds: usize,
    /// Seconds of each of its trainings.
    pub(crate) seconds: f64,
    /// Whether they were long enough to choose by.
    pub(crate) decides: bool,
    /// Whether there was no label to hold out.
    #[serde(default)]
    pub(crate) no_labels: bool,
    pub(crate) cost: StageCost,
}

/// Why a row was chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Choice {
    pub(crate) row: String,
    pub(crate) why: String,
}

impl Trial {
    /// Adds what a row said of samples that were held out.
    pub(crate) fn add(&mut self, row: &str, scores: Scores) {
        self.scores.entry(row.to_owned()).or_default().extend(scores);
    }

    /// The row whose network is used: the best of `candidates`, those that learn from unlabelled
    /// samples too, unless the best of the labels alone (`alone`, at least one) is better by more
    /// than two standard errors. Short trainings do not do justice to methods that need more steps,
    /// so less is no reason to do without the unlabelled samples. `unit` is what a sample is:
    /// `images`.
    pub(crate) fn choose(&self, alone: &[&str], candidates: &[&str], unit: &str) -> Result<Choice> {
        // Of equals the first.
        let best = |rows: &[&str]| {
            let found = rows
                .iter()
                .filter_map(|row| Some(((*row).to_owned(), self.scores.get(*row)?.accuracy()?)));
            found.reduce(|best, next| if next.1 > best.1 { next } else { best })
        };
        let best_alone = best(alone).filter(|_| self.decides);
        let Some(first) = candidates.first() else {
            let none = format!("there is no method for unlabelled {unit}");
            return Ok(match best_alone {
                Some((row, percent)) if alone.len() > 1 => {
                    let n = self.scores[&row].len();
                    let why =
                        format!("{none}, and it got most of {n} held-out {unit}, {percent:.1} %");
                    Choice { row, why }
                }
                _ => Choice { row: alone[0].to_owned(), why: none },
            });
        };
        let (name, alone) = match best_alone {
            Some(found) => found,
            None => {
                let why = match self.no_labels {
                    true => "the default: no label could be held out for a trial",
                    false => "the default: a trial on held-out labels is too short to choose by",
                };
                return Ok(Choice { row: (*first).to_owned(), why: why.to_owned() });
            }
        };
        let (candidate, percent) =
            best(candidates).with_context(|| format!("a trial of {}", candidates.join(", ")))?;
        let scores = &self.scores[&candidate];
        let paired = Paired::between(&self.scores[&name], scores)?;
        let (row, verdict) = match paired.mean > 2.0 * paired.error {
            true => (&name, "better by more than two standard errors"),
            false if paired.mean > 0.0 => (&candidate, "kept, as the difference may be chance"),
            false => (&candidate, "not behind"),
        };
        let why = format!(
            "in the trial {candidate} got {percent:.1} % of {} held-out {unit}, {name} {alone:.1} %: \
             {row} is {verdict}",
            scores.len()
        );
        Ok(Choice { row: row.to_owned(), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(right: usize) -> Scores {
        Scores {
            ids: (0..100).map(|i| i.to_string()).collect(),
            truth: vec![0; 100],
            rows: (0..100)
                .map(|i| if i < right { vec![0.9, 0.1] } else { vec![0.1, 0.9] })
                .collect(),
        }
    }

    #[test]
    fn only_a_clear_lead_takes_the_labels_alone() {
        let of = |alone, other, decides| {
            let mut trial = Trial { decides, ..Trial::default() };
            trial.add(LABELS_ALONE, scores(alone));
            trial.add("other", scores(other));
            trial.choose(&[LABELS_ALONE], &["other"], "texts").expect("a choice").row
        };
        assert_eq!(of(90, 60, true), LABELS_ALONE);
        assert_eq!(of(61, 60, true), "other");
        assert_eq!(of(90, 60, false), "other");
        let none = Trial::default().choose(&[LABELS_ALONE], &[], "texts").expect("a choice");
        assert_eq!(none.row, LABELS_ALONE);
        assert!(none.why.contains("unlabelled texts"));
    }

    #[test]
    fn of_several_rows_of_a_kind_the_best_counts() {
        let mut trial = Trial { decides: true, ..Trial::default() };
        for (row, right) in [("a", 50), ("b", 80), ("c", 60), ("d", 79)] {
            trial.add(row, scores(right));
        }
        let choose = |alone: &[&str], candidates: &[&str]| {
            trial.choose(alone, candidates, "texts").expect("a choice").row
        };
        assert_eq!(choose(&["a", "b"], &[]), "b");
        assert_eq!(choose(&["a", "b"], &["c"]), "b");
        assert_eq!(choose(&["a", "b"], &["c", "d"]), "d");
    }
}
