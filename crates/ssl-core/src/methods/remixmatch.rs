//! ReMixMatch (Berthelot et al. 2020, arXiv 1911.09785): MixMatch with pseudo-labels aligned to the
//! distribution of the labels, strong views that learn the pseudo-label of a weak one, and a
//! rotation to be recognised.
//!
//! Three passes: pseudo-labels, with batch statistics that leave the running ones as they are; the
//! mixed samples, which move them; the first strong view together with its rotations, which leave
//! them as they are, since a network is never evaluated on rotated images. Each sample has a λ of
//! its own, as in the authors' code. Every image is turned all four ways, where that code turns
//! each one way, a quarter of the batch by each.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{
    Marginal, Recent, align, betas, mix_rows, one_hot, permutation, rotations, sharpen,
};
use crate::{Batch, Head, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of ReMixMatch. With 4 labels a class the paper takes one strong view and rotation
/// weight 2 (CIFAR-10) or 3 (SVHN).
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1.5, reached in a straight line over the first 1.6 % of the run | weight of the mixed unlabelled samples | a schedule |
/// | `pure` | 0.5, likewise | weight of the first strong view without mixing | a schedule |
/// | `rotation` | 0.5 | weight of the rotation term; 0 leaves it out | at least 0 |
/// | `strong_views` | 8 | K, strong views of an unlabelled sample | at least 1 |
/// | `temperature` | 0.5 | T of sharpening | above 0 |
/// | `alpha` | 0.75 | α of λ's distribution Beta(α, α); max(λ, 1 − λ) is used | above 0 |
/// | `memory` | 128 | batches over which the mean prediction is taken | at least 1 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReMixMatchConfig {
    /// Weight of the mixed unlabelled samples.
    pub weight: Schedule,
    /// Weight of the first strong view without mixing.
    pub pure: Schedule,
    /// Weight of the rotation term.
    pub rotation: f64,
    /// K, strong views of an unlabelled sample.
    pub strong_views: usize,
    /// T of sharpening.
    pub temperature: f64,
    /// α of λ's distribution.
    pub alpha: f64,
    /// Batches over which the mean prediction is taken.
    pub memory: usize,
}

impl Default for ReMixMatchConfig {
    fn default() -> Self {
        let ramp = |value| Schedule::RampUp { value, over: 1.0 / 64.0 };
        Self {
            weight: ramp(1.5),
            pure: ramp(0.5),
            rotation: 0.5,
            strong_views: 8,
            temperature: 0.5,
            alpha: 0.75,
            memory: 128,
        }
    }
}

impl MethodSettings for ReMixMatchConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .within("pure", self.pure.faults())
            .not_negative("rotation", self.rotation)
            .at_least_one("strong_views", self.strong_views)
            .positive("temperature", self.temperature)
            .positive("alpha", self.alpha)
            .at_least_one("memory", self.memory)
            .done()
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(ReMixMatch::new(self.clone(), task))
    }

    fn needs(&self) -> Needs {
        Needs { images: self.rotation > 0.0, continuous: true, ..Needs::default() }
    }
}

/// What a step draws.
pub(crate) struct ReMixMatchDraws {
    /// λ of each of all samples, `[samples]`.
    pub(crate) lambda: Tensor,
    /// Which of all samples (labelled, then the weak and each strong view) each is mixed with,
    /// int64.
    pub(crate) permutation: Tensor,
}

/// ReMixMatch, with settings [`ReMixMatchConfig`].
#[derive(Debug)]
pub struct ReMixMatch {
    config: ReMixMatchConfig,
    /// The mean distribution of the labels.
    labels: Marginal,
    /// The mean predictions on the last batches.
    predicted: Recent,
}

