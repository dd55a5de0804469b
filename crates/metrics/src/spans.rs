//! Precision, recall and F1 of tagged spans, as seqeval computes them by default (conlleval's
//! rules): tags `B-`, `I-`, `E-`, `S-` and `O`, and a span that does not begin with `B-` counts all
//! the same.

use crate::score::Score;
use std::collections::{BTreeMap, BTreeSet};

/// A span: its type, its first and its last word.
pub type Span = (String, usize, usize);

/// The spans in the tags of one sentence.
///
/// ```
/// let tags = ["B-PER", "I-PER", "O", "I-LOC", "B-LOC"];
/// let spans = metrics::spans(&tags);
/// assert_eq!(spans, [("PER".into(), 0, 1), ("LOC".into(), 3, 3), ("LOC".into(), 4, 4)]);
/// ```
pub fn spans(tags: &[impl AsRef<str>]) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut begin, mut before, mut before_type) = (0, 'O', "");
    for place in 0..=tags.len() {
        let (tag, kind) = tags.get(place).map_or(('O', "_"), |tag| parts(tag.as_ref()));
        if ends(before, tag, before_type, kind) {
            spans.push((before_type.to_owned(), begin, place - 1));
        }
        if begins(before, tag, before_type, kind) {
            begin = place;
        }
        (before, before_type) = (tag, kind);
    }
    spans
}

/// `B-PER` is `B` and `PER`; a tag without a type has the type `_`.
fn parts(tag: &str) -> (char, &str) {
    let Some(first) = tag.chars().next() else { return ('O', "_") };
    let rest = &tag[first.len_utf8()..];
    let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
    (first, if kind.is_empty() { "_" } else { kind })
}

fn ends(before: char, tag: char, before_type: &str, kind: &str) -> bool {
    match (before, tag) {
        ('E' | 'S', _) | ('B' | 'I', 'B' | 'S' | 'O') => true,
        ('O' | '.', _) => false,
        _ => before_type != kind,
    }
}

fn begins(before: char, tag: char, before_type: &str, kind: &str) -> bool {
    match (before, tag) {
        (_, 'B' | 'S') | ('E' | 'S' | 'O', 'E' | 'I') => true,
        (_, 'O' | '.') => false,
        _ => before_type != kind,
    }
}

/// Counts of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// Spans that are predicted as they are.
    pub right: u64,
    /// Spans that are predicted.
    pub predicted: u64,
    /// Spans that there are.
    pub labelled: u64,
}

impl SpanCounts {
    /// The share of predicted spans that are right, in percent.
    pub fn precision(self) -> Score {
        share(self.right, self.predicted, "no span is predicted")
    }

    /// The share of labelled spans that are found, in percent.
    pub fn recall(self) -> Score {
        share(self.right, self.labelled, "there is no span")
    }

    /// The harmonic mean of both, in percent.
    pub fn f1(self) -> Score {
        let none = "there is no span, and none is predicted";
        share(2 * self.right, self.predicted + self.labelled, none)
    }
}

fn share(part: u64, of: u64, none: &str) -> Score {
    if of == 0 { Score::undefined(none) } else { Score::of(100.0 * part as f64 / of as f64) }
}

/// Spans counted over sentences, all together and by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanScores {
    /// All types together.
    pub all: SpanCounts,
    /// Each type.
    pub types: BTreeMap<String, SpanCounts>,
}

impl SpanScores {
    /// Counts a sentence. Panics if labels and predictions differ in number.
    pub fn add(&mut self, labels: &[impl AsRef<str>], predictions: &[impl AsRef<str>]) {
        assert_eq!(labels.len(), predictions.len(), "tags of a sentence");
        let labelled: BTreeSet<Span> = spans(labels).into_iter().collect();
        let predicted: BTreeSet<Span> = spans(predictions).into_iter().collect();
        for span in labelled.union(&predicted) {
            let of_type = self.types.entry(span.0.clone()).or_default();
            for counts in [&mut self.all, of_type] {
                let (is_label, is_prediction) = (labelled.contains(span), predicted.contains(span));
                counts.labelled += u64::from(is_label);
                counts.predicted += u64::from(is_prediction);
                counts.right += u64::from(is_label && is_prediction);
            }
        }
    }
}
