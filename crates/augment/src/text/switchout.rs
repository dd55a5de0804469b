//! SwitchOut (Wang et al., arXiv 1808.07512): a random number of tokens becomes any other token.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// How the number of replaced tokens is weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// `exp(-tau n)`, as in the code that goes round.
    #[default]
    Times,
    /// `exp(-n / tau)`, as the paper writes it (from memory).
    Over,
}

/// SwitchOut's settings.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `tau` | 1 | temperature, above 0 |
/// | `decay` | `times` | `times` or `over`: [`Decay`] |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwitchOut {
    /// Temperature.
    pub tau: f64,
    /// Which way it works.
    pub decay: Decay,
}

impl Default for SwitchOut {
    fn default() -> Self {
        Self { tau: 1.0, decay: Decay::Times }
    }
}

impl SwitchOut {
    /// With which probability 0, 1, ..., `length` tokens are meant to be replaced.
    pub fn counts(&self, length: usize) -> Vec<f64> {
        let rate = match self.decay {
            Decay::Times => self.tau,
            Decay::Over => 1.0 / self.tau,
        };
        let weights: Vec<f64> = (0..=length).map(|n| (-rate * n as f64).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).collect()
    }

    /// Replaces tokens, ids below `vocabulary`, except where `fixed` says so (the first, the last, padding). A replaced token is never
    /// itself.
    pub fn replace(
        &self,
        tokens: &mut [u32],
        fixed: impl Fn(u32) -> bool,
        vocabulary: u32,
        rng: &mut Rng,
    ) {
        let free = tokens.iter().filter(|&&token| !fixed(token)).count();
        if free == 0 || vocabulary < 2 {
            return;
        }
        let (mut left, mut count) = (rng.unit(), 0);
        for share in self.counts(free) {
            if left < share || count == free {
                break;
            }
            left -= share;
            count += 1;
        }
        let chance = count as f64 / free as f64;
        for token in tokens.iter_mut().filter(|token| !fixed(**token)) {
            if rng.chance(chance) {
                let step = 1 + rng.below(vocabulary as usize - 1) as u32;
                *token = ((u64::from(*token) + u64::from(step)) % u64::from(vocabulary)) as u32;
            }
        }
    }
}
