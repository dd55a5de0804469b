//! Interpolation consistency (ICT; Verma et al. 2019, arXiv 1903.03825): the prediction on a mixture of two samples is to be the
//! mixture of the average's predictions on each.
//!
//! Labelled samples are mixed among themselves with the same share. The average runs with batch statistics; the student's running
//! statistics follow the labelled pass alone. The share is used as drawn (FixMatch's code base takes the larger of it and its
//! complement).

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, Tensor, loss::soft_cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{beta, mix, one_hot, shuffled, squared_error};
use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// What of the average's predictions is mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MixedTargets {
    /// Logits, of whose mixture probabilities are made: the authors' code.
    #[default]
    Logits,
    /// Probabilities: the paper's equation 2, and FixMatch's code base.
    Probabilities,
}

/// The settings of ICT.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 100, a sigmoid ramp over the first quarter of the run | weight of the squared error | a schedule |
/// | `alpha` | 1 | α of the share's Beta(α, α): 1 on CIFAR-10, 0.1 on SVHN | above 0 |
/// | `targets` | `logits` | what is mixed: `logits` or `probabilities` | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ict {
    /// Weight of the consistency term.
    pub weight: Schedule,
    /// α of the share's distribution.
    pub alpha: f64,
    /// What is mixed.
    pub targets: MixedTargets,
}

impl Default for Ict {
    fn default() -> Self {
        Self {
            weight: Schedule::SigmoidRampUp { value: 100.0, over: 0.25 },
            alpha: 1.0,
            targets: MixedTargets::default(),
        }
    }
}

impl Config for Ict {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::above("alpha", self.alpha, 0.0)
    }

    fn build(&self, _facts: &Facts) -> Box<dyn Method> {
        Box::new(self.clone())
    }

    fn needs_average(&self) -> bool {
        true
    }
}

impl Ict {
    /// The loss with the share and the partners given: `partners` says which sample each is mixed with, labelled first.
    pub(crate) fn mixed(
        &self,
        nets: &Nets,
        batch: &Batch,
        share: &Tensor,
        partners: [&Tensor; 2],
        at: Progress,
    ) -> Loss {
        let blend = |all: &Tensor, with: &Tensor| mix(all, &all.index_select(0, with), share);
        let [labeled, unlabeled] = partners;
        let x = nets.student.forward(&blend(&batch.x, labeled), Mode::Train);
        let labels = blend(&one_hot(&batch.y, x.size()[1]), labeled);
        let u = nets.student.forward(&blend(&batch.u[0], unlabeled), Mode::TrainUntracked);
        let target = no_grad(|| {
            let logits = nets.average().forward(&batch.u[0], Mode::TrainUntracked);
            match self.targets {
                MixedTargets::Logits => blend(&logits, unlabeled).softmax(-1, Kind::Float),
                MixedTargets::Probabilities => blend(&logits.softmax(-1, Kind::Float), unlabeled),
            }
        });
        Loss::new().term("sup", 1.0, soft_cross_entropy(&x, &labels).mean(Kind::Float)).term(
            "unsup",
            self.weight.at(at),
            squared_error(&u, &target).mean(Kind::Float),
        )
    }
}

impl Method for Ict {
    fn views(&self) -> Views {
        Views { labeled: View::Weak, unlabeled: vec![View::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let device = batch.x.device();
        let share = beta(self.alpha, device);
        let [labeled, unlabeled] = [&batch.x, &batch.u[0]].map(|t| shuffled(t.size()[0], device));
        self.mixed(nets, batch, &share, [&labeled, &unlabeled], at)
    }
}
