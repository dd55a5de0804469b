//! Distribution alignment (ReMixMatch, arXiv 1911.09785, section 3.1): predictions are scaled until
//! their mean over the classes is the target distribution.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Device, Faults, Kind, Tensor, group, no_grad};

use super::one_hot;
use crate::TaskInfo;

/// `probs` `[batch, classes]` times `target / current` (both `[classes]`, with 1e-6 added to each
/// as in the authors' code), each row normalised to sum 1.
pub fn align(probs: &Tensor, target: &Tensor, current: &Tensor) -> Tensor {
    let scaled = probs * ((target + 1e-6) / (current + 1e-6));
    &scaled / scaled.sum_dim_intlist([-1].as_slice(), true, Kind::Float)
}

/// The mean distribution over the classes, as a moving average over batches: m ← d·m + (1 −
/// d)·(mean of a batch). It starts uniform, or is at first the mean of the first batch.
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

    /// The mean of the first batch after that; all zeros before. At a decay of 0.999 one that
    /// starts uniform is still nearly so after a thousand steps.
    pub fn from_first_batch(classes: i64, decay: f64, device: Device) -> Self {
        Self { average: Tensor::zeros([classes], (Kind::Float, device)), decay }
    }

    /// An average that starts from a distribution. Panics if it is not over as many classes.
    fn from(shares: &[f64], classes: i64, decay: f64, device: Device) -> Self {
        assert_eq!(shares.len() as i64, classes, "shares of the classes to start from");
        let average = Tensor::from_slice(shares).to_kind(Kind::Float).to_device(device);
        Self { average, decay }
    }

    /// Takes a batch of distributions `[batch, classes]` into account, without a gradient; of
    /// several processes that share a batch, the rows of all.
    pub fn update(&mut self, probs: &Tensor) {
        let batch = probs.detach().mean_dim([0].as_slice(), false, Kind::Float);
        let batch = group::mean(&batch);
        no_grad(|| {
            let moved = &self.average * self.decay + &batch * (1.0 - self.decay);
            let begun = self.average.sum(Kind::Float).gt(0.0);
            self.average.copy_(&moved.where_self(&begun, &batch));
        });
    }

    /// The average, `[classes]`; always the same tensor, so that a checkpoint can restore it in
    /// place.
    pub fn tensor(&self) -> &Tensor {
        &self.average
    }
}

/// The mean distribution over the classes of each of the last batches, and their mean. All start
/// uniform.
#[derive(Debug)]
pub struct Recent {
    batches: Tensor,
}

impl Recent {
    /// The memory of `memory` batches, all of them uniform over `classes` classes.
    pub fn new(classes: i64, memory: usize, device: Device) -> Self {
        let shape = [memory as i64, classes];
        Self { batches: Tensor::full(shape, 1.0 / classes as f64, (Kind::Float, device)) }
    }

    /// Puts a batch of distributions `[batch, classes]` in the place of the oldest, without a
    /// gradient; `step` counts the batches.
    pub fn update(&mut self, probs: &Tensor, step: u64) {
        let newest = step as i64 % self.batches.size()[0];
        let batch = probs.detach().mean_dim([0].as_slice(), false, Kind::Float);
        no_grad(|| self.batches.select(0, newest).copy_(&batch));
    }

    /// The mean over the batches, `[classes]`.
    pub fn mean(&self) -> Tensor {
        self.batches.mean_dim([0].as_slice(), false, Kind::Float)
    }

    /// One row a batch, `[memory, classes]`; always the same tensor, so that a checkpoint can
    /// restore it in place.
    pub fn tensor(&self) -> &Tensor {
        &self.batches
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
    /// The shares of `start`, which stay.
    Start,
}

/// Distribution alignment as an option of a method.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `to` | | the target: `labels`, the distribution of the labelled samples, `uniform`, or `start`, the shares that are given there, which stay | |
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
    /// Whether it is of so many classes.
    pub(crate) fn fits(&self, classes: usize) -> Result<(), ConfigError> {
        let shares = self.start.len();
        if shares == 0 || shares == classes {
            return Ok(());
        }
        let fault = format!(
            "it has {shares} shares, and there are {classes} classes: give each a share, or none, \
             for equal ones"
        );
        Err(ConfigError::new("alignment.start", fault))
    }

    /// Takes the shares of classes that have so many samples each for `start`, unless it has some,
    /// or a class has no sample.
    pub fn start_from(&mut self, counts: &[u64]) {
        if self.start.is_empty() && counts.iter().all(|count| *count > 0) {
            let sum: u64 = counts.iter().sum();
            self.start = counts.iter().map(|&count| count as f64 / sum as f64).collect();
        }
    }

    /// Every setting out of its range.
    pub fn faults(&self) -> Vec<ConfigError> {
        let shares = &self.start;
        let whole = (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6;
        let ok = shares.is_empty() || (whole && shares.iter().all(|share| *share > 0.0));
        let allowed = "a share above 0 for each class, with sum 1";
        Faults::default()
            .rate("decay", self.decay)
            .must_be(ok, "start", format!("{shares:?}"), allowed)
            .done()
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
