//! FixMatch (Sohn et al. 2020, arXiv 2001.07685): the confident prediction on a weak view is the
//! label of the strong view.
//!
//! One forward pass over labelled, weak and strong samples together (the authors interleave them in
//! sub-batches of one size, for the same purpose). The unlabelled mean divides by all samples, also
//! those under the threshold (equation 4).

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Tensor};
use train::{Loss, Progress, Schedule};

use crate::parts::{Aligner, Alignment, Judged, WeakPass, confident, skip_faults};
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of FixMatch. The paper also has: 7 unlabelled samples for each of 64 labelled ones;
/// on CIFAR-100 a weight decay of 0.001; on ImageNet threshold 0.7, weight 10, ratio 5.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the unlabelled term | a schedule |
/// | `threshold` | 0.95 | the probability from which a prediction is a label | \[0, 1\] |
/// | `alignment` | none | distribution alignment of the pseudo-labels, as in [`Alignment`]: for classes of very different size (section 2.5) | |
/// | `weak_pass` | `joint` | how the weak view is predicted, a [`WeakPass`] | |
/// | `skip_masked` | false | strong views that do not count are not run: less work for the same loss, but for batch norm, which sees the others alone; where `weight` is 0, no unlabelled view is run and nothing is learnt from it | false with `joint` |
/// | `labeled` | `weak` | the view of labelled samples | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FixMatchConfig {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// The probability from which a prediction is a label.
    pub threshold: f64,
    /// Distribution alignment of the pseudo-labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Alignment>,
    /// How the weak view is predicted.
    pub weak_pass: WeakPass,
    /// Whether strong views that do not count are left out.
    pub skip_masked: bool,
    /// The view of labelled samples.
    pub labeled: ViewKind,
}

impl Default for FixMatchConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::constant(1.0),
            threshold: 0.95,
            alignment: None,
            weak_pass: WeakPass::Joint,
            skip_masked: false,
            labeled: ViewKind::Weak,
        }
    }
}

impl MethodSettings for FixMatchConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .fraction("threshold", self.threshold)
            .also(skip_faults(self.weak_pass, self.skip_masked))
            .within("alignment", self.alignment.iter().flat_map(Alignment::faults))
            .done()
    }

    fn fits_classes(&self, classes: usize) -> Result<(), ConfigError> {
        self.alignment.iter().try_for_each(|alignment| alignment.fits(classes))
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(FixMatch::new(self.clone(), task))
    }

    fn needs(&self) -> Needs {
        self.weak_pass.needs()
    }

    fn shares_batches(&self) -> bool {
        true
    }
}

/// FixMatch, with settings [`FixMatchConfig`].
#[derive(Debug)]
pub struct FixMatch {
    config: FixMatchConfig,
    aligner: Option<Aligner>,
}

impl FixMatch {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: FixMatchConfig, task: &TaskInfo) -> Self {
        let aligner = config.alignment.clone().map(|alignment| Aligner::new(alignment, task));
        Self { config, aligner }
    }
}

impl Method for FixMatch {
    fn views(&self) -> Views {
        Views { labeled: self.config.labeled, unlabeled: vec![ViewKind::Weak, ViewKind::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let &FixMatchConfig { threshold, weak_pass, skip_masked, .. } = &self.config;
        let weight = self.config.weight.at(at);
        let aligner = &mut self.aligner;
        let judge = |weak: &Tensor| {
            let probs = weak.softmax(-1, Kind::Float);
            let target = match aligner {
                Some(aligner) => aligner.align(&probs, &batch.y),
                None => probs,
            };
            Judged { mask: confident(&target, threshold), target }
        };
        weak_pass.hard_label_loss(nets, batch, skip_masked, weight, judge).0
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.aligner.as_ref().map_or_else(Vec::new, Aligner::state)
    }
}
