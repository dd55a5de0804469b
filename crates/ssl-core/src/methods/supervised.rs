//! Supervised learning: the labelled samples alone. The teacher of Noisy Student, and the baseline of every table.

use serde::{Deserialize, Serialize};
use torch::{Mode, loss};
use train::{Loss, Progress};

use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// Cross entropy on labelled samples.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `label_smoothing` | 0.1 | ε of Szegedy et al. 2016, as EfficientNet is trained | 0 to 1 |
/// | `noise` | true | whether dropout and stochastic depth are on | |
/// | `view` | `strong` | how the labelled samples are augmented: `plain`, `weak` or `strong` | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Supervised {
    /// ε of label smoothing.
    pub label_smoothing: f64,
    /// Whether dropout and stochastic depth are on.
    pub noise: bool,
    /// How the labelled samples are augmented.
    pub view: View,
}

impl Default for Supervised {
    fn default() -> Self {
        Self { label_smoothing: 0.1, noise: true, view: View::Strong }
    }
}

impl Config for Supervised {
    fn check(&self) -> Result<(), String> {
        check::rate("label_smoothing", self.label_smoothing)
    }

    fn build(&self, _facts: &Facts) -> Box<dyn Method> {
        Box::new(self.clone())
    }
}

impl Method for Supervised {
    fn views(&self) -> Views {
        Views { labeled: self.view, unlabeled: Vec::new() }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, _at: Progress) -> Loss {
        let mode = if self.noise { Mode::Train } else { Mode::TrainWithoutNoise };
        let logits = nets.student.forward(&batch.x, mode);
        let targets = loss::smooth(&batch.y, logits.size()[1], self.label_smoothing);
        Loss::new().term(
            "sup",
            1.0,
            loss::soft_cross_entropy(&logits, &targets).mean(torch::Kind::Float),
        )
    }
}
