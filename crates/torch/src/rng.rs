//! libtorch's generators: seeding, and their state for a checkpoint.
//!
//! Everything random that a network does (dropout, stochastic depth, initial weights) draws from
//! the default generator of the tensor's device. Host-side randomness does not come from here.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::{Device, Tensor};

use crate::{device, ffi};

/// Why a generator's state could not be read or restored.
#[derive(Debug, thiserror::Error)]
pub enum RngError {
    /// libtorch refused.
    #[error("generator of {device:?}: {reason}")]
    Generator {
        /// Whose generator it is.
        device: Device,
        /// libtorch's message.
        reason: String,
    },
}

/// The default generator of the CPU belongs to the whole process: whoever seeds it, or whose result
/// depends on what is drawn from it, holds this where other threads might draw too, as tests do.
/// What this library's crates draw (initial weights, dropout, the draws of methods) waits for it,
/// on any device, as do [`seed`], [`state`] and [`set_state`]. A thread that holds it already may
/// ask for it again; it holds it until its first one is dropped.
///
/// ```
/// let _alone = torch::rng::exclusive();
/// torch::rng::seed(1);
/// let first = torch::Tensor::rand([2], (torch::Kind::Float, torch::Device::Cpu));
/// torch::rng::seed(1);
/// assert_eq!(first, torch::Tensor::rand([2], (torch::Kind::Float, torch::Device::Cpu)));
/// ```
pub fn exclusive() -> Exclusive {
    static GENERATOR: Mutex<()> = Mutex::new(());
    Exclusive(
        (!HELD.replace(true)).then(|| GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)),
    )
}

thread_local! {
    static HELD: Cell<bool> = const { Cell::new(false) };
    /// Whether [`draw_on`] takes numbers from the CPU's generator.
    static FROM_CPU: Cell<bool> = const { Cell::new(false) };
}

/// No other thread draws from the CPU's default generator while this lives: [`exclusive`].
#[derive(Debug)]
#[must_use]
pub struct Exclusive(
    /// None where the thread held it before.
    Option<MutexGuard<'static, ()>>,
);

impl Drop for Exclusive {
    fn drop(&mut self) {
        if self.0.is_some() {
            HELD.set(false);
        }
    }
}

/// Draws random numbers for `device`: `draw` makes them on the device that it is given, from
/// libtorch's generator there. That is `device` itself, or the CPU within [`from_cpu`]; the result
/// is on `device`.
pub fn draw_on(device: Device, draw: impl FnOnce(Device) -> Tensor) -> Tensor {
    let _alone = exclusive();
    let from = source(device);
    let numbers = draw(from);
    if from == device { numbers } else { numbers.to_device(device) }
}

/// Whose generator [`draw_on`] takes numbers for `device` from.
fn source(device: Device) -> Device {
    if FROM_CPU.get() { Device::Cpu } else { device }
}

/// Runs `body` with all that [`draw_on`] gives on this thread drawn from the CPU's generator and
/// copied to the device: after the same seed the same numbers on every device, so that what two
/// devices make of them can be compared. A computation on the CPU is the same without it. Dropout
/// and stochastic depth still draw on the device.
///
/// ```
/// use torch::{Device, Kind, Tensor, rng};
///
/// let _alone = rng::exclusive();
/// let draw = || rng::draw_on(Device::Cpu, |device| Tensor::rand([3], (Kind::Float, device)));
/// rng::seed(1);
/// let first = draw();
/// rng::seed(1);
/// assert_eq!(rng::from_cpu(draw), first);
/// ```
pub fn from_cpu<T>(body: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            FROM_CPU.set(self.0);
        }
    }
    let _before = Before(FROM_CPU.replace(true));
    body()
}

/// Seeds the generator of the CPU and, once [`crate::device::select`] chose one, those of all CUDA
/// devices.
pub fn seed(seed: u64) {
    let _alone = exclusive();
    ffi::seed(seed, device::cuda_is_loaded());
}

/// The state of the default generator of `device`: a uint8 vector on the CPU, to be given to
/// [`set_state`].
pub fn state(device: Device) -> Result<Tensor, RngError> {
    check(device)?;
    let _alone = exclusive();
    ffi::generator_state(device).map_err(|reason| RngError::Generator { device, reason })
}

/// Restores what [`state`] gave. A tensor of another kind or length is an error that changes
/// nothing.
pub fn set_state(device: Device, state: &Tensor) -> Result<(), RngError> {
    let _alone = exclusive();
    ffi::set_generator_state(device, state).map_err(|reason| RngError::Generator { device, reason })
}

/// Refuses CUDA before its library is loaded: libtorch, once asked, would decide for the whole
/// process that there is no CUDA.
fn check(device: Device) -> Result<(), RngError> {
    if device.is_cuda() && !device::cuda_is_loaded() {
        let reason = "CUDA is not loaded: choose the device with torch::device::select".to_owned();
        return Err(RngError::Generator { device, reason });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn numbers_come_from_the_cpu_where_that_is_asked_and_not_after_it() {
        let gpu = Device::Cuda(0);
        assert_eq!(source(gpu), gpu);
        assert_eq!(from_cpu(|| [source(gpu), from_cpu(|| source(gpu))]), [Device::Cpu; 2]);
        assert_eq!(
            from_cpu(|| std::thread::scope(|s| s.spawn(|| source(gpu)).join()).ok()),
            Some(gpu)
        );
        assert!(catch_unwind(|| from_cpu(|| panic!("on its way"))).is_err());
        assert_eq!(source(gpu), gpu);
    }
}
