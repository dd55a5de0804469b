//! SoftMatch (Chen et al. 2023, arXiv 2301.10921): FixMatch with weights that fall smoothly below
//! the mean confidence.
//!
//! μ and σ² are moving averages of the mean and (unbiased) variance of the largest probabilities,
//! updated before they are used; the weight of a sample is exp(−min(p − μ, 0)² / (2σ²/n²)). A batch
//! of one sample has no variance and leaves σ² as it is. The mean prediction that confidences are
//! aligned by starts at that of the first batch.
//! Confidences are those of predictions aligned to uniform classes, pseudo-labels those of the
//! predictions themselves, as in the authors' code.
//! One forward pass, as FixMatch, where `weak_pass` says nothing else.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Tensor, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{Judged, Marginal, WeakPass, align};
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of SoftMatch.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the unlabelled term | a schedule |
/// | `sigmas` | 2 | n, by which the deviation is divided | above 0 |
/// | `decay` | 0.999 | decay of the moving averages | \[0, 1) |
/// | `align` | true | whether confidences are those of aligned predictions | |
/// | `weak_pass` | `joint` | how the weak view is predicted, a [`WeakPass`] | |
/// | `labeled` | `weak` | the view of labelled samples | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftMatchConfig {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// n, by which the deviation is divided.
    pub sigmas: f64,
    /// Decay of the moving averages.
    pub decay: f64,
    /// Whether confidences are those of aligned predictions.
    pub align: bool,
    /// How the weak view is predicted.
    pub weak_pass: WeakPass,
    /// The view of labelled samples.
    pub labeled: ViewKind,
}

impl Default for SoftMatchConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::constant(1.0),
            sigmas: 2.0,
            decay: 0.999,
            align: true,
            weak_pass: WeakPass::Joint,
            labeled: ViewKind::Weak,
        }
    }
}

impl MethodSettings for SoftMatchConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .positive("sigmas", self.sigmas)
            .rate("decay", self.decay)
            .done()
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(SoftMatch::new(self.clone(), task))
    }

    fn needs(&self) -> Needs {
        self.weak_pass.needs()
    }
}

/// SoftMatch, with settings [`SoftMatchConfig`].
#[derive(Debug)]
pub struct SoftMatch {
    config: SoftMatchConfig,
    /// μ.
    mean: Tensor,
    /// σ².
    variance: Tensor,
    /// The mean prediction.
    predicted: Marginal,
}

impl SoftMatch {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: SoftMatchConfig, task: &TaskInfo) -> Self {
        let options = (Kind::Float, task.device);
        let mean = Tensor::full([1], 1.0 / task.classes as f64, options);
        let predicted = Marginal::from_first_batch(task.classes, config.decay, task.device);
        Self { config, mean, variance: Tensor::ones([1], options), predicted }
    }

    /// The weight of each sample, `[batch]`.
    fn weights(&mut self, probs: &Tensor) -> Tensor {
        let SoftMatchConfig { sigmas, decay, align: aligns, .. } = self.config;
        let aligned = if aligns {
            self.predicted.update(probs);
            let seen = self.predicted.tensor();
            align(probs, &seen.full_like(1.0 / seen.size()[0] as f64), seen)
        } else {
            probs.shallow_clone()
        };
        let largest = aligned.amax([-1].as_slice(), false);
        no_grad(|| {
            let moved = &self.mean * decay + largest.mean(Kind::Float) * (1.0 - decay);
            self.mean.copy_(&moved);
            if largest.size()[0] > 1 {
                let moved = &self.variance * decay + largest.var(true) * (1.0 - decay);
                self.variance.copy_(&moved);
            }
            let below = (&largest - &self.mean).clamp_max(0.0);
            (-below.square() / (&self.variance * (2.0 / (sigmas * sigmas))).clamp_min(1e-12)).exp()
        })
    }
}

impl Method for SoftMatch {
    fn views(&self) -> Views {
        Views { labeled: self.config.labeled, unlabeled: vec![ViewKind::Weak, ViewKind::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let (weak_pass, weight) = (self.config.weak_pass, self.config.weight.at(at));
        let judge = |weak: &Tensor| {
            let target = weak.softmax(-1, Kind::Float);
            Judged { mask: self.weights(&target), target }
        };
        // Every strong view counts something, and is run.
        weak_pass.hard_label_loss(nets, batch, false, weight, judge).0
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        [("mean", &self.mean), ("variance", &self.variance), ("predicted", self.predicted.tensor())]
            .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
            .into()
    }
}
