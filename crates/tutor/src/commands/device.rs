//! The device that a command computes on.

use crate::run::note::note;
use anyhow::Result;
use torch::Device;
use torch::device::{load_cuda, select};

/// The device of this name; of `auto`, it says in a line what was chosen and why not CUDA.
pub(super) fn chosen(name: &str) -> Result<Device> {
    let device = select(name)?;
    if let ("auto", Err(error)) = (name, load_cuda()) {
        let error = error.to_string();
        // What the loader says in detail, and the way out, are for those who asked for CUDA.
        let why = error.split([';', '(']).next().unwrap_or_default().trim_end();
        note(&format!("device: cpu ({why})"));
    } else if name == "auto" {
        note(&format!("device: {device:?}"));
    }
    Ok(device)
}
