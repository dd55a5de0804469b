//! FixMatch (Sohn et al. 2020, arXiv 2001.07685): the confident guess on a weak view is the strong view's label.
//!
//! One forward pass over labelled, weak and strong samples together (the authors interleave them in sub-batches of one size,
//! to the same end). The unlabelled mean divides by all samples, also those under the threshold (equation 4).

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, Tensor, loss::cross_entropy};
use train::{Loss, Progress, Schedule};

use crate::parts::{Aligner, Alignment, confident, hard, masked_mean, sure_by_class};
use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// The settings of FixMatch. The paper's others: 7 unlabelled samples for each of 64 labelled ones; on CIFAR-100 a weight decay of
/// 0.001; on ImageNet threshold 0.7, weight 10, ratio 5.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the unlabelled term | a schedule |
/// | `threshold` | 0.95 | the probability from which a guess counts | \[0, 1\] |
/// | `alignment` | none | distribution alignment of the guesses, as in [`Alignment`]: for classes of very different size (section 2.5) | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FixMatch {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// The probability from which a guess counts.
    pub threshold: f64,
    /// Distribution alignment of the guesses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Alignment>,
}

impl Default for FixMatch {
    fn default() -> Self {
        Self { weight: Schedule::constant(1.0), threshold: 0.95, alignment: None }
    }
}

impl Config for FixMatch {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::share("threshold", self.threshold)?;
        self.alignment.map_or(Ok(()), |a| a.check().map_err(|e| format!("alignment.{e}")))
    }

    fn build(&self, facts: &Facts) -> Box<dyn Method> {
        let aligner = self.alignment.map(|alignment| Aligner::new(alignment, facts));
        Box::new(Fixed { config: self.clone(), aligner })
    }
}

struct Fixed {
    config: FixMatch,
    aligner: Option<Aligner>,
}

impl Method for Fixed {
    fn views(&self) -> Views {
        Views { labeled: View::Weak, unlabeled: vec![View::Weak, View::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let [x, weak, strong] =
            nets.forward_joint([&batch.x, &batch.u[0], &batch.u[1]], Mode::Train);
        let guess = weak.detach().softmax(-1, Kind::Float);
        let guess = match &mut self.aligner {
            Some(aligner) => aligner.align(&guess, &batch.y),
            None => guess,
        };
        let sure = confident(&guess, self.config.threshold);
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.config.weight.at(at),
                masked_mean(&cross_entropy(&strong, &hard(&guess)), &sure),
            )
            .note("sure", sure.mean(Kind::Float))
            .note_each("sure", sure_by_class(&guess, &sure))
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        self.aligner.as_ref().map_or_else(Vec::new, Aligner::memory)
    }
}
