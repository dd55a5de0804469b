//! AdaMatch (Berthelot et al. 2021, arXiv 2106.04732): FixMatch with pseudo-labels aligned to the
//! predictions on labelled samples, a threshold relative to the confidence on them, and logits
//! interpolated between two kinds of batch statistics.
//!
//! The labelled samples go through the network together with the unlabelled ones and a second time
//! alone, which leaves the running statistics as they are; each of their logits is a random mixture
//! of the two. Distributions are those of the authors' code, where the paper has those of one batch
//! of thousands of samples: on unlabelled samples the mean over the last 128 batches, which start
//! uniform, on labelled ones a moving average. Ours starts at the first batch; theirs, at 0.999
//! from the uniform distribution, is still that after a thousand steps. Labelled samples have one
//! view (theirs have a weak and a strong one).

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss::cross_entropy, rng};
use train::{Loss, Progress, Schedule};

use crate::parts::{
    Marginal, Recent, align, confident, hard_labels, mask_by_class, masked_mean, mix,
};
use crate::{Batch, Method, MethodSettings, Nets, TaskInfo, ViewKind, Views};

/// The settings of AdaMatch.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1, half a period of a cosine over the first half of the run | μ(t) of the unlabelled term | a schedule |
/// | `threshold` | 0.9 | τ, a factor on the mean confidence on labelled samples | \[0, 1\] |
/// | `decay` | 0.999 | decay of the moving average on labelled samples | \[0, 1) |
/// | `memory` | 128 | batches over which the mean on unlabelled samples is taken | at least 1 |
/// | `interpolate` | true | whether logits are interpolated; without it only the joint pass is made | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaMatchConfig {
    /// μ(t) of the unlabelled term.
    pub weight: Schedule,
    /// τ, a factor on the mean confidence on labelled samples.
    pub threshold: f64,
    /// Decay of the moving average on labelled samples.
    pub decay: f64,
    /// Batches over which the mean on unlabelled samples is taken.
    pub memory: usize,
    /// Whether logits are interpolated.
    pub interpolate: bool,
}

impl Default for AdaMatchConfig {
    fn default() -> Self {
        let weight = Schedule::CosineRampUp { value: 1.0, over: 0.5 };
        Self { weight, threshold: 0.9, decay: 0.999, memory: 128, interpolate: true }
    }
}

impl MethodSettings for AdaMatchConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .fraction("threshold", self.threshold)
            .rate("decay", self.decay)
            .at_least_one("memory", self.memory)
            .done()
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(AdaMatch::new(self.clone(), task))
    }
}

/// AdaMatch, with settings [`AdaMatchConfig`].
#[derive(Debug)]
pub struct AdaMatch {
    config: AdaMatchConfig,
    /// The mean prediction on labelled samples.
    labeled: Marginal,
    /// The mean predictions on the last unlabelled batches.
    unlabeled: Recent,
}

/// What a step draws.
pub(crate) struct AdaMatchDraws {
    /// λ `[labeled, classes]`: the part of the joint pass in each labelled logit; `None` takes the
    /// joint pass alone.
    pub(crate) lambda: Option<Tensor>,
}

impl AdaMatch {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: AdaMatchConfig, task: &TaskInfo) -> Self {
        let labeled = Marginal::from_first_batch(task.classes, config.decay, task.device);
        let unlabeled = Recent::new(task.classes, config.memory, task.device);
        Self { labeled, unlabeled, config }
    }

    /// Draws from libtorch's generator.
    pub(crate) fn draw(&self, batch: &Batch) -> AdaMatchDraws {
        let shape = [batch.x.size()[0], self.labeled.tensor().size()[0]];
        let draw = |device| Tensor::rand(shape, (Kind::Float, device));
        let lambda = self.config.interpolate.then(|| rng::draw_on(batch.x.device(), draw));
        AdaMatchDraws { lambda }
    }

    /// The loss with its draws given.
    pub(crate) fn loss_with(
        &mut self,
        nets: &Nets,
        batch: &Batch,
        draws: &AdaMatchDraws,
        at: Progress,
    ) -> Loss {
        let [joint, weak, strong] =
            nets.forward_joint([&batch.x, &batch.u[0], &batch.u[1]], Mode::Train);
        let x = match &draws.lambda {
            Some(lambda) => {
                mix(&joint, &nets.student.forward(&batch.x, Mode::TrainUntracked), lambda)
            }
            None => joint,
        };
        let labeled_probs = x.detach().softmax(-1, Kind::Float);
        let probs = weak.detach().softmax(-1, Kind::Float);
        self.labeled.update(&labeled_probs);
        self.unlabeled.update(&probs, at.step);
        let aligned = align(&probs, self.labeled.tensor(), &self.unlabeled.mean());
        let threshold =
            labeled_probs.amax([-1].as_slice(), false).mean(Kind::Float) * self.config.threshold;
        let mask = confident(&aligned, threshold.shallow_clone());
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.config.weight.at(at),
                masked_mean(&cross_entropy(&strong, &hard_labels(&aligned)), &mask),
            )
            .note("mask", mask.mean(Kind::Float))
            .note("threshold", threshold)
            .note_each("mask", mask_by_class(&aligned, &mask))
    }
}

impl Method for AdaMatch {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak, ViewKind::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let draws = self.draw(batch);
        self.loss_with(nets, batch, &draws, at)
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        vec![
            ("labeled".to_owned(), self.labeled.tensor().shallow_clone()),
            ("unlabeled".to_owned(), self.unlabeled.tensor().shallow_clone()),
        ]
    }
}
