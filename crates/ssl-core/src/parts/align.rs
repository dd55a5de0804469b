//! Distribution alignment (ReMixMatch, arXiv 1911.09785, section 3.1): predictions are scaled until
//! their mean over the classes is the target distribution.

use serde::{Deserialize, Serialize};
use torch::{Device, Kind, Tensor, no_grad};

use super::one_hot;
use crate::{TaskInfo, check};

/// `probs` `[batch, classes]` times `target / current` (both `[classes]`), each row normalised to
/// sum 1.
pub fn align(probs: &Tensor, target: &Tensor, current: &Tensor) -> Tensor {
    let scaled = probs * (target / current.clamp_min(1e-6));
    &scaled / scaled.sum_dim_intlist([-1].as_slice(), true, Kind::Float)
}

/// The mean distribution over the classes, as a moving average over batches that starts uniform:
/// m ← d·m + (1 − d)·(mean of a batch).
#[derive(Debug)]
pub struct Marginal {
    average: Tensor,
    decay: f64,
}

impl Marginal {
    /// Uniform over `classes` classes.
    pub fn new(classes: i64, decay: f64, device: Device) -> Self {
        let average = Tensor::full([classes], 1.0 / classes as f64, (Kind::Float, device));
        Self { average, decay }
    }

    /// The same, starting from a distribution. Panics if it is not over as many classes.
    fn from(shares: &[f64], classes: i64, decay: f64, device: Device) -> Self {
        assert_eq!(shares.len() as i64, classes, "shares of the classes to start from");
        let average = Tensor::from_slice(shares).to_kind(Kind::Float).to_device(device);
        Self { average, decay }
    }

    /// Takes a batch of distributions `[batch, classes]` into account, without a gradient.
    pub fn update(&mut self, probs: &Tensor) {
        let batch = probs.detach().mean_dim([0].as_slice(), false, Kind::Float);
        no_grad(|| {
            let moved = &self.average * self.decay + batch * (1.0 - self.decay);
            self.average.copy_(&moved);
        });
    }

    /// The average, `[classes]`; always the same tensor, so that a checkpoint can restore it in
    /// place.
    pub fn tensor(&self) -> &Tensor {
        &self.average
    }
}

/// The distribution over the classes that predictions are aligned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlignTo {
    /// That of the labelled samples.
    Labels,
    /// The uniform one.
    Uniform,
}

/// Distribution alignment as an option of a method.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `to` | | the target: `labels`, the distribution of the labelled samples, or `uniform` | |
/// | `decay` | 0.999 | decay of the moving averages | \[0, 1) |
/// | `start` | uniform | the shares of the classes that both averages start from | sum 1 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// The target distribution.
    pub to: AlignTo,
    /// Decay of the moving averages.
    #[serde(default = "default_decay")]
    pub decay: f64,
    /// The shares of the classes, by index, that both averages start from; empty for equal ones. In
    /// a short training of classes of very different size, averages that start uniform would still
    /// be so at its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<f64>,
}

fn default_decay() -> f64 {
    0.999
}

impl Alignment {
    /// Whether the decay lies in its range.
    pub fn check(&self) -> Result<(), String> {
        check::rate("decay", self.decay)?;
        let shares = &self.start;
        let whole = (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6;
        if shares.is_empty() || (whole && shares.iter().all(|share| *share > 0.0)) {
            return Ok(());
        }
        Err(format!("start is {shares:?}; it must be a share above 0 for each class, with sum 1"))
    }
}

/// Aligns predictions batch by batch.
#[derive(Debug)]
pub struct Aligner {
    to: AlignTo,
    target: Marginal,
    current: Marginal,
}

impl Aligner {
    /// Both averages start as the settings say. Panics if these have shares of other classes than
    /// the task's.
    pub fn new(config: Alignment, task: &TaskInfo) -> Self {
        let marginal = || match config.start.is_empty() {
            true => Marginal::new(task.classes, config.decay, task.device),
            false => Marginal::from(&config.start, task.classes, config.decay, task.device),
        };
        Self { to: config.to, target: marginal(), current: marginal() }
    }

    /// Predictions `[unlabeled, classes]` aligned, after the averages have taken them and the
    /// labels of the batch, int64 `[labeled]`, into account.
    pub fn align(&mut self, probs: &Tensor, labels: &Tensor) -> Tensor {
        self.current.update(probs);
        if self.to == AlignTo::Labels {
            self.target.update(&one_hot(labels, probs.size()[1]));
        }
        align(probs, self.target.tensor(), self.current.tensor())
    }

    /// What a checkpoint keeps.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        [("target", &self.target), ("current", &self.current)]
            .map(|(name, marginal)| (name.to_owned(), marginal.tensor().shallow_clone()))
            .into()
    }
}
