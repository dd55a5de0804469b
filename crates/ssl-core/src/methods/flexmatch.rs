//! FlexMatch (Zhang et al. 2021, arXiv 2110.08263): FixMatch with a threshold for each class, the lower the less is learnt of it.
//!
//! σ(c) counts the unlabelled samples whose last confident guess was c; β(c) = σ(c) / max(max σ, samples without one), the warm-up
//! of equation 9; the threshold of class c is τ · β / (2 − β), the convex map of equation 10. One forward pass, as FixMatch.

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, Tensor, loss::cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{confident, hard, masked_mean, sure_by_class};
use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// The settings of FlexMatch.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the unlabelled term | a schedule |
/// | `threshold` | 0.95 | τ, the threshold of a class that is fully learnt | \[0, 1\] |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlexMatch {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// τ, the threshold of a class that is fully learnt.
    pub threshold: f64,
}

impl Default for FlexMatch {
    fn default() -> Self {
        Self { weight: Schedule::constant(1.0), threshold: 0.95 }
    }
}

impl Config for FlexMatch {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::share("threshold", self.threshold)
    }

    fn build(&self, facts: &Facts) -> Box<dyn Method> {
        let none = Tensor::full([facts.unlabeled], facts.classes, (Kind::Int64, facts.device));
        Box::new(Flexible { config: self.clone(), guessed: none, classes: facts.classes })
    }
}

struct Flexible {
    config: FlexMatch,
    /// The last confident guess of each unlabelled sample; the number of classes where there was none.
    guessed: Tensor,
    classes: i64,
}

impl Flexible {
    /// The threshold of each class, `[classes]`.
    fn thresholds(&self) -> Tensor {
        let counts = self.guessed.bincount::<Tensor>(None, self.classes + 1).to_kind(Kind::Float);
        let beta = counts.narrow(0, 0, self.classes) / counts.max().clamp_min(1.0);
        &beta / (2.0 - &beta) * self.config.threshold
    }
}

impl Method for Flexible {
    fn views(&self) -> Views {
        Views { labeled: View::Weak, unlabeled: vec![View::Weak, View::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let [x, weak, strong] =
            nets.forward_joint([&batch.x, &batch.u[0], &batch.u[1]], Mode::Train);
        let guess = weak.detach().softmax(-1, Kind::Float);
        let label = hard(&guess);
        let sure = confident(&guess, self.thresholds().index_select(0, &label));
        no_grad(|| {
            // What counts as learnt is measured by the full threshold.
            let learnt = confident(&guess, self.config.threshold).gt(0.0);
            let slots = batch.slots();
            let kept = label.where_self(&learnt, &self.guessed.index_select(0, slots));
            let _ = self.guessed.index_copy_(0, slots, &kept);
        });
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.config.weight.at(at),
                masked_mean(&cross_entropy(&strong, &label), &sure),
            )
            .note("sure", sure.mean(Kind::Float))
            .note_each("sure", sure_by_class(&guess, &sure))
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        vec![("guessed".to_owned(), self.guessed.shallow_clone())]
    }
}
