//! Interpolation consistency (ICT; Verma et al. 2019, arXiv 1903.03825): the prediction on a
//! mixture of two samples should be the mixture of the EMA model's predictions on each.
//!
//! Labelled samples are mixed among themselves with a λ of their own, as in the authors' code. The
//! EMA model runs with batch statistics; the student's running statistics follow the labelled pass
//! alone (the authors' follow all three passes). λ is used as drawn (FixMatch's code base takes
//! max(λ, 1 − λ)).

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss::soft_cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{beta, mix, one_hot, permutation, squared_error};
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// Which form of the EMA model's predictions is mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MixedTargets {
    /// Logits; the probabilities are those of the mixed logits: the authors' code.
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
/// | `alpha` | 1 | α of both λs' distribution Beta(α, α): 1 on CIFAR-10, 0.1 on SVHN | above 0 |
/// | `targets` | `logits` | what is mixed: `logits` or `probabilities` | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IctConfig {
    /// Weight of the consistency term.
    pub weight: Schedule,
    /// α of λ's distribution.
    pub alpha: f64,
    /// What is mixed.
    pub targets: MixedTargets,
}

impl Default for IctConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::SigmoidRampUp { value: 100.0, over: 0.25 },
            alpha: 1.0,
            targets: MixedTargets::default(),
        }
    }
}

impl MethodSettings for IctConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .positive("alpha", self.alpha)
            .done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(Ict::new(self.clone()))
    }

    fn needs(&self) -> Needs {
        Needs { ema: true, continuous: true, ..Needs::default() }
    }
}

/// Interpolation consistency, with settings [`IctConfig`].
#[derive(Debug)]
pub struct Ict {
    config: IctConfig,
}

/// What a step draws.
pub(crate) struct IctDraws {
    /// λ of the labelled samples and of the unlabelled ones, scalars.
    pub(crate) lambdas: [Tensor; 2],
    /// The labelled sample that each labelled one is mixed with, int64 `[labeled]`.
    pub(crate) labeled: Tensor,
    /// The unlabelled sample that each unlabelled one is mixed with, int64 `[unlabeled]`.
    pub(crate) unlabeled: Tensor,
}

impl Ict {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: IctConfig) -> Self {
        Self { config }
    }

    /// Draws from libtorch's generator.
    pub(crate) fn draw(&self, batch: &Batch) -> IctDraws {
        let device = batch.x.device();
        let lambdas = [(); 2].map(|()| beta(self.config.alpha, device));
        let [labeled, unlabeled] =
            [&batch.x, &batch.u[0]].map(|t| permutation(t.size()[0], device));
        IctDraws { lambdas, labeled, unlabeled }
    }

    /// The loss with its draws given.
    pub(crate) fn loss_with(
        &self,
        nets: &Nets,
        batch: &Batch,
        draws: &IctDraws,
        at: Progress,
    ) -> Loss {
        let IctDraws { lambdas, labeled, unlabeled } = draws;
        let [of_labeled, of_unlabeled] = [(labeled, &lambdas[0]), (unlabeled, &lambdas[1])]
            .map(|(order, lambda)| |all: &Tensor| mix(all, &all.index_select(0, order), lambda));
        let x = nets.student.forward(&of_labeled(&batch.x), Mode::Train);
        let labels = of_labeled(&one_hot(&batch.y, x.size()[1]));
        let u = nets.student.forward(&of_unlabeled(&batch.u[0]), Mode::TrainUntracked);
        let target = no_grad(|| {
            let logits = nets.ema_model().forward(&batch.u[0], Mode::TrainUntracked);
            match self.config.targets {
                MixedTargets::Logits => of_unlabeled(&logits).softmax(-1, Kind::Float),
                MixedTargets::Probabilities => of_unlabeled(&logits.softmax(-1, Kind::Float)),
            }
        });
        Loss::new().term("sup", 1.0, soft_cross_entropy(&x, &labels).mean(Kind::Float)).term(
            "unsup",
            self.config.weight.at(at),
            squared_error(&u, &target).mean(Kind::Float),
        )
    }
}

impl Method for Ict {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        self.loss_with(nets, batch, &self.draw(batch), at)
    }
}
