//! FreeMatch (Wang et al. 2023, arXiv 2205.07246): FixMatch with thresholds that follow the
//! network's own confidence, and a term that spreads its predictions over the classes.
//!
//! τ is a moving average of the mean largest probability, p̃ of the mean prediction, h̃ of how
//! often each class is the pseudo-label; class c's threshold is τ · p̃(c) / max p̃. The fairness
//! term is Σ p log q with p ∝ p̃/h̃ and q ∝ p̄/h̄ of the confident strong views (equation 11). One
//! forward pass, as FixMatch, where `weak_pass` says nothing else. The authors' configurations have
//! the fairness weight 0.001 everywhere and keep τ at 0.95 or less on SVHN; the default of their
//! program, which none of them uses, is 0.01.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Tensor, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{Judged, Marginal, WeakPass, confident, hard_labels, one_hot, skip_faults};
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of FreeMatch.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the unlabelled term | a schedule |
/// | `fairness` | 0.001 | weight of the fairness term | at least 0 |
/// | `decay` | 0.999 | decay of the moving averages | \[0, 1) |
/// | `clip` | none | the greatest τ: 0.95 on SVHN | \[0, 1\] |
/// | `weak_pass` | `joint` | how the weak view is predicted, a [`WeakPass`] | |
/// | `skip_masked` | false | strong views that do not count are not run: less work for the same loss, but for batch norm, which sees the others alone; where `weight` is 0, no unlabelled view is run and nothing is learnt from it | false with `joint` |
/// | `labeled` | `weak` | the view of labelled samples | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FreeMatchConfig {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// Weight of the fairness term.
    pub fairness: f64,
    /// Decay of the moving averages.
    pub decay: f64,
    /// The greatest τ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// How the weak view is predicted.
    pub weak_pass: WeakPass,
    /// Whether strong views that do not count are left out.
    pub skip_masked: bool,
    /// The view of labelled samples.
    pub labeled: ViewKind,
}

impl Default for FreeMatchConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::constant(1.0),
            fairness: 0.001,
            decay: 0.999,
            clip: None,
            weak_pass: WeakPass::Joint,
            skip_masked: false,
            labeled: ViewKind::Weak,
        }
    }
}

impl MethodSettings for FreeMatchConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .not_negative("fairness", self.fairness)
            .rate("decay", self.decay)
            .fraction("clip", self.clip.unwrap_or(0.0))
            .also(skip_faults(self.weak_pass, self.skip_masked))
            .done()
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(FreeMatch::new(self.clone(), task))
    }

    fn needs(&self) -> Needs {
        self.weak_pass.needs()
    }
}

/// FreeMatch, with settings [`FreeMatchConfig`].
#[derive(Debug)]
pub struct FreeMatch {
    config: FreeMatchConfig,
    /// τ.
    confidence: Tensor,
    /// p̃.
    predicted: Marginal,
    /// h̃.
    labels: Marginal,
}

impl FreeMatch {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: FreeMatchConfig, task: &TaskInfo) -> Self {
        let marginal = || Marginal::new(task.classes, config.decay, task.device);
        let confidence = Tensor::full([1], 1.0 / task.classes as f64, (Kind::Float, task.device));
        Self { confidence, predicted: marginal(), labels: marginal(), config }
    }

    fn update(&mut self, probs: &Tensor) {
        no_grad(|| {
            let mean = probs.amax([-1].as_slice(), false).mean(Kind::Float);
            let moved = &self.confidence * self.config.decay + mean * (1.0 - self.config.decay);
            self.confidence.copy_(&moved.clamp_max(self.config.clip.unwrap_or(1.0)));
        });
        self.predicted.update(probs);
        self.labels.update(&one_hot(&hard_labels(probs), probs.size()[1]));
    }

    /// The fairness term; 0 where no sample is confident.
    fn fairness(&self, strong: &Tensor, mask: &Tensor) -> Tensor {
        let p = strong.softmax(-1, Kind::Float);
        let mask = mask.unsqueeze(-1);
        let sum = |t: &Tensor| (t * &mask).sum_dim_intlist([0].as_slice(), false, Kind::Float);
        let count = mask.sum(Kind::Float).clamp_min(1.0);
        let labels = sum(&one_hot(&hard_labels(&p), p.size()[1])) / &count;
        // A class that is never a pseudo-label has ratio 0.
        let over = |p: Tensor, h: &Tensor| {
            let ratio = p * h.gt(0.0).to_kind(Kind::Float) / h.clamp_min(1e-12);
            &ratio / ratio.sum(Kind::Float).clamp_min(1e-12)
        };
        let target = over(self.predicted.tensor().shallow_clone(), self.labels.tensor());
        let current = over(sum(&p) / &count, &labels);
        let any = mask.sum(Kind::Float).clamp_max(1.0);
        (target * (current + 1e-12).log()).sum(Kind::Float) * any
    }
}

impl Method for FreeMatch {
    fn views(&self) -> Views {
        Views { labeled: self.config.labeled, unlabeled: vec![ViewKind::Weak, ViewKind::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let &FreeMatchConfig { weak_pass, skip_masked, fairness, .. } = &self.config;
        let weight = self.config.weight.at(at);
        let judge = |weak: &Tensor| {
            let target = weak.softmax(-1, Kind::Float);
            self.update(&target);
            let predicted = self.predicted.tensor();
            let thresholds = predicted / predicted.max() * &self.confidence;
            let mask = confident(&target, thresholds.index_select(0, &hard_labels(&target)));
            Judged { target, mask }
        };
        let (loss, passes) = weak_pass.hard_label_loss(nets, batch, skip_masked, weight, judge);
        let Some(passes) = passes else { return loss };
        let loss = loss.note("threshold", self.confidence.copy());
        if fairness == 0.0 {
            return loss;
        }
        let (strong, mask) = passes.strong_and_mask();
        loss.term("fairness", fairness, self.fairness(strong, &mask))
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        [
            ("confidence", &self.confidence),
            ("predicted", self.predicted.tensor()),
            ("labels", self.labels.tensor()),
        ]
        .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
        .into()
    }
}
