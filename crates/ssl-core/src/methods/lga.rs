//! LGA+VAT (Jackson & Schulman 2019, arXiv 1902.02336): labels of the unlabelled samples are
//! variables, moved until the gradient that they cause aligns with that of the labelled batch;
//! together with virtual adversarial training.
//!
//! d = ‖∇L_u(y) − ∇L_l‖² over all weights; y ← y − η ∂d/∂y, clipped at 0 and normalised to sum 1;
//! then the network learns from the labels, from y, and from VAT. Each sample's y is kept from
//! batch to batch and starts uniform. The running batch-norm statistics follow the labelled pass
//! alone. It was not compared with the authors' code or results.

use serde::{Deserialize, Serialize};
use torch::grad::{GraphUse, grads, with_grad};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss, no_grad, rng};
use train::{Loss, Progress, Schedule};

use crate::parts::Adversary;
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of LGA+VAT.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1, a sigmoid ramp over the first 40 % of the run | weight of the cross entropy with imputed labels | a schedule |
/// | `step` | 0.1 | η, the largest change of an entry of a label in a step: the gradient is scaled to it | above 0 |
/// | `vat` | 0.3 | weight of VAT's divergence; 0 leaves it out | at least 0 |
/// | `adversary` | as VAT's | how VAT's direction is found | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LgaConfig {
    /// Weight of the cross entropy with imputed labels.
    pub weight: Schedule,
    /// η, the largest change of an entry of a label in a step.
    pub step: f64,
    /// Weight of VAT's divergence.
    pub vat: f64,
    /// How VAT's direction is found.
    pub adversary: Adversary,
}

impl Default for LgaConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::SigmoidRampUp { value: 1.0, over: 0.4 },
            step: 0.1,
            vat: 0.3,
            adversary: Adversary::default(),
        }
    }
}

impl MethodSettings for LgaConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .positive("step", self.step)
            .not_negative("vat", self.vat)
            .within("adversary", self.adversary.faults())
            .done()
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(Lga::new(self.clone(), task))
    }

    fn needs(&self) -> Needs {
        Needs { continuous: true, ..Needs::default() }
    }
}

/// LGA+VAT, with settings [`LgaConfig`].
#[derive(Debug)]
pub struct Lga {
    config: LgaConfig,
    /// The imputed labels, a distribution for each unlabelled sample.
    labels: Tensor,
}

/// What a step draws.
pub(crate) struct LgaDraws {
    /// The direction in which VAT's search starts, of the shape of the unlabelled samples.
    pub(crate) start: Tensor,
}

impl Lga {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: LgaConfig, task: &TaskInfo) -> Self {
        let (shape, uniform) = ([task.unlabeled, task.classes], 1.0 / task.classes as f64);
        Self { config, labels: Tensor::full(shape, uniform, (Kind::Float, task.device)) }
    }

    /// The labels `[batch, classes]` moved against the gradient of d.
    fn moved(&self, nets: &Nets, labels: &Tensor, x: &Tensor, u: &Tensor) -> Tensor {
        let weights: Vec<_> =
            nets.student.params.trainable().map(|p| p.tensor.shallow_clone()).collect();
        let weights: Vec<_> = weights.iter().filter(|w| w.requires_grad()).collect();
        let labels = labels.copy().set_requires_grad(true);
        let loss = loss::soft_cross_entropy(u, &labels).mean(Kind::Float);
        let labeled = grads(x, &weights, GraphUse::Kept);
        let imputed = grads(&loss, &weights, GraphUse::Grown);
        // A head that these losses do not use has no gradient.
        let distance = imputed
            .iter()
            .zip(&labeled)
            .filter_map(|(imputed, labeled)| Some((imputed.as_ref()?, labeled.as_ref()?)))
            .map(|(imputed, labeled)| (imputed - labeled.detach()).square().sum(Kind::Float))
            .reduce(|a, b| a + b)
            .expect("a network with weights");
        let slope = grads(&distance, &[&labels], GraphUse::Kept).swap_remove(0);
        let grad = slope.expect("a distance that depends on the labels");
        no_grad(|| {
            let length = grad.abs().amax([-1].as_slice(), true).clamp_min(1e-12);
            let moved = (labels - grad / length * self.config.step).clamp_min(0.0);
            &moved / moved.sum_dim_intlist([-1].as_slice(), true, Kind::Float).clamp_min(1e-12)
        })
    }

    /// The loss with its draws given.
    pub(crate) fn loss_with(
        &mut self,
        nets: &Nets,
        batch: &Batch,
        draws: &LgaDraws,
        at: Progress,
    ) -> Loss {
        // Where the loss is only measured, too.
        with_grad(|| self.loss_with_gradients(nets, batch, draws, at))
    }

    fn loss_with_gradients(
        &mut self,
        nets: &Nets,
        batch: &Batch,
        draws: &LgaDraws,
        at: Progress,
    ) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let u = nets.student.forward(&batch.u[0], Mode::TrainUntracked);
        let sup = loss::cross_entropy(&x, &batch.y).mean(Kind::Float);
        let indices = batch.unlabeled_indices();
        let labels = self.moved(nets, &self.labels.index_select(0, indices), &sup, &u);
        no_grad(|| {
            let _ = self.labels.index_copy_(0, indices, &labels);
        });
        let imputed = loss::soft_cross_entropy(&u, &labels).mean(Kind::Float);
        let confidence = labels.amax([-1].as_slice(), false).mean(Kind::Float);
        let LgaConfig { weight, vat, adversary, .. } = &self.config;
        let result = Loss::new()
            .term("sup", 1.0, sup)
            .term("unsup", weight.at(at), imputed)
            .note("confidence", confidence);
        if *vat == 0.0 {
            return result;
        }
        let kl = adversary.divergence(&nets.student, &batch.u[0], &u, &draws.start);
        result.term("vat", *vat, kl.mean(Kind::Float))
    }
}

impl Method for Lga {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let u = &batch.u[0];
        let start = rng::draw_on(u.device(), |device| u.to_device(device).randn_like());
        self.loss_with(nets, batch, &LgaDraws { start }, at)
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        vec![("labels".to_owned(), self.labels.shallow_clone())]
    }
}
