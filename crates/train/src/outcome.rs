//! How training ends: with a [`Summary`], or with an error that says what to do.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use torch::InvalidConfig;
use torch::rng::RngError;
use torch::store::StoreError;

use metrics::Metric;

use crate::checkpoint::{Best, CheckpointError};
use crate::finite::NonFinite;

/// Why training stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// Settings that make no sense, every one of them.
    #[error("training cannot start: {0}")]
    Config(#[from] InvalidConfig),
    /// A checkpoint cannot be written, read or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The record cannot be written.
    #[error("{}: the record of the run: {source}", path.display())]
    Record {
        /// The stage's folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The handlers of the signals cannot be installed.
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
    /// The processes that train together do not all go on.
    #[error(transparent)]
    Group(#[from] torch::group::Error),
    /// Training diverged.
    #[error("{fault}. {}", kept(last_good))]
    NonFinite {
        /// The step, the value and the learning rate.
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
        "the batches ended before step {step} of {steps}: their source must be endless, or last for all steps"
    )]
    OutOfBatches {
        /// The step that needed one.
        step: u64,
        /// Steps of the training.
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
    #[error(
        "the best checkpoint is to be chosen by `{metric}`, which the evaluation does not give; it \
         gives {}",
        given.join(", ")
    )]
    NoMetric {
        /// The name that was asked for.
        metric: String,
        /// The names that there are.
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
    /// A signal or the [`Callback`](crate::Callback) asked for the end. There is a checkpoint, and
    /// the same command resumes from it. A signal that stopped an evaluation leaves that of the
    /// steps before, if there is one.
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
    /// Units ([`Throughput`](crate::Throughput)) trained on per second in this start, without
    /// evaluations and checkpoints; 0 if no step was taken.
    pub throughput: f64,
    /// Floating-point operations of all steps, over all the times the run was started; 0 where the
    /// objective does not count them.
    pub flops: u64,
    /// The latest evaluation; a value that was not finite is NaN once it was read from a
    /// checkpoint.
    pub evaluation: Vec<Metric>,
    /// The best evaluation, if [`FitOptions::select_by`](crate::FitOptions::select_by) names a
    /// metric. Its checkpoint is [`Checkpoints::best`](crate::Checkpoints::best).
    pub best: Option<Best>,
}