impl ReMixMatch {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: ReMixMatchConfig, task: &TaskInfo) -> Self {
        Self {
            labels: Marginal::new(task.classes, 0.999, task.device),
            predicted: Recent::new(task.classes, config.memory, task.device),
            config,
        }
    }

    /// The sharpened, aligned prediction on the weak view, without a gradient.
    fn pseudo_label(
        &mut self,
        nets: &Nets,
        batch: &Batch,
        labels: &Tensor,
        at: Progress,
    ) -> Tensor {
        let probs = no_grad(|| nets.student.forward(&batch.u[0], Mode::TrainUntracked))
            .softmax(-1, Kind::Float);
        let aligned = align(&probs, self.labels.tensor(), &self.predicted.mean());
        self.labels.update(labels);
        self.predicted.update(&probs, at.step);
        sharpen(&aligned, self.config.temperature)
    }

    /// Draws from libtorch's generator.
    pub(crate) fn draw(&self, batch: &Batch) -> ReMixMatchDraws {
        let device = batch.x.device();
        let samples = batch.forward_samples() as i64;
        let lambda = betas(self.config.alpha, samples, device);
        ReMixMatchDraws { lambda, permutation: permutation(samples, device) }
    }

    /// The loss with its draws given.
    pub(crate) fn loss_with(
        &mut self,
        nets: &Nets,
        batch: &Batch,
        draws: &ReMixMatchDraws,
        at: Progress,
    ) -> Loss {
        let labels = one_hot(&batch.y, self.labels.tensor().size()[0]);
        let pseudo_label = self.pseudo_label(nets, batch, &labels, at);
        let samples: Vec<_> = std::iter::once(&batch.x).chain(&batch.u).collect();
        let targets: Vec<_> =
            std::iter::once(&labels).chain(batch.u.iter().map(|_| &pseudo_label)).collect();
        let (samples, targets) = (Tensor::cat(&samples, 0), Tensor::cat(&targets, 0));
        let ReMixMatchDraws { lambda, permutation } = draws;
        let larger = lambda.maximum(&(1.0 - lambda));
        let blend = |all: &Tensor| mix_rows(all, &all.index_select(0, permutation), &larger);
        let (mixed, targets) = (blend(&samples), blend(&targets));
        let (ReMixMatchConfig { weight, pure, rotation, .. }, strong) = (&self.config, &batch.u[1]);
        let logits = nets.student.forward(&mixed, Mode::Train);
        let term = |from, rows| {
            let of = |t: &Tensor| t.narrow(0, from, rows);
            loss::soft_cross_entropy(&of(&logits), &of(&targets)).mean(Kind::Float)
        };
        let (all, labeled) = (samples.size()[0], batch.x.size()[0]);
        let turned = (*rotation > 0.0).then(|| rotations(strong));
        let inputs = std::iter::once(strong).chain(turned.as_ref().map(|(x, _)| x));
        let inputs = Tensor::cat(&inputs.collect::<Vec<_>>(), 0);
        let features = nets.student.forward_features(&inputs, Mode::TrainUntracked);
        let unlabeled = strong.size()[0];
        let probs =
            nets.student.forward_head(&features.narrow(0, 0, unlabeled), Mode::TrainUntracked);
        let loss = Loss::new()
            .term("sup", 1.0, term(0, labeled))
            .term("unsup", weight.at(at), term(labeled, all - labeled))
            .term(
                "pure",
                pure.at(at),
                loss::soft_cross_entropy(&probs, &pseudo_label).mean(Kind::Float),
            );
        let Some((_, turns)) = turned else { return loss };
        let turned = features.narrow(0, unlabeled, turns.size()[0]);
        let turned = nets.student.forward_added_head(ROTATION, &turned);
        loss.term("rotation", *rotation, loss::cross_entropy(&turned, &turns).mean(Kind::Float))
    }
}

/// The name of the head that recognises rotations.
const ROTATION: &str = "rotation";

impl Method for ReMixMatch {
    fn views(&self) -> Views {
        let strong = vec![ViewKind::Strong; self.config.strong_views];
        Views { labeled: ViewKind::Strong, unlabeled: [vec![ViewKind::Weak], strong].concat() }
    }

    fn heads(&self) -> Vec<Head> {
        let asked = self.config.rotation > 0.0;
        asked.then_some(Head { name: ROTATION, outputs: 4 }).into_iter().collect()
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let draws = self.draw(batch);
        self.loss_with(nets, batch, &draws, at)
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        vec![
            ("labels".to_owned(), self.labels.tensor().shallow_clone()),
            ("predicted".to_owned(), self.predicted.tensor().shallow_clone()),
        ]
    }
}
