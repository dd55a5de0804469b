//! In which numbers a network computes.

use anyhow::Result;

use crate::run::experiment::Predictor;

/// In which numbers a network computes.
#[derive(Clone, clap::Args)]
pub(super) struct Precision {
    /// In which numbers it computes: `bfloat16` takes less time where the processor has
    /// instructions for it, and half the memory of a network that replies; what it says differs a
    /// little.
    #[arg(long, value_name = "FORMAT", value_parser = ["float32", "bfloat16"])]
    precision: Option<String>,
}

impl Precision {
    /// Brings a network to it.
    pub(super) fn bring(&self, network: &mut dyn Predictor) -> Result<()> {
        match self.precision.as_deref() {
            Some("bfloat16") => network.use_bfloat16(),
            _ => Ok(()),
        }
    }
}
