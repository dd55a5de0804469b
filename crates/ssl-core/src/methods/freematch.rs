//! FreeMatch (Wang et al. 2023, arXiv 2205.07246): FixMatch with thresholds that follow the network's own confidence, and a term
//! that keeps its guesses spread over the classes.
//!
//! τ is a moving average of the mean largest probability, p̃ of the mean prediction, h̃ of how often each class is guessed; class
//! c's threshold is τ · p̃(c) / max p̃. The fairness term is Σ p log q with p ∝ p̃/h̃ and q ∝ p̄/h̄ of the confident strong views
//! (equation 11). One forward pass, as FixMatch.

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, Tensor, loss::cross_entropy, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{Marginal, confident, hard, masked_mean, one_hot, sure_by_class};
use crate::{Batch, Config, Facts, Method, Nets, View, Views, check};

/// The settings of FreeMatch.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the unlabelled term | a schedule |
/// | `fairness` | 0.001 | weight of the fairness term: 0.01 with 10 labels on CIFAR-10 | at least 0 |
/// | `decay` | 0.999 | of the moving averages | \[0, 1) |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FreeMatch {
    /// λ of the unlabelled term.
    pub weight: Schedule,
    /// Weight of the fairness term.
    pub fairness: f64,
    /// Of the moving averages.
    pub decay: f64,
}

impl Default for FreeMatch {
    fn default() -> Self {
        Self { weight: Schedule::constant(1.0), fairness: 0.001, decay: 0.999 }
    }
}

impl Config for FreeMatch {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::not_negative("fairness", self.fairness)?;
        check::rate("decay", self.decay)
    }

    fn build(&self, facts: &Facts) -> Box<dyn Method> {
        let marginal = || Marginal::new(facts.classes, self.decay, facts.device);
        let confidence = Tensor::full([1], 1.0 / facts.classes as f64, (Kind::Float, facts.device));
        Box::new(Free {
            config: self.clone(),
            confidence,
            predicted: marginal(),
            guessed: marginal(),
        })
    }
}

struct Free {
    config: FreeMatch,
    /// τ.
    confidence: Tensor,
    /// p̃.
    predicted: Marginal,
    /// h̃.
    guessed: Marginal,
}

impl Free {
    fn see(&mut self, guess: &Tensor) {
        no_grad(|| {
            let mean = guess.amax([-1].as_slice(), false).mean(Kind::Float);
            let moved = &self.confidence * self.config.decay + mean * (1.0 - self.config.decay);
            self.confidence.copy_(&moved);
        });
        self.predicted.see(guess);
        self.guessed.see(&one_hot(&hard(guess), guess.size()[1]));
    }

    /// The fairness term; 0 where no sample is confident.
    fn fairness(&self, strong: &Tensor, sure: &Tensor) -> Tensor {
        let p = strong.softmax(-1, Kind::Float);
        let mask = sure.unsqueeze(-1);
        let sum = |t: &Tensor| (t * &mask).sum_dim_intlist([0].as_slice(), false, Kind::Float);
        let count = sure.sum(Kind::Float).clamp_min(1.0);
        let guessed = sum(&one_hot(&hard(&p), p.size()[1])) / &count;
        // A class that is never guessed has no part in the ratio.
        let over = |p: Tensor, h: &Tensor| {
            let ratio = p * h.gt(0.0).to_kind(Kind::Float) / h.clamp_min(1e-12);
            &ratio / ratio.sum(Kind::Float).clamp_min(1e-12)
        };
        let wanted = over(self.predicted.tensor().shallow_clone(), self.guessed.tensor());
        let found = over(sum(&p) / &count, &guessed);
        let any = sure.amax([0].as_slice(), false);
        (wanted * (found + 1e-12).log()).sum(Kind::Float) * any
    }
}

impl Method for Free {
    fn views(&self) -> Views {
        Views { labeled: View::Weak, unlabeled: vec![View::Weak, View::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let [x, weak, strong] =
            nets.forward_joint([&batch.x, &batch.u[0], &batch.u[1]], Mode::Train);
        let guess = weak.detach().softmax(-1, Kind::Float);
        self.see(&guess);
        let label = hard(&guess);
        let predicted = self.predicted.tensor();
        let thresholds = predicted / predicted.max() * &self.confidence;
        let sure = confident(&guess, thresholds.index_select(0, &label));
        let loss = Loss::new()
            .term("sup", 1.0, cross_entropy(&x, &batch.y).mean(Kind::Float))
            .term(
                "unsup",
                self.config.weight.at(at),
                masked_mean(&cross_entropy(&strong, &label), &sure),
            )
            .note("sure", sure.mean(Kind::Float))
            .note("threshold", self.confidence.copy())
            .note_each("sure", sure_by_class(&guess, &sure));
        match self.config.fairness {
            0.0 => loss,
            weight => loss.term("fairness", weight, self.fairness(&strong, &sure)),
        }
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        [
            ("confidence", &self.confidence),
            ("predicted", self.predicted.tensor()),
            ("guessed", self.guessed.tensor()),
        ]
        .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
        .into()
    }
}
