//! How responses are drawn.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults};

use super::Sampling;

/// How responses are drawn.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `candidates` | 20 | how many responses are drawn | ≥ 1 |
/// | `max_tokens` | 128 | tokens of a response, its end included, after which it is cut off | ≥ 1 |
/// | `sampling` | [`Sampling`] | how a token is drawn | |
///
/// The defaults are Meena's base version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SampleConfig {
    /// How many responses are drawn.
    pub candidates: usize,
    /// Tokens of a response, its end included, after which it is cut off.
    pub max_tokens: usize,
    /// How a token is drawn.
    pub sampling: Sampling,
}

impl Default for SampleConfig {
    fn default() -> Self {
        Self { candidates: 20, max_tokens: 128, sampling: Sampling::default() }
    }
}

impl SampleConfig {
    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .at_least_one("candidates", self.candidates)
            .at_least_one("max_tokens", self.max_tokens)
            .within("sampling", self.sampling.faults())
            .done()
    }
}
