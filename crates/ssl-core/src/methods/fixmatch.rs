//! FixMatch (Sohn et al. 2020, arXiv 2001.07685): the confident guess on a weak view is the strong view's label.
//!
//! One forward pass over labelled, weak and strong samples together (the authors interleave them in sub-batches of one size,
//! to the same end). The unlabelled mean divides by all samples, also those under the threshold (equation 4).

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, loss::cross_entropy};
use train::{Loss, Progress, Schedule};

use crate::parts::{confident, hard, masked_mean, sure_by_class};
use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// The settings of FixMatch. The paper's others: 7 unlabelled samples for each of 64 labelled ones; on CIFAR-100 a weight decay of
/// 0.001; on ImageNet threshold 0.7, weight 10, ratio 5.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the unlabelled term | a schedule |
/// | `threshold` | 0.95 | the probability from which a guess counts | \[0, 1\] |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FixMatch {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// The probability from which a guess counts.
    pub threshold: f64,
}

impl Default for FixMatch {
    fn default() -> Self {
        Self { weight: Schedule::constant(1.0), threshold: 0.95 }
    }
}

impl Config for FixMatch {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::share("threshold", self.threshold)
    }

    fn build(&self, _facts: &Facts) -> Box<dyn Method> {
        Box::new(self.clone())
    }
}

impl Method for FixMatch {
    fn views(&self) -> Views {
        Views { labeled: View::Weak, unlabeled: vec![View::Weak, View::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let [x, weak, strong] =
            nets.forward_joint([&batch.x, &batch.u[0], &batch.u[1]], Mode::Train);
        let guess = weak.detach().softmax(-1, Kind::Float);
        let sure = confident(&guess, self.threshold);
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.weight.at(at),
                masked_mean(&cross_entropy(&strong, &hard(&guess)), &sure),
            )
            .note("sure", sure.mean(Kind::Float))
            .note_each("sure", sure_by_class(&guess, &sure))
    }
}
