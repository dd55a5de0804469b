//! How far raters agree: pairwise agreement, Krippendorff's alpha, Fleiss' and Cohen's kappa.
//!
//! ```
//! use eval_ssa::{Counts, Votes, agreement};
//! // Two raters and two items, without a vote in common beyond the first item.
//! let votes = Votes::from_items(vec![vec![Some(1), Some(1)], vec![Some(0), None]])?;
//! assert_eq!(agreement::pairwise(&votes.counts()).value, Some(1.0));
//! // All votes that can be compared are the same: nothing to be right or wrong about.
//! let alpha = agreement::alpha(&votes.counts());
//! assert_eq!(serde_json::to_string(&alpha)?,
//!     r#"{"value":null,"undefined":"no-variation"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::bootstrap::{Bootstrap, Resampled};
use crate::votes::{Counts, Votes};
use metrics::words::counted;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a number is undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undefined {
    /// All votes are the same, so that agreement beyond chance cannot be told from chance.
    NoVariation,
    /// No item has two votes.
    NoPairs,
    /// No item has all the votes that it should have.
    NoComplete,
    /// Items have different numbers of votes, which this measure does not allow.
    UnequalVotes,
    /// There are too few values.
    TooFew,
    /// The number is larger than a computer's numbers are.
    TooLarge,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoVariation => "undefined (no variation)",
            Self::NoPairs => "undefined (no item has two votes)",
            Self::NoComplete => "undefined (no item has all its votes)",
            Self::UnequalVotes => "undefined (items have different numbers of votes)",
            Self::TooFew => "undefined (too few values)",
            Self::TooLarge => "undefined (too large to compute)",
        })
    }
}

/// A number that may be undefined. In JSON its value is then `null`, in CSV empty; never NaN.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistic {
    /// The number.
    pub value: Option<f64>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<Undefined>,
}

impl Statistic {
    /// A number; undefined if it is not finite.
    pub fn of(value: f64) -> Self {
        match value.is_finite() {
            true => Self { value: Some(value), undefined: None },
            false => Self::undefined(Undefined::TooLarge),
        }
    }

    /// No number, with its reason.
    pub fn undefined(reason: Undefined) -> Self {
        Self { value: None, undefined: Some(reason) }
    }
}

impl fmt::Display for Statistic {
    /// With the precision asked for, or the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.value, self.undefined) {
            (Some(value), _) => value.fmt(f),
            (None, Some(reason)) => reason.fmt(f),
            (None, None) => f.write_str("undefined"),
        }
    }
}

/// Pairs of votes on the same item that are equal, and all pairs.
fn pairs(counts: &Counts) -> (u64, u64) {
    let of = |n: u64| n * n.saturating_sub(1) / 2;
    counts.pairable().fold((0, 0), |(equal, all), (votes, row)| {
        (equal + row.iter().map(|n| of(u64::from(*n))).sum::<u64>(), all + of(votes))
    })
}

/// The share of equal votes among all pairs of votes on the same item.
pub fn pairwise(counts: &Counts) -> Statistic {
    match pairs(counts) {
        (_, 0) => Statistic::undefined(Undefined::NoPairs),
        (equal, all) => Statistic::of(equal as f64 / all as f64),
    }
}

/// What alpha needs of some items; that of more items is the sum.
#[derive(Clone, Debug, Default)]
struct Coincidences {
    /// Votes of each category on items with at least two.
    totals: Vec<u64>,
    /// Σ_u Σ_{c≠k} n_uc n_uk / (m_u - 1).
    observed: f64,
}

impl Coincidences {
    fn of(counts: &Counts) -> Self {
        let mut found = Self { totals: vec![0; counts.categories()], observed: 0.0 };
        for (votes, row) in counts.pairable() {
            let mut equal = 0;
            for (total, n) in found.totals.iter_mut().zip(row) {
                *total += u64::from(*n);
                equal += u64::from(*n) * u64::from(*n);
            }
            found.observed += (votes * votes - equal) as f64 / (votes - 1) as f64;
        }
        found
    }

    fn add(&mut self, other: &Self) {
        self.totals.resize(self.totals.len().max(other.totals.len()), 0);
        for (total, more) in self.totals.iter_mut().zip(&other.totals) {
            *total += more;
        }
        self.observed += other.observed;
    }

    fn alpha(&self) -> Statistic {
        let all: u64 = self.totals.iter().sum();
        if all == 0 {
            return Statistic::undefined(Undefined::NoPairs);
        }
        let squares: u128 = self.totals.iter().map(|n| u128::from(*n) * u128::from(*n)).sum();
        let expected = u128::from(all) * u128::from(all) - squares;
        if expected == 0 {
            return Statistic::undefined(Undefined::NoVariation);
        }
        Statistic::of(1.0 - (all - 1) as f64 * self.observed / expected as f64)
    }
}

/// Krippendorff's alpha for nominal categories: 1 - observed / expected disagreement. Items with
/// fewer than two votes are left out, also from the expected disagreement.
///
/// With n_uc votes for category c on item u, m_u votes on it and n in all: D_o = (1/n) Σ_u Σ_{c≠k}
/// n_uc n_uk / (m_u - 1), D_e = Σ_{c≠k} n_c n_k / (n (n - 1)) (Krippendorff 2011).
pub fn alpha(counts: &Counts) -> Statistic {
    Coincidences::of(counts).alpha()
}

