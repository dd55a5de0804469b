//! A run that was told to stop, by Ctrl-C or SIGTERM.

use anyhow::{Result, bail};

/// A training was told to stop and has written its checkpoint, or the work between trainings was.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stopped; what is done is kept, and the same command goes on from there")
    }
}

impl std::error::Error for Interrupted {}

/// An error if the process was told to stop: for work between trainings, which has no checkpoint of
/// its own.
pub(crate) fn check() -> Result<()> {
    if train::signals::interrupted() {
        bail!(Interrupted);
    }
    Ok(())
}
