//! SwitchOut (Wang et al., arXiv 1808.07512): a random number of tokens becomes any other token.
//!
//! ```
//! use augment::{rng::Rng, text::switchout::SwitchOut};
//! let mut tokens = [101, 2023, 2143, 2001, 2204, 102];
//! let fixed = |id| id == 101 || id == 102;
//! SwitchOut::default().replace(&mut tokens, fixed, 30_522, &mut Rng::new(1));
//! assert_eq!((tokens[0], tokens[5]), (101, 102));
//! ```

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::rng::Rng;

/// How the number of replaced tokens is weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// `exp(-tau n)`, as in the code in circulation.
    #[default]
    Times,
    /// `exp(-n / tau)`, as the paper writes it (from memory).
    Over,
}

/// SwitchOut's settings.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `tau` | 1 | temperature | above 0 |
/// | `decay` | `times` | how it weighs the number of replacements | `times`, `over` |
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
    /// What is wrong with these settings.
    pub fn faults(&self) -> Vec<Fault> {
        let fine = self.tau > 0.0 && self.tau.is_finite();
        Fault::unless(fine, "tau", self.tau, "above 0 and finite").into_iter().collect()
    }

    /// With which probability 0, 1, ..., `length` tokens are meant to be replaced: the weights end
    /// at the sentence's length.
    pub fn counts(&self, length: usize) -> Vec<f64> {
        let rate = match self.decay {
            Decay::Times => self.tau,
            Decay::Over => 1.0 / self.tau,
        };
        // An infinite rate (a tau of almost 0) replaces nothing.
        let weight = |n: usize| if n == 0 { 1.0 } else { (-rate * n as f64).exp() };
        let weights: Vec<f64> = (0..=length).map(weight).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).collect()
    }

    /// Replaces tokens, ids below `vocabulary`, except those that `fixed` names (begin, end,
    /// padding). A number `n` is drawn from [`counts`](Self::counts), then each of the `L` others
    /// is replaced with probability `n / L`, never by itself.
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
