//! The device that a command computes on.

use crate::run::note::note;
use anyhow::Result;
use torch::Device;
use torch::device::select;

/// The device that a command computes on.
#[derive(Clone, clap::Args)]
pub(super) struct DeviceArg {
    /// Device: `cpu`, `cuda`, `cuda:N`, or `auto` (the first GPU, else the CPU).
    #[arg(long, default_value = "auto")]
    device: String,
}

impl DeviceArg {
    /// The device of this name, as if it stood on the command line.
    pub(super) fn named(name: &str) -> Self {
        Self { device: name.to_owned() }
    }

    /// The name as it was given.
    pub(super) fn name(&self) -> &str {
        &self.device
    }

    /// The device itself; see [`chosen`].
    pub(super) fn chosen(&self) -> Result<Device> {
        chosen(&self.device)
    }
}

/// The device with this name. For `auto`, prints which one was chosen, and why not CUDA. An error
/// if there is no such device.
pub(super) fn chosen(name: &str) -> Result<Device> {
    if name != "auto" {
        return Ok(select(name)?);
    }
    match select("cuda") {
        Ok(device) => {
            note(&format!("device: {device:?}"));
            Ok(device)
        }
        Err(error) => {
            let error = error.to_string();
            // What the loader says in detail, and the way out, are for those who asked for CUDA.
            let why = error.split([';', '(']).next().unwrap_or_default().trim_end();
            note(&format!("device: cpu ({why})"));
            Ok(Device::Cpu)
        }
    }
}
