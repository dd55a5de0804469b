//! What the outside sees of a run while it runs. The loop itself prints nothing.

use std::path::Path;

use crate::{Progress, Values};

/// Numbers of one step, read out because it was its turn to be logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Steps completed.
    pub at: Progress,
    /// The loss of the step just completed.
    pub loss: Values,
    /// Its learning rate.
    pub lr: f64,
    /// The norm of its gradient before clipping, if the plan clips.
    pub grad_norm: Option<f64>,
    /// Samples trained on per second since the last report, evaluations and checkpoints left out.
    pub samples_per_s: f64,
    /// Seconds of wall clock spent on the run, over all the times it was started.
    pub seconds: f64,
    /// Seconds that the steps left will take at the pace since this start, evaluations and checkpoints included.
    pub seconds_left: f64,
}

/// Somebody who watches a run: a progress bar, a log. Every method may be left out.
pub trait Watch {
    /// The run begins (at step 0) or goes on from a checkpoint.
    fn started(&mut self, _at: Progress) {}

    /// A step is completed. No number of it is known without waiting for the device.
    fn stepped(&mut self, _at: Progress) {}

    /// A step was logged.
    fn reported(&mut self, _report: &Report) {}

    /// The weights were evaluated.
    fn evaluated(&mut self, _at: Progress, _values: &[(String, f64)]) {}

    /// A checkpoint was written.
    fn checkpointed(&mut self, _at: Progress, _path: &Path) {}

    /// Asked before every step: whether to checkpoint and end here, as after a SIGTERM.
    fn stop(&mut self, _at: Progress) -> bool {
        false
    }
}

/// Nobody watches.
impl Watch for () {}
