//! Temporal Ensembling (Laine & Aila 2017, arXiv 1610.02242, section 2.2): the prediction on a
//! sample should be its average over the epochs before.
//!
//! Z ← αZ + (1 − α)z each time that a sample is in a batch, and the target is Z / (1 − αⁿ) after n
//! times. The first time there is no target yet (the paper's weight is 0 in its first epoch).
//! Passes as in the Π-Model.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss::cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{masked_mean, squared_error};
use crate::{Batch, Method, MethodSettings, Nets, TaskInfo, ViewKind, Views};

/// The settings of Temporal Ensembling.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 30, a sigmoid ramp over the first 27 % of the run (80 of the paper's 300 epochs) | weight of the squared error; the paper's is 30 · (labelled fraction) | a schedule |
/// | `momentum` | 0.6 | α, the weight of the past | \[0, 1) |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemporalEnsemblingConfig {
    /// Weight of the consistency term.
    pub weight: Schedule,
    /// α, the weight of the past.
    pub momentum: f64,
}

impl Default for TemporalEnsemblingConfig {
    fn default() -> Self {
        Self { weight: Schedule::SigmoidRampUp { value: 30.0, over: 0.27 }, momentum: 0.6 }
    }
}

impl MethodSettings for TemporalEnsemblingConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .rate("momentum", self.momentum)
            .done()
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(TemporalEnsembling::new(self.clone(), task))
    }
}

/// Temporal Ensembling, with settings [`TemporalEnsemblingConfig`].
#[derive(Debug)]
pub struct TemporalEnsembling {
    config: TemporalEnsemblingConfig,
    /// Z, a row for each unlabelled sample.
    ensemble: Tensor,
    /// How often each unlabelled sample was in a batch.
    visits: Tensor,
}

impl TemporalEnsembling {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: TemporalEnsemblingConfig, task: &TaskInfo) -> Self {
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, task.device));
        let ensemble = zeros(&[task.unlabeled, task.classes]);
        Self { config, ensemble, visits: zeros(&[task.unlabeled]) }
    }
}

impl Method for TemporalEnsembling {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let u = nets.student.forward(&batch.u[0], Mode::TrainUntracked);
        let TemporalEnsemblingConfig { weight, momentum } = &self.config;
        let indices = batch.unlabeled_indices();
        let (ensemble, visits) =
            (self.ensemble.index_select(0, indices), self.visits.index_select(0, indices));
        let visited = visits.gt(0.0).to_kind(Kind::Float);
        // α to the power of n.
        let power = (&visits * momentum.max(1e-30).ln()).exp();
        let bias = (-power + 1.0).clamp_min(1e-6);
        let target = &ensemble / bias.unsqueeze(-1);
        let now = u.detach().softmax(-1, Kind::Float);
        no_grad(|| {
            let moved = ensemble * *momentum + now * (1.0 - momentum);
            let _ = self.ensemble.index_copy_(0, indices, &moved);
            let _ = self.visits.index_copy_(0, indices, &(visits + 1.0));
        });
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term("unsup", weight.at(at), masked_mean(&squared_error(&u, &target), &visited))
            .note("visited", visited.mean(Kind::Float))
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        vec![
            ("ensemble".to_owned(), self.ensemble.shallow_clone()),
            ("visits".to_owned(), self.visits.shallow_clone()),
        ]
    }
}
