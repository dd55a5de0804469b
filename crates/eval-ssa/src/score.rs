//! Sensibleness, specificity and their average, for each system and mode, with intervals; and the
//! difference between two systems.

use crate::bootstrap::{Bootstrap, Difference, Estimate, Unit};
use crate::item::{Label, Mode};
use crate::protocol::{Ballot, Required, Tally};
use crate::study::{Outcome, Study};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a response's label is worth to one of the three measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The share of responses that make sense.
    Sensibleness,
    /// The share of all responses that are specific.
    Specificity,
    /// Their mean.
    Ssa,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sensibleness, Self::Specificity, Self::Ssa];

    /// Its name, as reports print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sensibleness => "sensibleness",
            Self::Specificity => "specificity",
            Self::Ssa => "SSA",
        }
    }

    /// 0, 1/2 or 1.
    pub fn of(self, label: Label) -> f64 {
        match self {
            Self::Sensibleness => f64::from(label.is_sensible()),
            Self::Specificity => f64::from(label.is_specific()),
            Self::Ssa => label.ssa(),
        }
    }
}

/// How far the ratings of some responses are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// All responses.
    pub responses: usize,
    /// Those with a label: only they count for the measures.
    pub decided: usize,
    /// Those that have votes and no label.
    pub undecided: usize,
    /// Those without a vote.
    pub unrated: usize,
    /// Those, with a label or without, that fewer than the required number of raters answered.
    pub incomplete: usize,
    /// Answers that were skipped.
    pub skipped: u32,
}

impl Progress {
    fn count<'a>(outcomes: impl Iterator<Item = &'a Outcome<'a>>) -> Self {
        let mut progress = Self::default();
        for outcome in outcomes {
            let voted = outcome.ballot.sensible.votes() > 0;
            progress.responses += 1;
            progress.decided += usize::from(outcome.label.is_some());
            progress.undecided += usize::from(outcome.label.is_none() && voted);
            progress.unrated += usize::from(!voted);
            progress.incomplete += usize::from(!outcome.complete);
            progress.skipped += outcome.ballot.skipped;
        }
        progress
    }
}

/// The three measures of some responses, without intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// What these responses share: the turn, or the length of the context.
    pub key: u32,
    /// Responses with a label.
    pub responses: usize,
    /// Share that makes sense.
    pub sensibleness: f64,
    /// Share that is specific.
    pub specificity: f64,
    /// Their mean.
    pub ssa: f64,
}

/// What one system reaches in one mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The system.
    pub system: String,
    /// The mode.
    pub mode: Mode,
    /// How far its ratings are.
    pub progress: Progress,
    /// Share of the decided responses that makes sense; `None` if none is decided.
    pub sensibleness: Option<Estimate>,
    /// Share that is specific.
    pub specificity: Option<Estimate>,
    /// Their mean.
    pub ssa: Option<Estimate>,
    /// Share of responses that a person could have given, by most raters; `None` if that was not
    /// asked.
    pub human_likeness: Option<Estimate>,
    /// Between which values the SSA would lie whatever the votes that are missing will be.
    pub ssa_bounds: Option<[f64; 2]>,
    /// The measures by the number of turns before the response.
    pub by_turn: Vec<Slice>,
    /// The measures by how many turns raters were shown.
    pub by_context_length: Vec<Slice>,
}

impl Score {
    /// One of the three estimates.
    pub fn estimate(&self, measure: Measure) -> Option<&Estimate> {
        match measure {
            Measure::Sensibleness => self.sensibleness.as_ref(),
            Measure::Specificity => self.specificity.as_ref(),
            Measure::Ssa => self.ssa.as_ref(),
        }
    }
}

/// The difference between two systems in one mode and measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The mode.
    pub mode: Mode,
    /// The measure.
    pub measure: Measure,
    /// The systems: the difference is the first minus the second.
    pub systems: [String; 2],
    /// The difference; `None` where a system has no decided response, or a static comparison no
    /// context that both answered.
    pub difference: Option<Difference>,
    /// Contexts that only one of the two answered; a paired comparison leaves them out.
    pub unpaired_units: usize,
}

/// Decided responses of one system and mode by conversation or context.
fn units(outcomes: &[&Outcome<'_>], measure: Measure) -> BTreeMap<String, Unit> {
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(label) = outcome.label {
            let unit = units.entry(outcome.item.conversation.clone()).or_default();
            unit.sum += measure.of(label);
            unit.count += 1.0;
        }
    }
    units
}

fn slices(outcomes: &[&Outcome<'_>], key: impl Fn(&Outcome<'_>) -> u32) -> Vec<Slice> {
    let mut labels: BTreeMap<u32, Vec<Label>> = BTreeMap::new();
    for outcome in outcomes {
        labels.entry(key(outcome)).or_default().extend(outcome.label);
    }
    labels.retain(|_, labels| !labels.is_empty());
    let slice = |(key, labels): (u32, Vec<Label>)| {
        let of =
            |m: Measure| labels.iter().map(|label| m.of(*label)).sum::<f64>() / labels.len() as f64;
        Slice {
            key,
            responses: labels.len(),
            sensibleness: of(Measure::Sensibleness),
            specificity: of(Measure::Specificity),
            ssa: of(Measure::Ssa),
        }
    };
    labels.into_iter().map(slice).collect()
}

