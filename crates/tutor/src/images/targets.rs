//! Stored targets of unlabelled images.

use torch::device::tensor_on;
use torch::{Device, Tensor};

/// Rows of probabilities, by position in a stream's entries.
pub(crate) struct Targets {
    pub(crate) classes: usize,
    pub(crate) rows: Vec<f32>,
}

impl Targets {
    /// Those of the entries at `slots`, `[slots, classes]`.
    pub(super) fn of(&self, slots: &[u32], device: Device) -> Tensor {
        let row = |&slot: &u32| &self.rows[slot as usize * self.classes..][..self.classes];
        let rows: Vec<f32> = slots.iter().flat_map(row).copied().collect();
        let size = [slots.len() as i64, self.classes as i64];
        tensor_on(&rows, device).reshape(size)
    }
}
