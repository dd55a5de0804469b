//! AdaMatch (Berthelot et al. 2021, arXiv 2106.04732): FixMatch with guesses aligned to the labelled samples' predictions, a
//! threshold relative to the confidence on them, and logits interpolated between two kinds of batch statistics.
//!
//! The labelled samples go through the network with the unlabelled ones and, leaving the running statistics alone, without them;
//! each of their logits is a random mixture of the two. Distributions are moving averages (decay 0.999, as in USB) instead of
//! the paper's of one batch, which has thousands of samples. Labelled samples come in one view.

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, Tensor, loss::cross_entropy};
use train::{Loss, Progress, Schedule};

use crate::parts::{Marginal, align, confident, hard, masked_mean, mix, sure_by_class};
use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// The settings of AdaMatch.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1, half a period of a cosine over the first half of the run | μ(t) of the unlabelled term | a schedule |
/// | `threshold` | 0.9 | τ, as a part of the mean confidence on labelled samples | \[0, 1\] |
/// | `decay` | 0.999 | of the moving averages | \[0, 1) |
/// | `interpolate` | true | whether logits are interpolated; without it only the joint pass is made | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaMatch {
    /// μ(t) of the unlabelled term.
    pub weight: Schedule,
    /// τ, as a part of the mean confidence on labelled samples.
    pub threshold: f64,
    /// Of the moving averages.
    pub decay: f64,
    /// Whether logits are interpolated.
    pub interpolate: bool,
}

impl Default for AdaMatch {
    fn default() -> Self {
        let weight = Schedule::CosineRampUp { value: 1.0, over: 0.5 };
        Self { weight, threshold: 0.9, decay: 0.999, interpolate: true }
    }
}

impl Config for AdaMatch {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::share("threshold", self.threshold)?;
        check::rate("decay", self.decay)
    }

    fn build(&self, facts: &Facts) -> Box<dyn Method> {
        Box::new(AdaMatching::new(self.clone(), facts))
    }
}

pub(crate) struct AdaMatching {
    config: AdaMatch,
    /// What is predicted of labelled samples.
    labeled: Marginal,
    /// What is predicted of unlabelled samples.
    unlabeled: Marginal,
}

impl AdaMatching {
    pub(crate) fn new(config: AdaMatch, facts: &Facts) -> Self {
        let marginal = || Marginal::new(facts.classes, config.decay, facts.device);
        Self { labeled: marginal(), unlabeled: marginal(), config }
    }

    /// The loss with the shares `[labeled, classes]` given that the joint pass has in the labelled logits.
    pub(crate) fn interpolated(
        &mut self,
        nets: &Nets,
        batch: &Batch,
        shares: Option<&Tensor>,
        at: Progress,
    ) -> Loss {
        let [joint, weak, strong] =
            nets.forward_joint([&batch.x, &batch.u[0], &batch.u[1]], Mode::Train);
        let x = match shares {
            Some(shares) => {
                mix(&joint, &nets.student.forward(&batch.x, Mode::TrainUntracked), shares)
            }
            None => joint,
        };
        let known = x.detach().softmax(-1, Kind::Float);
        let guess = weak.detach().softmax(-1, Kind::Float);
        self.labeled.see(&known);
        self.unlabeled.see(&guess);
        let aligned = align(&guess, self.labeled.tensor(), self.unlabeled.tensor());
        let threshold =
            known.amax([-1].as_slice(), false).mean(Kind::Float) * self.config.threshold;
        let sure = confident(&aligned, threshold.shallow_clone());
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.config.weight.at(at),
                masked_mean(&cross_entropy(&strong, &hard(&aligned)), &sure),
            )
            .note("sure", sure.mean(Kind::Float))
            .note("threshold", threshold)
            .note_each("sure", sure_by_class(&aligned, &sure))
    }
}

impl Method for AdaMatching {
    fn views(&self) -> Views {
        Views { labeled: View::Weak, unlabeled: vec![View::Weak, View::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let shape = [batch.x.size()[0], self.labeled.tensor().size()[0]];
        let options = (Kind::Float, batch.x.device());
        let shares = self.config.interpolate.then(|| Tensor::rand(shape, options));
        self.interpolated(nets, batch, shares.as_ref(), at)
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        vec![
            ("labeled".to_owned(), self.labeled.tensor().shallow_clone()),
            ("unlabeled".to_owned(), self.unlabeled.tensor().shallow_clone()),
        ]
    }
}
