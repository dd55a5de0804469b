//! FlexMatch (Zhang et al. 2021, arXiv 2110.08263): FixMatch with a threshold for each class, which
//! is the lower the less of the class is learnt.
//!
//! σ(c) counts the unlabelled samples whose latest confident pseudo-label is c; β(c) = σ(c) /
//! max(max σ, samples without one), the warm-up of equation 9; the threshold of class c is τ · β /
//! (2 − β), the convex map of equation 10. One forward pass, as FixMatch.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Tensor, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{Judged, WeakPass, confident, hard_labels, skip_faults};
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of FlexMatch.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the unlabelled term | a schedule |
/// | `threshold` | 0.95 | τ, the threshold of a class that is fully learnt | \[0, 1\] |
/// | `weak_pass` | `joint` | how the weak view is predicted, a [`WeakPass`] | |
/// | `skip_masked` | false | strong views that do not count are not run: less work for the same loss, but for batch norm, which sees the others alone; where `weight` is 0, no unlabelled view is run and nothing is learnt from it | false with `joint` |
/// | `labeled` | `weak` | the view of labelled samples | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlexMatchConfig {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// τ, the threshold of a class that is fully learnt.
    pub threshold: f64,
    /// How the weak view is predicted.
    pub weak_pass: WeakPass,
    /// Whether strong views that do not count are left out.
    pub skip_masked: bool,
    /// The view of labelled samples.
    pub labeled: ViewKind,
}

impl Default for FlexMatchConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::constant(1.0),
            threshold: 0.95,
            weak_pass: WeakPass::Joint,
            skip_masked: false,
            labeled: ViewKind::Weak,
        }
    }
}

impl MethodSettings for FlexMatchConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .fraction("threshold", self.threshold)
            .also(skip_faults(self.weak_pass, self.skip_masked))
            .done()
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(FlexMatch::new(self.clone(), task))
    }

    fn needs(&self) -> Needs {
        self.weak_pass.needs()
    }
}

/// FlexMatch, with settings [`FlexMatchConfig`].
#[derive(Debug)]
pub struct FlexMatch {
    config: FlexMatchConfig,
    /// The latest confident pseudo-label of each unlabelled sample, int64 `[unlabeled]`; the number
    /// of classes where there was none.
    latest: Tensor,
    classes: i64,
}

impl FlexMatch {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: FlexMatchConfig, task: &TaskInfo) -> Self {
        let none = Tensor::full([task.unlabeled], task.classes, (Kind::Int64, task.device));
        Self { config, latest: none, classes: task.classes }
    }

    /// The threshold of each class, `[classes]`.
    fn thresholds(&self) -> Tensor {
        // `bincount` would wait for the device, to see how long its result must be.
        let ones = self.latest.ones_like().to_kind(Kind::Float);
        let counts = Tensor::zeros([self.classes + 1], (Kind::Float, self.latest.device()))
            .scatter_add(0, &self.latest, &ones);
        let beta = counts.narrow(0, 0, self.classes) / counts.max().clamp_min(1.0);
        &beta / (2.0 - &beta) * self.config.threshold
    }
}

impl Method for FlexMatch {
    fn views(&self) -> Views {
        Views { labeled: self.config.labeled, unlabeled: vec![ViewKind::Weak, ViewKind::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let &FlexMatchConfig { weak_pass, skip_masked, .. } = &self.config;
        let weight = self.config.weight.at(at);
        let judge = |weak: &Tensor| {
            let target = weak.softmax(-1, Kind::Float);
            let threshold = self.thresholds().index_select(0, &hard_labels(&target));
            Judged { mask: confident(&target, threshold), target }
        };
        let (loss, passes) = weak_pass.hard_label_loss(nets, batch, skip_masked, weight, judge);
        let Some(passes) = passes else { return loss };
        no_grad(|| {
            let target = &passes.judged.target;
            // A sample counts as learnt from the full threshold on.
            let learnt = confident(target, self.config.threshold).gt(0.0);
            let indices = batch.unlabeled_indices();
            let latest = self.latest.index_select(0, indices);
            let moved = hard_labels(target).where_self(&learnt, &latest);
            let _ = self.latest.index_copy_(0, indices, &moved);
        });
        loss
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        vec![("latest".to_owned(), self.latest.shallow_clone())]
    }
}
