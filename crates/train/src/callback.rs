//! What a run tells its caller while it runs. The loop itself prints nothing.

use std::path::Path;

use metrics::Metric;

use crate::{Progress, Values};

/// The numbers of a step that is logged.
#[derive(Clone, Debug, PartialEq)]
pub struct StepLog {
    /// Steps completed.
    pub at: Progress,
    /// The loss of the step just completed.
    pub loss: Values,
    /// Its learning rate.
    pub lr: f64,
    /// The norm of its gradient before clipping, if gradients are clipped.
    pub grad_norm: Option<f64>,
    /// Units trained on per second since the last log, without evaluations and checkpoints.
    pub throughput: f64,
    /// The unit of `throughput`: [`Throughput::unit`](crate::Throughput::unit).
    pub unit: &'static str,
    /// Floating-point operations so far, over all the times the run was started; 0 where the
    /// objective does not count them.
    pub flops: u64,
    /// Floating-point operations per second since the last log, without evaluations and
    /// checkpoints; 0 where the objective does not count them.
    pub flops_per_second: f64,
    /// Seconds of wall clock spent on the run, over all the times it was started.
    pub seconds: f64,
    /// Seconds that the remaining steps will take at the pace since this start, evaluations and
    /// checkpoints included.
    pub seconds_left: f64,
}

/// Follows a run, as a progress bar or a log does, and can stop it. Every method may be left out.
pub trait Callback {
    /// The run begins (at step 0) or resumes from a checkpoint.
    fn started(&mut self, _at: Progress) {}

    /// A step is completed. Its numbers are not known yet: reading them would wait for the device.
    fn stepped(&mut self, _at: Progress) {}

    /// A step was logged.
    fn logged(&mut self, _log: &StepLog) {}

    /// The weights were evaluated.
    fn evaluated(&mut self, _at: Progress, _metrics: &[Metric]) {}

    /// A checkpoint was written.
    fn checkpointed(&mut self, _at: Progress, _path: &Path) {}

    /// Asked before every step: whether to write a checkpoint and stop, as after a SIGTERM.
    fn stop(&mut self, _at: Progress) -> bool {
        false
    }
}

/// Does nothing.
impl Callback for () {}
