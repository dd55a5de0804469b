//! How long and at what pace a phase is trained: the loop's part of a recipe.

use serde::{Deserialize, Serialize};
use torch::Device;
use torch::precision::Precision;

use crate::Schedule;

/// What [`fit`](crate::fit()) is to do. The fields that are not the business of a recipe (`device`, `batch_samples`,
/// `recipe`) are not read from one, and have to be set by the caller.
///
/// ```
/// use train::{Plan, Schedule};
/// let plan = Plan { eval_every: 100, ..Plan::new(400, Schedule::constant(0.1)) };
/// plan.check().unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Steps to take.
    pub steps: u64,
    /// The learning rate.
    pub lr: Schedule,
    /// Steps from one row of the record to the next. The last step is always logged.
    #[serde(default = "default_log_every")]
    pub log_every: u64,
    /// Steps from one evaluation to the next; 0: only the last. After the last step there is always one.
    #[serde(default)]
    pub eval_every: u64,
    /// Steps from one checkpoint to the next; 0: only the last. After the last step there is always one, and at the best
    /// evaluation so far.
    #[serde(default)]
    pub checkpoint_every: u64,
    /// How many of the newest checkpoints are kept. With one, a damaged checkpoint has none before it.
    #[serde(default = "default_keep")]
    pub keep: usize,
    /// The metric of the evaluation (higher is better) by which the best checkpoint is kept; none: no best is kept.
    #[serde(default)]
    pub best: Option<String>,
    /// The norm to which gradients are clipped, all taken together; none: they are not.
    #[serde(default)]
    pub clip_norm: Option<f64>,
    /// The precision in which the loss is computed.
    #[serde(default)]
    pub precision: Precision,
    /// Where the objective's tensors are.
    #[serde(skip, default = "default_device")]
    pub device: Device,
    /// Samples in a batch, for the pace in samples a second.
    #[serde(skip)]
    pub batch_samples: u64,
    /// The text of the resolved recipe. It is kept in every checkpoint, and a checkpoint with another text is refused.
    #[serde(skip)]
    pub recipe: String,
}

fn default_log_every() -> u64 {
    50
}

fn default_keep() -> usize {
    3
}

fn default_device() -> Device {
    Device::Cpu
}

/// A plan that cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{key}: {fault}")]
pub struct PlanError {
    /// The key of the recipe.
    pub key: &'static str,
    /// What is wrong with its value.
    pub fault: String,
}

impl Plan {
    /// A plan with the defaults of a recipe.
    pub fn new(steps: u64, lr: Schedule) -> Self {
        Self {
            steps,
            lr,
            log_every: default_log_every(),
            eval_every: 0,
            checkpoint_every: 0,
            keep: default_keep(),
            best: None,
            clip_norm: None,
            precision: Precision::default(),
            device: default_device(),
            batch_samples: 0,
            recipe: String::new(),
        }
    }

    /// Finds a value that makes no sense.
    pub fn check(&self) -> Result<(), PlanError> {
        let fault = |key, fault: &str| Err(PlanError { key, fault: fault.to_owned() });
        if self.steps == 0 {
            return fault("steps", "at least one step is needed");
        }
        if self.log_every == 0 {
            return fault(
                "log_every",
                "0 steps between two rows; use `steps` for the last step only",
            );
        }
        if self.keep == 0 {
            return fault("keep", "at least one checkpoint has to be kept");
        }
        if self.clip_norm.is_some_and(|n| !n.is_finite() || n <= 0.0) {
            return fault("clip_norm", "a norm above 0 is needed; leave the key out not to clip");
        }
        self.lr.check().map_err(|e| PlanError { key: "lr", fault: e.to_string() })
    }
}
