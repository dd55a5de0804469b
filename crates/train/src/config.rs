//! The training part of a recipe: how long and how a network is trained, and how often it is
//! logged, evaluated and saved.

use serde::{Deserialize, Serialize};
use torch::optim::OptimConfig;
use torch::{ConfigError, Faults};

use crate::{BatchStatistics, Ema, OptimizerState, Schedule, Swa};

/// How a network is trained: a table of a recipe, wherever something is trained.
///
/// | key | default | what | range |
/// |---|---|---|---|
/// | `steps` | | optimiser steps | at least 1 for [`fit`](crate::fit()) |
/// | `batch` | | labelled samples of a step | at least 1 |
/// | `accumulate` | 1 | in how many equal parts, one after another, a step's batch is loaded and computed; gradients are their mean, batch norm sees a part at a time | at least 1, a divisor of `batch` |
/// | `lr` | | learning rate over the run, a [`Schedule`] | |
/// | `optim` | | the optimiser, an [`OptimConfig`] | |
/// | `ema` | none | exponential moving average of the weights, an [`Ema`] | |
/// | `swa` | none | mean of the weights near the end of the run, a [`Swa`] | |
/// | `batch_statistics` | `whole` | of several processes that train together: batch norm takes statistics of the `whole` batch, or each process of its `own` samples, a [`BatchStatistics`] | |
/// | `optimizer_state` | `whole` | of several processes that train together: each keeps the `whole` state of the optimiser, or it is `sharded`, an [`OptimizerState`] | |
/// | `clip_norm` | none | joint norm to which gradients are clipped | above 0 |
///
/// ```
/// use torch::optim::OptimConfig;
/// use train::{Ema, Schedule, TrainConfig};
/// let config = TrainConfig {
///     ema: Some(Ema::new(0.999)),
///     ..TrainConfig::new(400, 64, Schedule::constant(0.1), OptimConfig::default())
/// };
/// assert!(config.faults().is_empty());
/// let faulty = TrainConfig { batch: 0, ema: Some(Ema::new(1.5)), ..config };
/// let keys: Vec<_> = faulty.faults().into_iter().map(|fault| fault.key).collect();
/// assert_eq!(keys, ["batch", "ema.decay"]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Optimiser steps.
    pub steps: u64,
    /// Labelled samples of a step.
    pub batch: usize,
    /// In how many equal parts a step's batch is loaded and computed, so that no more than one of
    /// them is in memory. The gradient is the mean of theirs: that of the whole batch, but for
    /// batch norm, which sees one part at a time, and for methods that go by the share of a batch.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// The learning rate over the run.
    pub lr: Schedule,
    /// The optimiser.
    pub optim: OptimConfig,
    /// The exponential moving average of the weights; `None` keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<Ema>,
    /// The mean of the weights near the end of the run; `None` keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swa: Option<Swa>,
    /// Whose samples batch norm's statistics are of, where several processes train together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub batch_statistics: BatchStatistics,
    /// Where the optimiser's state is, where several processes train together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optimizer_state: OptimizerState,
    /// The norm to which all gradients together are clipped; `None` does not clip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

impl TrainConfig {
    /// A training without averages of the weights and without clipping, in one part a step.
    pub fn new(steps: u64, batch: usize, lr: Schedule, optim: OptimConfig) -> Self {
        Self {
            steps,
            batch,
            accumulate: 1,
            lr,
            optim,
            ema: None,
            swa: None,
            batch_statistics: BatchStatistics::default(),
            optimizer_state: OptimizerState::default(),
            clip_norm: None,
        }
    }

    /// Every value that makes no sense. A training of 0 steps is no fault here: the caller decides,
    /// and [`fit`](crate::fit()) refuses it.
    pub fn faults(&self) -> Vec<ConfigError> {
        let (batch, parts) = (self.batch, self.accumulate);
        Faults::default()
            .unless(batch > 0, "batch", "at least one sample a step is needed")
            .unless(
                parts > 0 && batch.is_multiple_of(parts),
                "accumulate",
                format!("{parts} parts of a batch of {batch} samples"),
            )
            .within("lr", self.lr.faults())
            .within("optim", self.optim.faults())
            .within("ema", self.ema.iter().flat_map(Ema::faults))
            .within("swa", self.swa.iter().flat_map(Swa::faults))
            .unless(
                self.clip_norm.is_none_or(|norm| norm > 0.0 && norm.is_finite()),
                "clip_norm",
                "a norm above 0 is needed; leave the key out not to clip",
            )
            .done()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn one() -> usize {
    1
}

fn is_one(parts: &usize) -> bool {
    *parts == 1
}

/// How often a training is logged, evaluated and checkpointed: a table of a recipe.
///
/// | key | default | what | range |
/// |---|---|---|---|
/// | `log` | 20 | steps between two rows of the record | at least 1 |
/// | `evaluate` | 100 | steps between two evaluations; 0 evaluates after the last step only | |
/// | `checkpoint` | 200 | steps between two checkpoints; 0 writes one after the last step only | |
/// | `keep` | 2 | newest checkpoints that are kept | at least 1 |
///
/// The last step is always logged, evaluated and checkpointed, and every evaluation that is the
/// best so far leaves a checkpoint. With `keep = 1` there is no older checkpoint to resume from
/// when the newest is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cadence {
    /// Steps between two rows of the record.
    pub log: u64,
    /// Steps between two evaluations. 0 means that there is one only, after the last step.
    pub evaluate: u64,
    /// Steps between two checkpoints. 0 means that there is none but that of the last step and
    /// those of evaluations that are the best so far.
    pub checkpoint: u64,
    /// Newest checkpoints that are kept.
    pub keep: usize,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { log: 20, evaluate: 100, checkpoint: 200, keep: 2 }
    }
}

impl Cadence {
    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        let fault = "0 steps between two rows; give the number of steps to log the last only";
        Faults::default()
            .unless(self.log > 0, "log", fault)
            .unless(self.keep > 0, "keep", "at least one checkpoint has to be kept")
            .done()
    }
}
