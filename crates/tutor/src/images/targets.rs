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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slot_has_the_row_of_its_entry() {
        let targets = Targets { classes: 2, rows: vec![0.1, 0.9, 0.2, 0.8, 0.3, 0.7] };
        let found = targets.of(&[2, 0, 0], Device::Cpu);
        assert_eq!(found.size(), [3, 2]);
        assert_eq!(found.reshape([-1]), Tensor::from_slice(&[0.3f32, 0.7, 0.1, 0.9, 0.1, 0.9]));
    }
}
