//! MixMatch (Berthelot et al. 2019, arXiv 1905.02249): the sharpened mean of the predictions on
//! several weak views is their pseudo-label, and samples of all kinds are mixed.
//!
//! Pseudo-labels come from passes with batch statistics that leave the running ones as they are.
//! The mixed samples go through the network in one pass (the authors interleave them in
//! sub-batches, and only the first moves the running statistics). Each sample has a λ of its own,
//! as in the authors' code. The unlabelled term is a mean over samples and classes.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss::soft_cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{betas, mix_rows, one_hot, permutation, sharpen, squared_error};
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of MixMatch.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 75, reached in a straight line over the first 1.6 % of the run (1 Mi of 64 Mi images) | λ of the unlabelled term: 75 on CIFAR-10, 250 on SVHN | a schedule |
/// | `views` | 2 | K, weak views of an unlabelled sample | at least 1 |
/// | `temperature` | 0.5 | T of sharpening | above 0 |
/// | `alpha` | 0.75 | α of λ's distribution Beta(α, α); max(λ, 1 − λ) is used | above 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixMatchConfig {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// K, weak views of an unlabelled sample.
    pub views: usize,
    /// T of sharpening.
    pub temperature: f64,
    /// α of λ's distribution.
    pub alpha: f64,
}

impl Default for MixMatchConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::RampUp { value: 75.0, over: 1.0 / 64.0 },
            views: 2,
            temperature: 0.5,
            alpha: 0.75,
        }
    }
}

impl MethodSettings for MixMatchConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .at_least_one("views", self.views)
            .positive("temperature", self.temperature)
            .positive("alpha", self.alpha)
            .done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(MixMatch::new(self.clone()))
    }

    fn needs(&self) -> Needs {
        Needs { continuous: true, ..Needs::default() }
    }
}

/// MixMatch, with settings [`MixMatchConfig`].
#[derive(Debug)]
pub struct MixMatch {
    config: MixMatchConfig,
}

/// What a step draws.
pub(crate) struct MixMatchDraws {
    /// λ of each of all samples, `[samples]`.
    pub(crate) lambda: Tensor,
    /// Which of all samples (labelled, then each view) each of them is mixed with, int64.
    pub(crate) permutation: Tensor,
}

impl MixMatch {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: MixMatchConfig) -> Self {
        Self { config }
    }

    /// The sharpened mean of the predictions on all views, without a gradient.
    fn pseudo_label(&self, nets: &Nets, batch: &Batch) -> Tensor {
        let probs = batch.u.iter().map(|view| {
            no_grad(|| nets.student.forward(view, Mode::TrainUntracked)).softmax(-1, Kind::Float)
        });
        let sum = probs.reduce(|a, b| a + b).expect("a view");
        sharpen(&(sum / batch.u.len() as f64), self.config.temperature)
    }

    /// Draws from libtorch's generator.
    pub(crate) fn draw(&self, batch: &Batch) -> MixMatchDraws {
        let device = batch.x.device();
        let samples = batch.forward_samples() as i64;
        let lambda = betas(self.config.alpha, samples, device);
        MixMatchDraws { lambda, permutation: permutation(samples, device) }
    }

    /// The loss with its draws given.
    pub(crate) fn loss_with(
        &self,
        nets: &Nets,
        batch: &Batch,
        draws: &MixMatchDraws,
        at: Progress,
    ) -> Loss {
        let pseudo_label = self.pseudo_label(nets, batch);
        let labels = one_hot(&batch.y, pseudo_label.size()[1]);
        let samples = std::iter::once(&batch.x).chain(&batch.u).collect::<Vec<_>>();
        let targets: Vec<_> =
            std::iter::once(&labels).chain(batch.u.iter().map(|_| &pseudo_label)).collect();
        let (samples, targets) = (Tensor::cat(&samples, 0), Tensor::cat(&targets, 0));
        let MixMatchDraws { lambda, permutation } = draws;
        let larger = lambda.maximum(&(1.0 - lambda));
        let blend = |all: &Tensor| mix_rows(all, &all.index_select(0, permutation), &larger);
        let logits = nets.student.forward(&blend(&samples), Mode::Train);
        let targets = blend(&targets);
        let labeled = batch.x.size()[0];
        let unlabeled = samples.size()[0] - labeled;
        let [x, u] = [(0, labeled), (labeled, unlabeled)]
            .map(|(from, rows)| (logits.narrow(0, from, rows), targets.narrow(0, from, rows)));
        Loss::new().term("sup", 1.0, soft_cross_entropy(&x.0, &x.1).mean(Kind::Float)).term(
            "unsup",
            self.config.weight.at(at),
            squared_error(&u.0, &u.1).mean(Kind::Float),
        )
    }
}

impl Method for MixMatch {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak; self.config.views] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let draws = self.draw(batch);
        self.loss_with(nets, batch, &draws, at)
    }
}
