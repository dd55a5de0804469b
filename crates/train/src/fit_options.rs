//! What [`fit`](crate::fit()) is told besides what it trains on.

use std::time::Duration;

use torch::Device;
use torch::precision::Precision;

use crate::{Cadence, Parallel, TrainConfig};

/// What a step works on, for the pace that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throughput {
    /// What is counted, in the plural: `images`, `tokens`, `sequences`, `points`.
    pub unit: &'static str,
    /// How many of them a step takes.
    pub per_step: u64,
}

/// How to train.
///
/// ```
/// use torch::optim::OptimConfig;
/// use train::{Cadence, FitOptions, Schedule, Throughput, TrainConfig};
/// let config = TrainConfig::new(400, 64, Schedule::constant(0.1), OptimConfig::default());
/// let cadence = Cadence::default();
/// let options = FitOptions {
///     select_by: Some("validation_accuracy"),
///     throughput: Throughput { unit: "images", per_step: 512 },
///     ..FitOptions::new(&config, &cadence)
/// };
/// assert_eq!(options.config.steps, 400);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FitOptions<'a> {
    /// The recipe's part. The loop reads `steps`, `accumulate`, `lr`, `clip_norm` and
    /// `optimizer_state`; the optimiser and the averages are made by the caller.
    pub config: &'a TrainConfig,
    /// How often to log, evaluate and checkpoint.
    pub cadence: &'a Cadence,
    /// The name of the metric that selects the best checkpoint, which is kept beside the newest;
    /// `None` keeps no best.
    pub select_by: Option<&'a str>,
    /// The precision in which the loss is computed.
    pub precision: Precision,
    /// Where the objective's tensors are.
    pub device: Device,
    /// What a step works on.
    pub throughput: Throughput,
    /// Wall clock, over all the times the run was started, after which the step at hand is the last
    /// one: it is logged, evaluated and checkpointed as such. `None` takes every step. A run that
    /// is ended so does not repeat bit by bit.
    pub time_limit: Option<Duration>,
    /// The processes that train together, each on its share of every batch; `None` where this one
    /// trains alone.
    pub parallel: Option<&'a Parallel>,
    /// The text of the resolved recipe. Every checkpoint holds it, and a checkpoint with another
    /// text is refused.
    pub recipe: &'a str,
}

impl<'a> FitOptions<'a> {
    /// Options for the CPU and float32, without a best checkpoint, a time limit or a recipe's text;
    /// the throughput counts labelled samples.
    pub fn new(config: &'a TrainConfig, cadence: &'a Cadence) -> Self {
        Self {
            config,
            cadence,
            select_by: None,
            precision: Precision::default(),
            device: Device::Cpu,
            throughput: Throughput { unit: "samples", per_step: config.batch as u64 },
            time_limit: None,
            parallel: None,
            recipe: "",
        }
    }
}
