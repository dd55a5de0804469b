//! How networks on images are evaluated.

use augment::policy::Policy;
use serde::{Deserialize, Serialize};

use super::faults::Faults;

/// What is measured on what.
///
/// | key | default | what |
/// |---|---|---|
/// | `on` | `test` | the part that the run's numbers are measured on, once a seed |
/// | `batch` | 256 | images of an evaluation batch |
/// | `augment` | none | what evaluation and labelling see: nothing random |
/// | `mirror` | false | whether evaluation and labelling see each image and its mirror image, and take the mean of both predictions |
/// | `test_along_training` | false | whether the test part is measured at every evaluation too |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EvaluateConfig {
    pub(crate) on: Part,
    pub(crate) batch: usize,
    pub(crate) augment: Policy,
    pub(crate) mirror: bool,
    /// For the means over late evaluations that some papers report. It decides nothing, and the
    /// report says so.
    pub(crate) test_along_training: bool,
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self {
            on: Part::Test,
            batch: 256,
            augment: Policy::none(),
            mirror: false,
            test_along_training: false,
        }
    }
}

impl EvaluateConfig {
    pub(crate) fn check(&self, faults: &mut Faults) {
        faults.positive("evaluate.batch", self.batch as u64);
        faults.policy("evaluate.augment", &self.augment);
    }
}

/// A part of the data that was not trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    /// For the numbers of a finished recipe, once.
    #[default]
    Test,
    /// For every choice.
    Validation,
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Test => "test",
            Part::Validation => "validation",
        }
    }
}
