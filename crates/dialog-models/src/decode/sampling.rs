//! From which tokens one is drawn, and with which probabilities.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults};

/// Below this, logits divided by the temperature could exceed float32: the most likely token is
/// taken, which is what would be drawn but for ties.
const COLDEST: f64 = 1e-4;

/// What float32 may round away of a sum of probabilities.
const ROUNDING: f64 = 1e-6;

/// How a token is drawn: the temperature first, then the most likely `top_k`, then the nucleus of
/// what these have left.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `temperature` | 0.88 | logits are divided by it; 0, and below 0.0001, takes the most likely token | ≥ 0 |
/// | `top_k` | none | how many of the most likely tokens are kept (Fan et al. 2018) | ≥ 1 |
/// | `nucleus` | none | as many of the most likely are kept as together have at least this probability (Holtzman et al. 2020) | \[0, 1\] |
///
/// Of equally likely tokens the one with the lower id counts as the more likely one.
///
/// ```
/// use dialog_models::decode::Sampling;
///
/// let sampling = Sampling { temperature: 1.0, nucleus: Some(0.8), ..Sampling::default() };
/// let kept = sampling.kept(&[0.4, 0.3, 0.2, 0.1]);
/// assert_eq!(kept.iter().map(|k| k.0).collect::<Vec<_>>(), [0, 1, 2]);
/// assert!((kept[0].1 - 4.0 / 9.0).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// What logits are divided by; 0 takes the most likely token, and so does all below 0.0001.
    pub temperature: f64,
    /// How many of the most likely tokens are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// The probability that the kept tokens have together at least, the one that reaches it
    /// included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nucleus: Option<f64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.88, top_k: None, nucleus: None }
    }
}

impl Sampling {
    /// The most likely token each time.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, top_k: None, nucleus: None }
    }

    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        let fault = "0 tokens are left: leave the key out to keep all";
        Faults::default()
            .not_negative("temperature", self.temperature)
            .unless(self.top_k != Some(0), "top_k", fault)
            .fraction("nucleus", self.nucleus.unwrap_or(1.0))
            .done()
    }

    /// Whether the most likely token is taken.
    pub(super) fn is_greedy(&self) -> bool {
        self.temperature < COLDEST
    }

    /// Whether all tokens can be drawn.
    fn keeps_all(&self) -> bool {
        !self.is_greedy() && self.top_k.is_none() && self.nucleus.is_none_or(|p| p >= 1.0)
    }

    /// The tokens that may be drawn, the most likely one first, with the probabilities with which
    /// they are drawn, of the probabilities of all tokens at this temperature. Panics if there are
    /// none, or their sum is 0 or no number.
    pub fn kept(&self, probabilities: &[f32]) -> Vec<(usize, f64)> {
        assert!(!probabilities.is_empty(), "there is no token to draw");
        let total: f32 = probabilities.iter().sum();
        let possible = total > 0.0 && total.is_finite();
        assert!(possible, "no token can be drawn by probabilities of the sum {total}");
        self.among(probabilities)
    }

    /// The tokens that may be drawn, as [`kept`](Self::kept), of probabilities that a network gave.
    fn among(&self, probabilities: &[f32]) -> Vec<(usize, f64)> {
        let all = probabilities.len();
        let limit = if self.is_greedy() { 1 } else { self.top_k.unwrap_or(all).clamp(1, all) };
        let nucleus = self.nucleus.filter(|&p| p < 1.0);
        // Without a nucleus as many as asked for are needed, else mostly far fewer.
        let mut count = if nucleus.is_some() { limit.min(64) } else { limit };
        loop {
            let mut kept = most_likely(probabilities, count);
            let total = match self.top_k {
                Some(_) => sum(&most_likely(probabilities, limit), probabilities),
                None => probabilities.iter().map(|&p| f64::from(p)).sum(),
            };
            if let Some(nucleus) = nucleus {
                let enough = nucleus * total - ROUNDING;
                let mut so_far = 0.0;
                let reached = kept.iter().position(|&i| {
                    so_far += f64::from(probabilities[i]);
                    so_far >= enough
                });
                match reached {
                    Some(at) => kept.truncate(at + 1),
                    None if count < limit => {
                        count = (8 * count).min(limit);
                        continue;
                    }
                    None => {}
                }
            }
            let total = sum(&kept, probabilities);
            return kept.iter().map(|&i| (i, f64::from(probabilities[i]) / total)).collect();
        }
    }

    /// The token on which `at`, in [0, 1), falls.
    pub(super) fn draw(&self, probabilities: &[f32], at: f64) -> usize {
        if self.keeps_all() {
            let total: f64 = probabilities.iter().map(|&p| f64::from(p)).sum();
            let all = probabilities.iter().map(|&p| f64::from(p)).enumerate();
            return fallen(all, at * total);
        }
        fallen(self.among(probabilities).into_iter(), at)
    }
}

fn sum(tokens: &[usize], probabilities: &[f32]) -> f64 {
    tokens.iter().map(|&i| f64::from(probabilities[i])).sum()
}

/// The first token up to which the probabilities exceed `at`; the last possible one if rounding
/// leaves none.
fn fallen(tokens: impl Iterator<Item = (usize, f64)>, at: f64) -> usize {
    let (mut so_far, mut last) = (0.0, 0);
    for (token, p) in tokens.filter(|&(_, p)| p > 0.0) {
        so_far += p;
        last = token;
        if so_far > at {
            break;
        }
    }
    last
}

/// The `count` most likely tokens in order, of equally likely ones the lower ids first.
fn most_likely(probabilities: &[f32], count: usize) -> Vec<usize> {
    let order = |a: &usize, b: &usize| -> Ordering {
        probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b))
    };
    let mut ids: Vec<usize> = (0..probabilities.len()).collect();
    if count < ids.len() {
        ids.select_nth_unstable_by(count, order);
        ids.truncate(count);
    }
    ids.sort_unstable_by(order);
    ids
}
