//! Temporal Ensembling (Laine & Aila 2017, arXiv 1610.02242, section 2.2): a sample is to look as it did on average over the
//! epochs before.
//!
//! Z ← αZ + (1 − α)z each time that a sample is seen, and the target is Z / (1 − αⁿ) after n sightings. A sample seen for the
//! first time has no target yet (the paper's weight is 0 in its first epoch). Separate passes, as the Π-Model's.

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, Tensor, loss::cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{masked_mean, squared_error};
use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// The settings of Temporal Ensembling.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 30, a sigmoid ramp over the first 27 % of the run (80 of the paper's 300 epochs) | weight of the squared error; the paper's is 30 · labelled share | a schedule |
/// | `momentum` | 0.6 | α, the weight of the past | \[0, 1) |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemporalEnsembling {
    /// Weight of the consistency term.
    pub weight: Schedule,
    /// α, the weight of the past.
    pub momentum: f64,
}

impl Default for TemporalEnsembling {
    fn default() -> Self {
        Self { weight: Schedule::SigmoidRampUp { value: 30.0, over: 0.27 }, momentum: 0.6 }
    }
}

impl Config for TemporalEnsembling {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::rate("momentum", self.momentum)
    }

    fn build(&self, facts: &Facts) -> Box<dyn Method> {
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, facts.device));
        Box::new(Ensembling {
            config: self.clone(),
            past: zeros(&[facts.unlabeled, facts.classes]),
            seen: zeros(&[facts.unlabeled]),
        })
    }
}

struct Ensembling {
    config: TemporalEnsembling,
    /// Z, a row a sample.
    past: Tensor,
    /// How often each sample was seen.
    seen: Tensor,
}

impl Method for Ensembling {
    fn views(&self) -> Views {
        Views { labeled: View::Weak, unlabeled: vec![View::Weak] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let u = nets.student.forward(&batch.u[0], Mode::TrainUntracked);
        let TemporalEnsembling { weight, momentum } = &self.config;
        let slots = batch.slots();
        let (past, seen) = (self.past.index_select(0, slots), self.seen.index_select(0, slots));
        let known = seen.gt(0.0).to_kind(Kind::Float);
        // α to the power of n, and 1 in the place of the 0 that nothing has been seen for.
        let forgotten = (&seen * momentum.max(1e-30).ln()).exp();
        let bias = (-forgotten + 1.0).clamp_min(1e-6);
        let target = &past / bias.unsqueeze(-1);
        let now = u.detach().softmax(-1, Kind::Float);
        no_grad(|| {
            let moved = past * *momentum + now * (1.0 - momentum);
            let _ = self.past.index_copy_(0, slots, &moved);
            let _ = self.seen.index_copy_(0, slots, &(seen + 1.0));
        });
        Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term("unsup", weight.at(at), masked_mean(&squared_error(&u, &target), &known))
            .note("known", known.mean(Kind::Float))
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        vec![
            ("past".to_owned(), self.past.shallow_clone()),
            ("seen".to_owned(), self.seen.shallow_clone()),
        ]
    }
}
