//! Π-Model (Laine & Aila 2017, arXiv 1610.02242; Sajjadi et al. 2016): the predictions on two
//! random views of a sample should agree.
//!
//! Three passes, each with its own batch-norm statistics; the running ones follow the labelled pass
//! alone, as in FixMatch's code base. The gradient flows through the first view, not through the
//! second.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, loss::cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::squared_error;
use crate::{Batch, Method, MethodSettings, Nets, TaskInfo, ViewKind, Views};

/// The settings of the Π-Model.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 10, reached in a straight line over the first 40 % of the run (FixMatch's code base) | weight of the squared error between probabilities, averaged over classes | a schedule |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PiModelConfig {
    /// Weight of the consistency term.
    pub weight: Schedule,
}

impl Default for PiModelConfig {
    fn default() -> Self {
        Self { weight: Schedule::RampUp { value: 10.0, over: 0.4 } }
    }
}

impl MethodSettings for PiModelConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default().within("weight", self.weight.faults()).done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(PiModel::new(self.clone()))
    }

    fn shares_batches(&self) -> bool {
        true
    }
}

/// The Π-Model, with settings [`PiModelConfig`].
#[derive(Debug)]
pub struct PiModel {
    config: PiModelConfig,
}

impl PiModel {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: PiModelConfig) -> Self {
        Self { config }
    }
}

impl Method for PiModel {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak, ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let first = nets.student.forward(&batch.u[0], Mode::TrainUntracked);
        let second = no_grad(|| {
            nets.student.forward(&batch.u[1], Mode::TrainUntracked).softmax(-1, Kind::Float)
        });
        Loss::new().term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float)).term(
            "unsup",
            self.config.weight.at(at),
            squared_error(&first, &second).mean(Kind::Float),
        )
    }
}
