//! Mean Teacher (Tarvainen & Valpola 2017, arXiv 1703.01780): the EMA model of the student is its
//! teacher.
//!
//! The teacher runs with the statistics of its batch and with the model's noise, as in the authors'
//! code; the student's running statistics follow the labelled pass alone, as in FixMatch's code
//! base. The recipe's `ema` sets the decay.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, loss::cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::squared_error;
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of Mean Teacher. The paper's Conv-Large on CIFAR-10 has weight 100 · (labelled
/// fraction) with a sigmoid ramp over 27 % of the run and a decay of 0.999.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 50, reached in a straight line over the first 40 % of the run (FixMatch's code base) | weight of the squared error between probabilities, averaged over classes | a schedule |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeanTeacherConfig {
    /// Weight of the consistency term.
    pub weight: Schedule,
}

impl Default for MeanTeacherConfig {
    fn default() -> Self {
        Self { weight: Schedule::RampUp { value: 50.0, over: 0.4 } }
    }
}

impl MethodSettings for MeanTeacherConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default().within("weight", self.weight.faults()).done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(MeanTeacher::new(self.clone()))
    }

    fn needs(&self) -> Needs {
        Needs { ema: true, ..Needs::default() }
    }

    fn shares_batches(&self) -> bool {
        true
    }
}

/// Mean Teacher, with settings [`MeanTeacherConfig`].
#[derive(Debug)]
pub struct MeanTeacher {
    config: MeanTeacherConfig,
}

impl MeanTeacher {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: MeanTeacherConfig) -> Self {
        Self { config }
    }
}

impl Method for MeanTeacher {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak, ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let student = nets.student.forward(&batch.u[0], Mode::TrainUntracked);
        let teacher = no_grad(|| {
            nets.ema_model().forward(&batch.u[1], Mode::TrainUntracked).softmax(-1, Kind::Float)
        });
        Loss::new().term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float)).term(
            "unsup",
            self.config.weight.at(at),
            squared_error(&student, &teacher).mean(Kind::Float),
        )
    }
}
