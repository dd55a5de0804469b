//! Pseudo-Label (Lee 2013): the network's own confident guesses are labels.
//!
//! As FixMatch's code base, but for its mask, which broadcasts to a square there by mistake; the mean goes over all unlabelled
//! samples. The running batch-norm statistics follow the labelled pass alone.

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, loss::cross_entropy};
use train::{Loss, Progress, Schedule};

use crate::parts::{confident, hard, masked_mean, sure_by_class};
use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// The settings of Pseudo-Label.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1, reached in a straight line over the first 40 % of the run | weight of the unlabelled term | a schedule |
/// | `threshold` | 0.95 | the probability from which a guess counts | \[0, 1\] |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PseudoLabel {
    /// Weight of the unlabelled term.
    pub weight: Schedule,
    /// The probability from which a guess counts.
    pub threshold: f64,
}

impl Default for PseudoLabel {
    fn default() -> Self {
        Self { weight: Schedule::RampUp { value: 1.0, over: 0.4 }, threshold: 0.95 }
    }
}

impl Config for PseudoLabel {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::share("threshold", self.threshold)
    }

    fn build(&self, _facts: &Facts) -> Box<dyn Method> {
        Box::new(self.clone())
    }
}

impl Method for PseudoLabel {
    fn views(&self) -> Views {
        Views { labeled: View::Weak, unlabeled: vec![View::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let u = nets.student.forward(&batch.u[0], Mode::TrainUntracked);
        let guess = u.detach().softmax(-1, Kind::Float);
        let sure = confident(&guess, self.threshold);
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.weight.at(at),
                masked_mean(&cross_entropy(&u, &hard(&guess)), &sure),
            )
            .note("sure", sure.mean(Kind::Float))
            .note_each("sure", sure_by_class(&guess, &sure))
    }
}
