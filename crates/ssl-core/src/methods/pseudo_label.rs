//! Pseudo-Label (Lee 2013): the network's own confident predictions are labels.
//!
//! As in FixMatch's code base, except that the mask there broadcasts to a square matrix by mistake;
//! the mean is over all unlabelled samples. The running batch-norm statistics follow the labelled
//! pass alone.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, loss::cross_entropy};
use train::{Loss, Progress, Schedule};

use crate::parts::{confident, hard_labels, mask_by_class, masked_mean};
use crate::{Batch, Method, MethodSettings, Nets, TaskInfo, ViewKind, Views};

/// The settings of Pseudo-Label.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1, reached in a straight line over the first 40 % of the run | weight of the unlabelled term | a schedule |
/// | `threshold` | 0.95 | the probability from which a prediction is a label | \[0, 1\] |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PseudoLabelConfig {
    /// Weight of the unlabelled term.
    pub weight: Schedule,
    /// The probability from which a prediction is a label.
    pub threshold: f64,
}

impl Default for PseudoLabelConfig {
    fn default() -> Self {
        Self { weight: Schedule::RampUp { value: 1.0, over: 0.4 }, threshold: 0.95 }
    }
}

impl MethodSettings for PseudoLabelConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .fraction("threshold", self.threshold)
            .done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(PseudoLabel::new(self.clone()))
    }

    fn shares_batches(&self) -> bool {
        true
    }
}

/// Pseudo-Label, with settings [`PseudoLabelConfig`].
#[derive(Debug)]
pub struct PseudoLabel {
    config: PseudoLabelConfig,
}

impl PseudoLabel {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: PseudoLabelConfig) -> Self {
        Self { config }
    }
}

impl Method for PseudoLabel {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let u = nets.student.forward(&batch.u[0], Mode::TrainUntracked);
        let probs = u.detach().softmax(-1, Kind::Float);
        let mask = confident(&probs, self.config.threshold);
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.config.weight.at(at),
                masked_mean(&cross_entropy(&u, &hard_labels(&probs)), &mask),
            )
            .note("mask", mask.mean(Kind::Float))
            .note_each("mask", mask_by_class(&probs, &mask))
    }
}
