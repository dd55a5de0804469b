//! Which pseudo-labelled images a student sees, and how often: Noisy Student's filter and balance
//! (arXiv 1911.04252, 2.2 and the released `filter_unlabel.py`).
//!
//! Everything is a pure function of labels and confidences, wherever the rows come from. NaN and
//! what lies outside 0 to 1 are no confidences: such a row is never selected. −0 is 0.

mod histogram;

pub use histogram::{Histogram, bucket};

use crate::pseudo_labels::SLACK;
use augment::rng::Rng;
use serde::{Deserialize, Serialize};

/// How a class is brought to its number of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// As the released code does it: a class's threshold is the highest multiple of .01 at which it
    /// has enough images, or `min_confidence`; every image from there on is taken `per_class /
    /// kept` times, the fraction by chance. The number of a class is met on average only.
    #[default]
    ReleasedCode,
    /// As the paper says it: the `per_class` most confident images; a class that is short is filled
    /// up with random copies. The number of a class is met exactly.
    Paper,
}

/// What is selected.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `rule` | released-code | how a class is brought to its number | released-code, paper |
/// | `min_confidence` | 0.3 | images below it are dropped; 0 keeps all | 0 to 1 |
/// | `per_class` | none | images per class after balancing; none: no balancing | > 0 |
/// | `duplicate` | true | whether classes that are short are filled with copies | |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// How a class is brought to its number.
    pub rule: Rule,
    /// The least confidence kept.
    pub min_confidence: f32,
    /// Images per class after balancing (Noisy Student: 130,000 on ImageNet, 53,113 on SVHN);
    /// `None` does not balance.
    pub per_class: Option<usize>,
    /// Whether classes that are short are filled with copies.
    pub duplicate: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self { rule: Rule::ReleasedCode, min_confidence: 0.3, per_class: None, duplicate: true }
    }
}

impl Selection {
    /// Whether a row of this confidence is kept before classes are balanced.
    pub fn keeps(&self, confidence: f32) -> bool {
        rank(confidence).is_some() && confidence >= self.min_confidence
    }

    /// How often each of a class's images is taken, best first, so that there are `wanted`: of
    /// those at or above its threshold ([`enough`]) by the released code, of all that are kept by
    /// the paper's rule. `there` is how many these are; images behind the last number are not
    /// taken.
    pub fn copies(&self, there: usize, wanted: usize, rng: &mut Rng) -> Vec<usize> {
        match self.rule {
            Rule::ReleasedCode => copies_by_chance(there, wanted, self.duplicate, rng),
            Rule::Paper => exact_copies(there, wanted, self.duplicate, rng),
        }
    }
}

/// The order of confidences: larger for a larger one, the same for 0 and −0; none for what is no
/// confidence: NaN, and what lies outside 0 to 1 by more than rounding (0.001).
///
/// ```
/// use data_pipeline::balance::rank;
/// assert!(rank(1.0) > rank(0.25) && rank(0.25) > rank(0.0));
/// assert_eq!((rank(-0.0), rank(f32::NAN)), (rank(0.0), None));
/// assert!(rank(1.000_000_1) > rank(1.0));
/// assert_eq!([-0.5, 1.01, f32::INFINITY].map(rank), [None; 3]);
/// ```
pub fn rank(confidence: f32) -> Option<u32> {
    // The bits of positive numbers are ordered as they are. The sign of 0 goes: −0 + 0 is 0.
    (0.0..=1.0 + SLACK).contains(&confidence).then(|| (confidence + 0.0).to_bits())
}

/// The part of a row that the selection needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The pseudo-label.
    pub label: u32,
    /// Its probability.
    pub confidence: f32,
}

impl From<&crate::pseudo_labels::PseudoLabel> for Scored {
    fn from(row: &crate::pseudo_labels::PseudoLabel) -> Self {
        Self { label: row.label, confidence: row.confidence }
    }
}

/// Positions in `rows` that are selected, ascending, each as often as its image is to be shown in
/// an epoch.
///
/// Classes are treated one after the other, each in the order of falling [`rank`] (equal ones in
/// the order of `rows`), and random numbers are drawn from `rng` in that order. A class without an
/// image above the threshold gives none.
///
/// ```
/// use data_pipeline::balance::{Scored, Selection, filter_and_balance};
/// let rows = [(0, 0.9), (0, 0.8), (0, 0.2), (1, 0.7)];
/// let rows = rows.map(|(label, confidence)| Scored { label, confidence });
/// let selection = Selection { per_class: Some(2), ..Selection::default() };
/// let chosen = filter_and_balance(&rows, &selection, &mut augment::rng::Rng::new(1));
/// assert_eq!(chosen, [0, 1, 3, 3]);
/// ```
pub fn filter_and_balance(rows: &[Scored], selection: &Selection, rng: &mut Rng) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.retain(|&i| selection.keeps(rows[i as usize].confidence));
    let Some(per_class) = selection.per_class else { return order };
    let row = |i: u32| rows[i as usize];
    order.sort_by(|&a, &b| {
        let (row_a, row_b) = (row(a), row(b));
        row_a
            .label
            .cmp(&row_b.label)
            .then(rank(row_b.confidence).cmp(&rank(row_a.confidence)))
            .then(a.cmp(&b))
    });
    let mut chosen = Vec::new();
    for class in order.chunk_by(|&a, &b| row(a).label == row(b).label) {
        let confidences: Vec<f32> = class.iter().map(|&i| row(i).confidence).collect();
        let there = match selection.rule {
            Rule::ReleasedCode => enough(&confidences, per_class),
            Rule::Paper => class.len(),
        };
        for (&i, count) in class.iter().zip(selection.copies(there, per_class, rng)) {
            chosen.extend(std::iter::repeat_n(i, count));
        }
    }
    chosen.sort_unstable();
    chosen
}

/// How many of a class's images, given by falling confidence, are at or above the class's
/// threshold: the highest of 1.00, .99, ... that at least `wanted` images reach, or all if there is
/// none.
pub fn enough(confidences: &[f32], wanted: usize) -> usize {
    let reach = |percent: u32| {
        let threshold = percent as f32 / 100.0;
        confidences.partition_point(|&confidence| confidence >= threshold)
    };
    (0..=100).rev().map(reach).find(|&kept| kept >= wanted).unwrap_or(confidences.len())
}

/// How often each of `kept` images is taken so that there are `wanted` on average: the whole part
/// of `wanted / kept`, and once more with the probability of its fraction. Without `duplicate` at
/// most once.
pub fn copies_by_chance(kept: usize, wanted: usize, duplicate: bool, rng: &mut Rng) -> Vec<usize> {
    let mut copies = wanted as f64 / kept as f64;
    if !duplicate {
        copies = copies.min(1.0);
    }
    (0..kept).map(|_| copies as usize + usize::from(rng.chance(copies.fract()))).collect()
}

/// How often each of `there` images, best first, is taken: the best `wanted` once; if there are
/// fewer, random ones, each draw independent of the others, again until there are `wanted`, unless
/// `duplicate` is off.
pub fn exact_copies(there: usize, wanted: usize, duplicate: bool, rng: &mut Rng) -> Vec<usize> {
    let mut copies = vec![1; there.min(wanted)];
    if duplicate && there > 0 {
        (there..wanted).for_each(|_| copies[rng.below(there)] += 1);
    }
    copies
}