/// The lowest and highest SSA that missing votes leave open.
fn bounds(outcomes: &[&Outcome<'_>], required: Required) -> Option<[f64; 2]> {
    let n = outcomes.len() as f64;
    // The best or the worst that can become of an item.
    let open = |outcome: &Outcome<'_>, best: bool| {
        let Ballot { sensible, specific, .. } = outcome.ballot;
        let becomes = |tally: Tally| if tally.may_be(best, required) { best } else { !best };
        match (becomes(sensible), becomes(specific)) {
            (false, _) => Label::NotSensible,
            (true, false) => Label::Sensible,
            (true, true) => Label::Specific,
        }
    };
    let sum = |best: bool| -> f64 {
        outcomes.iter().map(|o| o.label.unwrap_or_else(|| open(o, best)).ssa()).sum()
    };
    (!outcomes.is_empty()).then(|| [sum(false) / n, sum(true) / n])
}

fn human_likeness(
    outcomes: &[&Outcome<'_>],
    required: Required,
    bootstrap: &Bootstrap,
) -> Option<Estimate> {
    let mut units: BTreeMap<&str, Unit> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(yes) = outcome.ballot.human_like.decide(required) {
            let unit = units.entry(&outcome.item.conversation).or_default();
            unit.sum += f64::from(yes);
            unit.count += 1.0;
        }
    }
    bootstrap.mean(&units.into_values().collect::<Vec<Unit>>())
}

/// Outcomes of one mode by system.
fn by_system<'o, 'i>(
    outcomes: &'o [Outcome<'i>],
    mode: Mode,
) -> BTreeMap<&'o str, Vec<&'o Outcome<'i>>> {
    let mut systems: BTreeMap<&str, Vec<&Outcome<'_>>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.item.mode == mode) {
        systems.entry(&outcome.item.system).or_default().push(outcome);
    }
    systems
}

/// The scores of all systems in both modes, those in static mode first, in order of their names.
pub fn scores(study: &Study, bootstrap: &Bootstrap) -> Vec<Score> {
    scores_of(&study.outcomes(), study.required, bootstrap)
}

/// The scores of all systems that have these outcomes.
pub(crate) fn scores_of(
    outcomes: &[Outcome<'_>],
    required: Required,
    bootstrap: &Bootstrap,
) -> Vec<Score> {
    let mut scores = Vec::new();
    for mode in [Mode::Static, Mode::Interactive] {
        for (system, outcomes) in by_system(outcomes, mode) {
            let estimate = |measure| {
                let units: Vec<Unit> = units(&outcomes, measure).into_values().collect();
                bootstrap.mean(&units)
            };
            scores.push(Score {
                system: system.to_owned(),
                mode,
                progress: Progress::count(outcomes.iter().copied()),
                sensibleness: estimate(Measure::Sensibleness),
                specificity: estimate(Measure::Specificity),
                ssa: estimate(Measure::Ssa),
                human_likeness: human_likeness(&outcomes, required, bootstrap),
                ssa_bounds: bounds(&outcomes, required),
                by_turn: slices(&outcomes, |outcome| outcome.item.turn),
                by_context_length: slices(&outcomes, |o| o.item.context.len() as u32),
            });
        }
    }
    scores
}

/// The differences between all pairs of systems: paired by context in static mode, unpaired in
/// interactive mode.
pub fn comparisons(study: &Study, bootstrap: &Bootstrap) -> Vec<Comparison> {
    let outcomes = study.outcomes();
    let mut comparisons = Vec::new();
    for mode in [Mode::Static, Mode::Interactive] {
        let systems: Vec<_> = by_system(&outcomes, mode).into_iter().collect();
        for (index, (first, first_outcomes)) in systems.iter().enumerate() {
            for (second, second_outcomes) in &systems[index + 1..] {
                for measure in Measure::ALL {
                    let a = units(first_outcomes, measure);
                    let b = units(second_outcomes, measure);
                    let (difference, unpaired_units) = compare(&a, &b, mode, bootstrap);
                    comparisons.push(Comparison {
                        mode,
                        measure,
                        systems: [(*first).to_owned(), (*second).to_owned()],
                        difference,
                        unpaired_units,
                    });
                }
            }
        }
    }
    comparisons
}

fn compare(
    a: &BTreeMap<String, Unit>,
    b: &BTreeMap<String, Unit>,
    mode: Mode,
    bootstrap: &Bootstrap,
) -> (Option<Difference>, usize) {
    let values =
        |units: &BTreeMap<String, Unit>| -> Vec<Unit> { units.values().copied().collect() };
    match mode {
        Mode::Interactive => (bootstrap.unpaired(&values(a), &values(b)), 0),
        Mode::Static => {
            let both: Vec<[Unit; 2]> =
                a.iter().filter_map(|(key, unit)| Some([*unit, *b.get(key)?])).collect();
            (bootstrap.paired(&both), a.len() + b.len() - 2 * both.len())
        }
    }
}
