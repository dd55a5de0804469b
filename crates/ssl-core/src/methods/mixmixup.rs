//! mixmixup (Hataya & Nakayama 2019): mixtures within the labelled samples, within the unlabelled
//! ones, and of both.
//!
//! The sharpened predictions of the network are the pseudo-labels of the unlabelled samples; each
//! of the three mixtures has a λ of its own, and the loss is the sum of their cross entropies with
//! mixed targets. All mixtures go through the network together; pseudo-labels come from a pass that
//! leaves the running batch-norm statistics as they are. The authors published no code; it was not
//! compared with their results.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss::soft_cross_entropy, no_grad, rng};
use train::{Loss, Progress, Schedule};

use crate::parts::{beta, mix, one_hot, permutation, sharpen};
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of mixmixup.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `unlabeled` | 1, a sigmoid ramp over the first 40 % of the run | weight of mixtures within the unlabelled samples | a schedule |
/// | `across` | 1, a sigmoid ramp over the first 40 % of the run | weight of mixtures of labelled and unlabelled samples | a schedule |
/// | `temperature` | 0.5 | T of sharpening the pseudo-labels | above 0 |
/// | `alpha` | 1 | α of λ's distribution Beta(α, α) | above 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixMixUpConfig {
    /// Weight of mixtures within the unlabelled samples.
    pub unlabeled: Schedule,
    /// Weight of mixtures of labelled and unlabelled samples.
    pub across: Schedule,
    /// T of sharpening.
    pub temperature: f64,
    /// α of λ's distribution.
    pub alpha: f64,
}

impl Default for MixMixUpConfig {
    fn default() -> Self {
        let ramp = Schedule::SigmoidRampUp { value: 1.0, over: 0.4 };
        Self { unlabeled: ramp.clone(), across: ramp, temperature: 0.5, alpha: 1.0 }
    }
}

impl MethodSettings for MixMixUpConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("unlabeled", self.unlabeled.faults())
            .within("across", self.across.faults())
            .positive("temperature", self.temperature)
            .positive("alpha", self.alpha)
            .done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(MixMixUp::new(self.clone()))
    }

    fn needs(&self) -> Needs {
        Needs { continuous: true, ..Needs::default() }
    }
}

/// mixmixup, with settings [`MixMixUpConfig`].
#[derive(Debug)]
pub struct MixMixUp {
    config: MixMixUpConfig,
}

/// What a step draws for the mixtures within the labelled samples, within the unlabelled ones and
/// across.
pub(crate) struct MixMixUpDraws {
    /// λ of each mixture, scalars.
    pub(crate) lambdas: [Tensor; 3],
    /// The sample that each is mixed with, int64; across, the labelled one for each unlabelled one.
    pub(crate) orders: [Tensor; 3],
}

impl MixMixUp {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: MixMixUpConfig) -> Self {
        Self { config }
    }

    /// Draws from libtorch's generator.
    pub(crate) fn draw(&self, batch: &Batch) -> MixMixUpDraws {
        let device = batch.x.device();
        let [x, u] = [&batch.x, &batch.u[0]].map(|t| t.size()[0]);
        let lambdas = [(); 3].map(|()| beta(self.config.alpha, device));
        let across = rng::draw_on(device, |device| Tensor::randint(x, [u], (Kind::Int64, device)));
        MixMixUpDraws { lambdas, orders: [permutation(x, device), permutation(u, device), across] }
    }

    /// The loss with its draws given.
    pub(crate) fn loss_with(
        &self,
        nets: &Nets,
        batch: &Batch,
        draws: &MixMixUpDraws,
        at: Progress,
    ) -> Loss {
        let (x, u) = (&batch.x, &batch.u[0]);
        let pseudo_label = no_grad(|| {
            let logits = nets.student.forward(u, Mode::TrainUntracked);
            sharpen(&logits.softmax(-1, Kind::Float), self.config.temperature)
        });
        let labels = one_hot(&batch.y, pseudo_label.size()[1]);
        let blend = |labeled: &Tensor, unlabeled: &Tensor| {
            let pairs = [(labeled, labeled), (unlabeled, unlabeled), (unlabeled, labeled)];
            std::array::from_fn::<_, 3, _>(|i| {
                let (a, b) = pairs[i];
                mix(a, &b.index_select(0, &draws.orders[i]), &draws.lambdas[i])
            })
        };
        let (samples, targets) = (blend(x, u), blend(&labels, &pseudo_label));
        let logits = nets.forward_joint(samples.each_ref(), Mode::Train);
        let [sup, unsup, across] =
            std::array::from_fn(|i| soft_cross_entropy(&logits[i], &targets[i]).mean(Kind::Float));
        Loss::new().term("sup", 1.0, sup).term("unsup", self.config.unlabeled.at(at), unsup).term(
            "across",
            self.config.across.at(at),
            across,
        )
    }
}

impl Method for MixMixUp {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        self.loss_with(nets, batch, &self.draw(batch), at)
    }
}
