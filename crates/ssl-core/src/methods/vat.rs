//! VAT (Miyato et al. 2018, arXiv 1704.03976): the prediction should not change in the direction in
//! which it changes most; with entropy minimisation, VAT+EntMin.
//!
//! The running batch-norm statistics follow the labelled pass alone (the authors'
//! `update_batch_stats = False`). [`Direction`](crate::parts::Direction) chooses the divergence:
//! KL(clean ‖ perturbed) as the authors, or the other way round as later code bases. Texts are
//! perturbed in the embeddings of their tokens (Miyato, Dai & Goodfellow 2017, arXiv 1605.07725,
//! section 3).

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Net, Tensor, loss::cross_entropy};
use train::{Loss, Progress, Schedule};

use crate::parts::{Adversary, entropy};
use crate::{Batch, Method, MethodSettings, Nets, TaskInfo, ViewKind, Views};

/// The settings of VAT. Those of [`Adversary`] are in the table `adversary`. Oliver et al. use
/// ε 6, direction `from-perturbed`, weight 0.3 and entropy 0.1 on CIFAR-10.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `adversary` | ε 8, ξ 0.01, 1 iteration, `from-clean` | how the direction is found | |
/// | `weight` | 1 | λ of the divergence | a schedule |
/// | `entropy` | 1 | weight of the entropy on clean samples; 0 is VAT without EntMin | at least 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VatConfig {
    /// How the direction is found.
    pub adversary: Adversary,
    /// λ of the divergence.
    pub weight: Schedule,
    /// Weight of the entropy.
    pub entropy: f64,
}

impl Default for VatConfig {
    fn default() -> Self {
        Self { adversary: Adversary::default(), weight: Schedule::constant(1.0), entropy: 1.0 }
    }
}

impl MethodSettings for VatConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("adversary", self.adversary.faults())
            .within("weight", self.weight.faults())
            .not_negative("entropy", self.entropy)
            .done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(Vat::new(self.clone()))
    }
}

/// VAT, with settings [`VatConfig`].
#[derive(Debug)]
pub struct Vat {
    config: VatConfig,
}

/// What a step draws.
pub(crate) struct VatDraws {
    /// The direction in which the search starts.
    pub(crate) start: Tensor,
}

impl Vat {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: VatConfig) -> Self {
        Self { config }
    }

    /// The loss with its draws given.
    pub(crate) fn loss_with(
        &self,
        nets: &Nets,
        batch: &Batch,
        draws: &VatDraws,
        at: Progress,
    ) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let (student, u) = (&nets.student, &batch.u[0]);
        let clean = student.forward(u, Mode::TrainUntracked);
        let kl = self.config.adversary.divergence(student, u, &clean, &draws.start);
        let loss = Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term("unsup", self.config.weight.at(at), kl.mean(Kind::Float));
        match self.config.entropy {
            0.0 => loss,
            weight => loss.term("entropy", weight, entropy(&clean).mean(Kind::Float)),
        }
    }
}

impl Method for Vat {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let draws = VatDraws { start: nets.student.random_perturbation(&batch.u[0]) };
        self.loss_with(nets, batch, &draws, at)
    }
}
