//! Distribution alignment (ReMixMatch, arXiv 1911.09785, section 3.1): guesses are corrected until classes come as often as
//! they should.

use serde::{Deserialize, Serialize};
use torch::{Device, Kind, Tensor, no_grad};

use super::one_hot;
use crate::{Facts, check};

/// `probabilities` `[batch, classes]` times `wanted / seen` (both `[classes]`), each row brought back to sum 1.
pub fn align(probabilities: &Tensor, wanted: &Tensor, seen: &Tensor) -> Tensor {
    let raised = probabilities * (wanted / seen.clamp_min(1e-6));
    &raised / raised.sum_dim_intlist([-1].as_slice(), true, Kind::Float)
}

/// How often classes come, as a moving average over batches that starts uniform: m ← d·m + (1 − d)·(mean of a batch).
pub struct Marginal {
    average: Tensor,
    decay: f64,
}

impl Marginal {
    /// Uniform over so many classes.
    pub fn new(classes: i64, decay: f64, device: Device) -> Self {
        let average = Tensor::full([classes], 1.0 / classes as f64, (Kind::Float, device));
        Self { average, decay }
    }

    /// Takes a batch of distributions `[batch, classes]` into account, without a gradient.
    pub fn see(&mut self, probabilities: &Tensor) {
        let batch = probabilities.detach().mean_dim([0].as_slice(), false, Kind::Float);
        no_grad(|| {
            let moved = &self.average * self.decay + batch * (1.0 - self.decay);
            self.average.copy_(&moved);
        });
    }

    /// The average, `[classes]`; always the same tensor, so that a checkpoint can restore it in place.
    pub fn tensor(&self) -> &Tensor {
        &self.average
    }
}

/// How often guesses should name each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// As often as the labelled samples have it.
    Labels,
    /// All alike.
    Uniform,
}

/// Distribution alignment as an option of a method.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `to` | | `labels`: as often as the labelled samples have each class; `uniform`: all alike | |
/// | `decay` | 0.999 | of the running means | \[0, 1) |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// How often guesses should name each class.
    pub to: Wanted,
    /// Of the running means.
    #[serde(default = "default_decay")]
    pub decay: f64,
}

fn default_decay() -> f64 {
    0.999
}

impl Alignment {
    /// Whether the decay lies in its range.
    pub fn check(&self) -> Result<(), String> {
        check::rate("decay", self.decay)
    }
}

/// Aligns guesses batch by batch.
pub struct Aligner {
    to: Wanted,
    wanted: Marginal,
    seen: Marginal,
}

impl Aligner {
    /// Both means start uniform.
    pub fn new(config: Alignment, facts: &Facts) -> Self {
        let marginal = || Marginal::new(facts.classes, config.decay, facts.device);
        Self { to: config.to, wanted: marginal(), seen: marginal() }
    }

    /// Guesses `[unlabeled, classes]` aligned, when this batch's and its labels `[labeled]` are taken into account.
    pub fn align(&mut self, guesses: &Tensor, labels: &Tensor) -> Tensor {
        self.seen.see(guesses);
        if self.to == Wanted::Labels {
            self.wanted.see(&one_hot(labels, guesses.size()[1]));
        }
        align(guesses, self.wanted.tensor(), self.seen.tensor())
    }

    /// What a checkpoint keeps.
    pub fn memory(&self) -> Vec<(String, Tensor)> {
        [("wanted", &self.wanted), ("seen", &self.seen)]
            .map(|(name, marginal)| (name.to_owned(), marginal.tensor().shallow_clone()))
            .into()
    }
}
