//! bfloat16 autocast: matrix products and convolutions in 8 bits of mantissa, weights and sums in
//! float32.

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::ffi;

/// The number format in which a network computes. Parameters, gradients and optimiser state are
/// float32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Everything in float32.
    #[default]
    Float32,
    /// Matrix products and convolutions in bfloat16, whose range is float32's: no scaling of the
    /// loss is needed.
    Bfloat16,
}

impl Precision {
    /// The precision in which `device` trains fastest: bfloat16 on AMD's processors with
    /// AVX512-BF16, on Intel's with AMX, and on a GPU (where nobody has measured it yet), else
    /// float32. An Intel processor with AVX512-BF16 and without AMX has instructions for bfloat16
    /// and is slower with them.
    pub fn fastest(device: Device) -> Self {
        match device != Device::Cpu || ffi::fast_bfloat16() {
            true => Self::Bfloat16,
            false => Self::Float32,
        }
    }

    /// Whether `device` has instructions for it; without them every product is converted.
    pub fn has_instructions(self, device: Device) -> bool {
        self == Self::Float32 || device != Device::Cpu || ffi::onednn(true)
    }
}

/// Runs a forward pass with `precision` on `device`, on this thread. The backward pass belongs
/// outside; it follows the kinds of the forward pass by itself. What was set before is restored
/// when `body` returns or panics.
pub fn autocast<T>(precision: Precision, device: Device, body: impl FnOnce() -> T) -> T {
    let _region = match precision {
        Precision::Float32 => None,
        Precision::Bfloat16 => Some(Region::enter(device, true)),
    };
    body()
}

/// Runs `body` on this thread as if no [`autocast`] of `device` were around it.
pub(crate) fn without_autocast<T>(device: Device, body: impl FnOnce() -> T) -> T {
    let _region = Region::enter(device, false);
    body()
}

thread_local! {
    /// The device whose operations this thread's [`autocast`] concerns.
    static NOW: Cell<Option<Device>> = const { Cell::new(None) };
}

/// The kind in which convolutions of `device` compute on this thread.
pub(crate) fn convolution_kind(device: Device) -> Kind {
    if NOW.get() == Some(device) { Kind::BFloat16 } else { Kind::Float }
}

struct Region {
    device: Device,
    before: ffi::Autocast,
    known: Option<Device>,
}

impl Region {
    fn enter(device: Device, on: bool) -> Self {
        let known = NOW.replace(on.then_some(device));
        Self { device, before: ffi::autocast_enter(device, on), known }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        NOW.set(self.known);
        ffi::autocast_leave(self.device, &self.before);
    }
}
