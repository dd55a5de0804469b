//! Candidates that say again what was said before.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults};

/// When a candidate repeats an earlier turn: the longest sequence of tokens that is a subsequence
/// of both, gaps allowed, has at least `least` tokens and at least the part `share` of the shorter
/// one.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `share` | 0.6 | part of the shorter turn that both have | (0, 1\] |
/// | `least` | 5 | tokens that both have | ≥ 1 |
///
/// Meena's full version has such a rule and does not say its numbers; these are ours.
///
/// ```
/// use dialog_models::decode::Repetition;
///
/// let rule = Repetition::default();
/// assert!(rule.repeats(&[1, 2, 3, 4, 5, 6], &[9, 1, 2, 8, 3, 4, 5]));
/// assert!(!rule.repeats(&[1, 2, 3, 4], &[1, 2, 3, 4]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Repetition {
    /// The part of the shorter turn.
    pub share: f64,
    /// Tokens at least.
    pub least: usize,
}

impl Default for Repetition {
    fn default() -> Self {
        Self { share: 0.6, least: 5 }
    }
}

impl Repetition {
    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        let fault = "0 is not at least 1: every turn would be one";
        Faults::default()
            .positive_fraction("share", self.share)
            .unless(self.least > 0, "least", fault)
            .done()
    }

    /// Whether `candidate` repeats `turn`.
    pub fn repeats(&self, candidate: &[i64], turn: &[i64]) -> bool {
        let shorter = candidate.len().min(turn.len());
        if shorter < self.least {
            return false;
        }
        let common = common(candidate, turn);
        common >= self.least && common as f64 >= self.share * shorter as f64
    }
}

/// The length of the longest common subsequence.
fn common(a: &[i64], b: &[i64]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        // Of the row before: the number to the upper left.
        let mut corner = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { corner + 1 } else { above.max(row[j]) };
            corner = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_subsequences_may_have_gaps() {
        assert_eq!(common(&[], &[1]), 0);
        assert_eq!(common(&[1, 2, 3, 4, 1], &[3, 4, 1, 2, 1, 3]), 3);
        assert_eq!(common(&[1, 3, 5, 7, 9], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 5);
        assert_eq!(common(&[9, 7, 5, 3, 1], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 1);
    }

    #[test]
    fn both_bounds_count() {
        let rule = Repetition { share: 0.5, least: 4 };
        let turn: Vec<i64> = (0..10).collect();
        assert!(rule.repeats(&[0, 1, 2, 3, 20, 21, 22, 23], &turn), "4 of 8 and of 10");
        assert!(!rule.repeats(&[0, 1, 2, 20, 21, 22], &turn), "3 tokens");
        assert!(!rule.repeats(&[0, 1, 2, 3, 20, 21, 22, 23, 24], &turn), "4 of 9");
    }
}
