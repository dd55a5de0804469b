//! What a computation costs: time, for which a GPU is waited for, and memory.

use torch::{Device, Params};

use crate::run::cost::peak_rss_bytes;

/// Waits for the device of these weights. Panics if a value of theirs is not finite.
pub(super) fn wait(params: &Params) {
    let (name, weight) = params.tensors().swap_remove(0);
    torch::device::synchronize(weight.device());
    let value = weight.flatten(0, -1).double_value(&[0]);
    assert!(value.is_finite(), "{name} is {value}");
}

/// The most memory so far, bytes: of tensors on a GPU, of the whole process on the CPU. Panics if
/// libtorch does not know it of a GPU that has computed something.
pub(super) fn peak_bytes(device: Device) -> u64 {
    match device {
        Device::Cpu => peak_rss_bytes(),
        _ => torch::device::peak_memory(device).expect("memory of tensors on a GPU"),
    }
}
