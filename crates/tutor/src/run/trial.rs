//! A choice among classifiers of one's own samples, by short trainings on some of the labels that
//! are measured on the others.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use metrics::words::counted;
use report::words::duration;
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
        faults
            .values()
            .rate("trial.share", share)
            .must_be((1..=20).contains(&folds), "trial.folds", folds, "in 1 to 20")
            .inner_fraction("trial.held_out", held_out);
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
    /// What each training of a network took, fold by fold.
    #[serde(default)]
    pub(crate) trained: BTreeMap<String, Vec<Trained>>,
    /// What was chosen for each row without a network, in words, fold by fold.
    #[serde(default)]
    pub(crate) chosen: BTreeMap<String, Vec<String>>,
    /// Whether they were long enough to choose by.
    pub(crate) decides: bool,
    /// Whether there was no label to hold out.
    #[serde(default)]
    pub(crate) no_labels: bool,
    pub(crate) cost: StageCost,
}

/// What a training of a network took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trained {
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
    /// Steps that a network of its row has at most.
    pub(crate) most: u64,
    /// Steps from which on it tells something of its row.
    pub(crate) enough: u64,
}

/// Of two trainings, one of less than this share of the other's time is clearly shorter.
const SHORT: f64 = 0.75;

impl Trained {
    /// Whether so few steps tell little.
    pub(crate) fn has_few_steps(self) -> bool {
        self.steps < self.enough
    }

    /// Whether it was too short to be held against `other`, which had no training where it is none.
    pub(crate) fn is_short(self, other: Option<Self>) -> bool {
        let is_shorter = |other: Self| self.seconds < SHORT * other.seconds;
        self.has_few_steps() || (self.steps < self.most && other.is_some_and(is_shorter))
    }

    /// `57 steps in 23.4 s`.
    pub(crate) fn told(self) -> String {
        format!("{} in {}", counted(self.steps, "step"), duration(self.seconds))
    }
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

    /// Notes what a row's training on a fold took.
    pub(crate) fn took(&mut self, row: &str, trained: Trained) {
        self.trained.entry(row.to_owned()).or_default().push(trained);
    }

    /// What the trainings of a row took: the fewest steps and the mean of the seconds; none of a
    /// row without a network.
    pub(crate) fn training(&self, row: &str) -> Option<Trained> {
        let all = self.trained.get(row)?;
        let least = all.iter().copied().min_by_key(|trained| trained.steps)?;
        let seconds = all.iter().map(|trained| trained.seconds).sum::<f64>() / all.len() as f64;
        Some(Trained { seconds, ..least })
    }

    /// How long its networks were trained, in words; none without a network.
    pub(crate) fn seconds(&self) -> Option<String> {
        let all = || self.trained.values().flatten().map(|trained| trained.seconds);
        let least = all().reduce(f64::min)?;
        let (least, most) = (duration(least), duration(all().fold(0.0, f64::max)));
        Some(if least == most { least } else { format!("{least} to {most}") })
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
        let clear = 2.0 * paired.error;
        let (row, verdict) = match paired.mean {
            lead if lead > clear => {
                (&name, "is better by more than two standard errors".to_owned())
            }
            lead if lead > 0.0 => {
                (&candidate, "is kept, as it is behind by no more than chance".to_owned())
            }
            lead if lead < -clear => {
                (&candidate, "is better by more than two standard errors".to_owned())
            }
            lead if lead < 0.0 => (&candidate, "is ahead, which may be chance".to_owned()),
            _ => (&candidate, format!("is as good, and learns from unlabelled {unit} too")),
        };
        let why = format!(
            "in the trial {candidate} got {percent:.1} % of {} held-out {unit}, {name} {alone:.1} %: \
             {row} {verdict}",
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
    fn what_is_kept_is_said_to_be_ahead_only_where_it_is() {
        let why = |alone, other| {
            let mut trial = Trial { decides: true, ..Trial::default() };
            trial.add(LABELS_ALONE, scores(alone));
            trial.add("other", scores(other));
            trial.choose(&[LABELS_ALONE], &["other"], "texts").expect("a choice").why
        };
        for (alone, other, said) in [
            (90, 60, "labels-alone is better by more than two standard errors"),
            (61, 60, "other is kept, as it is behind by no more than chance"),
            (60, 60, "other is as good, and learns from unlabelled texts too"),
            (60, 61, "other is ahead, which may be chance"),
            (60, 90, "other is better by more than two standard errors"),
        ] {
            let why = why(alone, other);
            assert!(why.ends_with(said), "{why}");
        }
    }

    #[test]
    fn trainings_are_told_by_what_they_took() {
        let mut trial = Trial::default();
        assert_eq!((trial.seconds(), trial.training("it")), (None, None));
        let trained = |steps, seconds| Trained { steps, seconds, most: 1000, enough: 100 };
        trial.took("it", trained(120, 3.0));
        trial.took("it", trained(90, 4.0));
        assert_eq!(trial.seconds().as_deref(), Some("3.0 s to 4.0 s"));
        assert_eq!(trial.training("it"), Some(trained(90, 3.5)));
        assert_eq!(trained(1, 3.5).told(), "1 step in 3.5 s");
        assert_eq!(trained(90, 3.5).told(), "90 steps in 3.5 s");
        assert!(trained(90, 3.5).is_short(None) && !trained(100, 3.5).is_short(None));
        assert!(trained(500, 7.0).is_short(Some(trained(100, 10.0))));
        assert!(!trained(1000, 7.0).is_short(Some(trained(100, 10.0))), "it had all its steps");
        let few = Trained { most: 14, enough: 14, ..trained(14, 1.0) };
        assert!(!few.is_short(Some(trained(14, 1.1))), "it cannot have more");
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