/// The interval of alpha when whole conversations are drawn anew, each given by its votes.
/// Resamples without variation have no alpha and are left out and counted. `None` with fewer than
/// two conversations that have votes to compare, and where all resamples have the same alpha: an
/// interval without width says nothing about certainty.
pub fn alpha_interval(conversations: &[Counts], bootstrap: &Bootstrap) -> Option<Resampled> {
    let parts: Vec<Coincidences> = conversations.iter().map(Coincidences::of).collect();
    if parts.iter().filter(|part| part.totals.iter().any(|&votes| votes > 0)).count() < 2 {
        return None;
    }
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    let found = bootstrap.resample(parts.len(), |drawn| {
        let mut all = Coincidences::default();
        drawn.iter().for_each(|index| all.add(&parts[*index]));
        let alpha = all.alpha().value?;
        (least, most) = (least.min(alpha), most.max(alpha));
        Some(alpha)
    });
    found.filter(|_| most - least > 1e-12)
}

/// Fleiss' kappa, for items that all have the same number of votes, by whomever.
pub fn fleiss(counts: &Counts) -> Statistic {
    let votes = |row: &Vec<u32>| row.iter().map(|n| u64::from(*n)).sum::<u64>();
    let Some(first) = counts.items().first().map(votes) else {
        return Statistic::undefined(Undefined::NoPairs);
    };
    if counts.items().iter().any(|row| votes(row) != first) {
        return Statistic::undefined(Undefined::UnequalVotes);
    }
    let (equal, pairs) = pairs(counts);
    if pairs == 0 {
        return Statistic::undefined(Undefined::NoPairs);
    }
    let totals = counts.totals();
    beyond_chance(equal, pairs, &totals, &totals)
}

/// Cohen's kappa of two raters, columns of the table, over the items on which both voted. Panics if
/// the table has no such column.
pub fn cohen(votes: &Votes, first: usize, second: usize) -> Statistic {
    let raters = votes.raters();
    for rater in [first, second] {
        assert!(rater < raters, "rater {rater} of a table of {}", counted(raters, "rater"));
    }
    let both: Vec<(u32, u32)> =
        votes.items().iter().filter_map(|row| row[first].zip(row[second])).collect();
    if both.is_empty() {
        return Statistic::undefined(Undefined::NoPairs);
    }
    let top = both.iter().map(|(a, b)| *a.max(b)).max().unwrap_or(0) as usize;
    let (mut a, mut b) = (vec![0; top + 1], vec![0; top + 1]);
    let mut equal = 0;
    for (x, y) in &both {
        a[*x as usize] += 1;
        b[*y as usize] += 1;
        equal += u64::from(x == y);
    }
    beyond_chance(equal, both.len() as u64, &a, &b)
}

/// (observed - expected) / (1 - expected) agreement, the latter by the categories' shares among two
/// sets of votes of the same size.
fn beyond_chance(equal: u64, pairs: u64, a: &[u64], b: &[u64]) -> Statistic {
    let all: u64 = a.iter().sum();
    let meeting: u128 = a.iter().zip(b).map(|(x, y)| u128::from(*x) * u128::from(*y)).sum();
    let possible = u128::from(all) * u128::from(all);
    if meeting == possible {
        return Statistic::undefined(Undefined::NoVariation);
    }
    let expected = meeting as f64 / possible as f64;
    let observed = equal as f64 / pairs as f64;
    Statistic::of((observed - expected) / (1.0 - expected))
}

/// From this share of one category on, alpha and kappa say little.
pub const ONE_SIDED: f64 = 0.95;

/// What the raters' votes on one question say about their agreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Items with at least two votes.
    pub items: usize,
    /// Votes on them.
    pub votes: u64,
    /// Raters who gave any vote.
    pub raters: usize,
    /// Share of equal votes among all pairs on the same item.
    pub pairwise: Statistic,
    /// Krippendorff's alpha (nominal).
    pub alpha: Statistic,
    /// Fleiss' kappa over the items that have exactly the required number of votes.
    pub fleiss: Statistic,
    /// How many items that are.
    pub fleiss_items: usize,
    /// Mean of Cohen's kappa over the pairs of raters for whom it is defined.
    pub mean_cohen: Statistic,
    /// Share of the more frequent answer.
    pub largest_share: Option<f64>,
}

impl Agreement {
    /// Measures the votes; `required` is the number of votes that an item should have.
    pub fn measure(votes: &Votes, required: u32) -> Self {
        let counts = votes.counts();
        let complete: Vec<Vec<u32>> = counts
            .items()
            .iter()
            .filter(|row| row.iter().sum::<u32>() == required)
            .cloned()
            .collect();
        let fleiss_items = complete.len();
        let complete = Counts::from_items(complete).expect("rows of one table");
        let cohens: Vec<f64> = (0..votes.raters())
            .flat_map(|a| (0..a).map(move |b| (b, a)))
            .filter_map(|(a, b)| cohen(votes, a, b).value)
            .collect();
        let mean_cohen = match metrics::stats::mean(&cohens) {
            Some(mean) => Statistic::of(mean),
            None => Statistic::undefined(match pairwise(&counts).value {
                Some(_) => Undefined::NoVariation,
                None => Undefined::NoPairs,
            }),
        };
        Self {
            items: counts.pairable().count(),
            votes: counts.pairable().map(|(votes, _)| votes).sum(),
            raters: votes.raters(),
            pairwise: pairwise(&counts),
            alpha: alpha(&counts),
            fleiss: match fleiss_items {
                0 => Statistic::undefined(Undefined::NoComplete),
                _ => fleiss(&complete),
            },
            fleiss_items,
            mean_cohen,
            largest_share: counts.largest_share(),
        }
    }

    /// A sentence for the report when alpha and kappa say little or nothing.
    pub fn warning(&self) -> Option<String> {
        let share = self.largest_share.filter(|share| *share > ONE_SIDED)?;
        Some(format!(
            "{:.1} % of the votes are the same answer: alpha and kappa say little then (a single \
             vote can move them from undefined to 0), so read the pairwise agreement.",
            share * 100.0
        ))
    }
}
