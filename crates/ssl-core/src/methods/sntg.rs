//! SNTG (Luo et al. 2018, arXiv 1711.00258): a Π-Model whose features are drawn together where the
//! teacher's classes agree, and pushed apart where they do not.
//!
//! Written from the paper's equations: a contrastive loss over all pairs of a batch's unlabelled
//! samples, ‖hᵢ − hⱼ‖² for pairs of one class and max(0, m − ‖hᵢ − hⱼ‖)² for others, on the input
//! of the last layer. Classes are those of the second view, the Π-Model's target. Passes and
//! statistics are the Π-Model's.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss::cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{hard_labels, squared_error};
use crate::{Batch, Method, MethodSettings, Nets, TaskInfo, ViewKind, Views};

/// The settings of SNTG on the Π-Model.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 10, reached in a straight line over the first 40 % of the run | weight of the Π-Model's squared error | a schedule |
/// | `graph` | 0.1, a sigmoid ramp over the first 40 % of the run | weight of the pairs' term | a schedule |
/// | `margin` | 1 | m, up to which different classes are pushed apart | above 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SntgConfig {
    /// Weight of the Π-Model's squared error.
    pub weight: Schedule,
    /// Weight of the pairs' term.
    pub graph: Schedule,
    /// m, up to which different classes are pushed apart.
    pub margin: f64,
}

impl Default for SntgConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::RampUp { value: 10.0, over: 0.4 },
            graph: Schedule::SigmoidRampUp { value: 0.1, over: 0.4 },
            margin: 1.0,
        }
    }
}

impl MethodSettings for SntgConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .within("graph", self.graph.faults())
            .positive("margin", self.margin)
            .done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(Sntg::new(self.clone()))
    }
}

/// SNTG on the Π-Model, with settings [`SntgConfig`].
#[derive(Debug)]
pub struct Sntg {
    config: SntgConfig,
}

impl Sntg {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: SntgConfig) -> Self {
        Self { config }
    }

    /// The mean over all pairs of different samples: `features` `[batch, width]`, `classes` int64
    /// `[batch]`.
    fn pairs(&self, features: &Tensor, classes: &Tensor) -> Tensor {
        let n = features.size()[0];
        let squared = (features.unsqueeze(0) - features.unsqueeze(1)).square().sum_dim_intlist(
            [-1].as_slice(),
            false,
            Kind::Float,
        );
        // The square root has no gradient at 0.
        let apart = (self.config.margin - squared.clamp_min(1e-12).sqrt()).clamp_min(0.0).square();
        let same = classes.unsqueeze(0).eq_tensor(&classes.unsqueeze(1)).to_kind(Kind::Float);
        let other: Tensor = 1.0 - &same;
        let each = same * squared + other * apart;
        let others: Tensor = 1.0 - Tensor::eye(n, (Kind::Float, features.device()));
        (each * others).sum(Kind::Float) / ((n * (n - 1)).max(1) as f64)
    }
}

impl Method for Sntg {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak, ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let features = nets.student.forward_features(&batch.u[0], Mode::TrainUntracked);
        let first = nets.student.forward_head(&features, Mode::TrainUntracked);
        let second = no_grad(|| {
            nets.student.forward(&batch.u[1], Mode::TrainUntracked).softmax(-1, Kind::Float)
        });
        let pairs = self.pairs(&features, &hard_labels(&second));
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.config.weight.at(at),
                squared_error(&first, &second).mean(Kind::Float),
            )
            .term("graph", self.config.graph.at(at), pairs)
    }
}
