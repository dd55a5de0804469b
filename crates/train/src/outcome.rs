//! How training ends: with a [`Summary`], or with an error that says what to do.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use torch::rng::RngError;
use torch::store::StoreError;

use crate::checkpoint::{Best, CheckpointError};
use crate::finite::NonFinite;
use crate::plan::PlanError;

/// Why training stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The plan makes no sense.
    #[error("the training plan: {0}")]
    Plan(#[from] PlanError),
    /// A checkpoint cannot be written, read or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The record cannot be written.
    #[error("{}: the record of the run: {source}", path.display())]
    Record {
        /// The stage's folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The signals cannot be watched.
    #[error("watching for SIGINT and SIGTERM: {0}")]
    Signals(io::Error),
    /// A generator's state cannot be read or restored.
    #[error(transparent)]
    Rng(#[from] RngError),
    /// The optimiser refuses its state.
    #[error("{}: the optimiser's state: {source}", path.display())]
    Optimizer {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit.
        source: StoreError,
    },
    /// Training diverged.
    #[error("{fault}. {}", kept(last_good))]
    NonFinite {
        /// Where.
        fault: NonFinite,
        /// The newest checkpoint, whose weights are finite.
        last_good: Option<PathBuf>,
    },
    /// A batch could not be made.
    #[error("step {step}: the next batch: {source}")]
    Batch {
        /// The step that needed it.
        step: u64,
        /// The loader's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The batches ended too early.
    #[error(
        "the batches ended before step {step} of {steps}: their source must be endless, or as long as the plan"
    )]
    OutOfBatches {
        /// The step that needed one.
        step: u64,
        /// Steps of the plan.
        steps: u64,
    },
    /// The evaluation failed.
    #[error("evaluation after {step} steps: {source}")]
    Evaluate {
        /// Steps completed.
        step: u64,
        /// The evaluation's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The evaluation does not give the metric by which the best checkpoint is chosen.
    #[error("best: the evaluation gives no `{metric}`; it gives {}", given.join(", "))]
    NoMetric {
        /// What the plan asks for.
        metric: String,
        /// What there is.
        given: Vec<String>,
    },
}

fn kept(last_good: &Option<PathBuf>) -> String {
    match last_good {
        Some(path) => format!("The last good checkpoint is kept: {}", path.display()),
        None => "There is no checkpoint yet".to_owned(),
    }
}

/// How training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All steps are done.
    Finished(Summary),
    /// A signal, or whoever watches, asked for the end. There is a checkpoint, and the same command goes on from it.
    Interrupted(Summary),
}

impl Outcome {
    /// The summary, however training ended.
    pub fn summary(&self) -> &Summary {
        match self {
            Outcome::Finished(summary) | Outcome::Interrupted(summary) => summary,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Steps completed.
    pub step: u64,
    /// The step of the checkpoint from which this start went on, if there was one.
    pub resumed_from: Option<u64>,
    /// Seconds of wall clock spent on the run, over all the times it was started.
    pub seconds: f64,
    /// Samples trained on per second in this start, evaluations and checkpoints left out; 0 if no step was taken.
    pub samples_per_s: f64,
    /// The latest evaluation.
    pub evaluation: Vec<(String, f64)>,
    /// The best evaluation, if the plan names a metric. Its checkpoint is [`Checkpoints::best`](crate::Checkpoints::best).
    pub best: Option<Best>,
}
