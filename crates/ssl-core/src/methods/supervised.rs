//! Supervised learning: the labelled samples alone. It trains the teacher of Noisy Student and is
//! the baseline of every comparison.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Mode, loss};
use train::{Loss, Progress};

use crate::{Batch, Method, MethodSettings, Nets, TaskInfo, ViewKind, Views};

/// Cross entropy on labelled samples.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `label_smoothing` | 0.1 | ε of Szegedy et al. 2016, as EfficientNet is trained | 0 to 1 |
/// | `noise` | true | whether dropout and stochastic depth are on | |
/// | `view` | `strong` | how the labelled samples are augmented: `plain`, `weak` or `strong` | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupervisedConfig {
    /// ε of label smoothing.
    pub label_smoothing: f64,
    /// Whether dropout and stochastic depth are on.
    pub noise: bool,
    /// How the labelled samples are augmented.
    pub view: ViewKind,
}

impl Default for SupervisedConfig {
    fn default() -> Self {
        Self { label_smoothing: 0.1, noise: true, view: ViewKind::Strong }
    }
}

impl MethodSettings for SupervisedConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default().rate("label_smoothing", self.label_smoothing).done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(Supervised::new(self.clone()))
    }

    fn shares_batches(&self) -> bool {
        true
    }
}

/// Supervised learning, with settings [`SupervisedConfig`].
#[derive(Debug)]
pub struct Supervised {
    config: SupervisedConfig,
}

impl Supervised {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: SupervisedConfig) -> Self {
        Self { config }
    }
}

impl Method for Supervised {
    fn views(&self) -> Views {
        Views { labeled: self.config.view, unlabeled: Vec::new() }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, _at: Progress) -> Loss {
        let mode = if self.config.noise { Mode::Train } else { Mode::TrainWithoutNoise };
        let logits = nets.student.forward(&batch.x, mode);
        let targets =
            loss::smoothed_targets(&batch.y, logits.size()[1], self.config.label_smoothing);
        Loss::new().term(
            "sup",
            1.0,
            loss::soft_cross_entropy(&logits, &targets).mean(torch::Kind::Float),
        )
    }
}
