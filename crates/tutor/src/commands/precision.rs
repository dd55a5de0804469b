//! In which numbers a network computes.

use anyhow::Result;
use torch::Device;
use torch::precision;

use crate::run::experiment::{Predictor, gains_by_bfloat16};

/// In which numbers a network computes.
#[derive(Clone, clap::Args)]
pub(super) struct Precision {
    /// Number format in which the network computes: `bfloat16` takes less memory, and less time
    /// where the processor has instructions for it; its answers differ slightly.
    #[arg(long, value_name = "FORMAT", value_parser = ["float32", "bfloat16"])]
    precision: Option<String>,
}

impl Precision {
    fn is_bfloat16(&self) -> bool {
        self.precision.as_deref() == Some("bfloat16")
    }

    /// Brings a network to it.
    pub(super) fn bring(&self, network: &mut dyn Predictor) -> Result<()> {
        if self.is_bfloat16() { network.use_bfloat16() } else { Ok(()) }
    }

    /// The same for a network that is not loaded yet.
    pub(super) fn on(&self, device: Device) -> Result<precision::Precision> {
        if !self.is_bfloat16() {
            return Ok(precision::Precision::Float32);
        }
        gains_by_bfloat16(device)?;
        Ok(precision::Precision::Bfloat16)
    }

    /// What is said of it behind the name of a network.
    pub(super) fn told(&self) -> &'static str {
        if self.is_bfloat16() { ", in bfloat16" } else { "" }
    }
}
