//! Supervised learning: the labelled samples alone. The teacher of Noisy Student, and the baseline of every table.

use serde::{Deserialize, Serialize};
use torch::{Mode, loss};
use train::{Loss, Progress};

use crate::{Batch, Method, Nets, View, Views};

/// Cross entropy on labelled samples.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `label_smoothing` | 0.1 | ε of Szegedy et al. 2016, as EfficientNet is trained | 0 to 1 |
/// | `noise` | true | whether dropout and stochastic depth are on | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Supervised {
    /// ε of label smoothing.
    pub label_smoothing: f64,
    /// Whether dropout and stochastic depth are on.
    pub noise: bool,
}

impl Default for Supervised {
    fn default() -> Self {
        Self { label_smoothing: 0.1, noise: true }
    }
}

impl Supervised {
    /// Whether every setting lies in its range.
    pub fn check(&self) -> Result<(), String> {
        check_smoothing(self.label_smoothing)
    }
}

/// ε of label smoothing must leave the class its lead.
pub(crate) fn check_smoothing(epsilon: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&epsilon) {
        return Ok(());
    }
    Err(format!("label_smoothing is {epsilon}; it must be in [0, 1)"))
}

impl Method for Supervised {
    fn views(&self) -> Views {
        Views { labeled: View::Strong, unlabeled: Vec::new() }
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
