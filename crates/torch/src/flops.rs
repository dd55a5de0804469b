//! Counts the arithmetic of convolutions and linear layers while they run.
//!
//! A multiplication and an addition are two operations. What a layer costs backwards is counted
//! when it runs forwards with a graph: as much again for the gradient of its kernel, and as much
//! for that of its input, each where it is needed. Everything else (batch norm, activations,
//! attention, the optimiser) is not counted; in convolutional networks it is some percent of the
//! whole. A pass of which only the input's gradient is taken (VAT's search for a direction) is
//! counted as if both were.
//!
//! ```
//! use torch::nn::{Conv2d, ConvConfig};
//! use torch::{Device, Kind, Params, Tensor, flops, no_grad};
//! let config = ConvConfig::new(2, 4, 3);
//! let (conv, _params) = Params::build(Device::Cpu, |scope| Conv2d::new(scope, config));
//! let images = Tensor::zeros([1, 2, 8, 8], (Kind::Float, Device::Cpu));
//! let forwards = 2 * 4 * 64 * 2 * 9;
//! let before = flops::counted();
//! no_grad(|| conv.forward(&images));
//! assert_eq!(flops::counted() - before, forwards);
//! conv.forward(&images); // and the gradient of the kernel, later
//! assert_eq!(flops::counted() - before, 3 * forwards);
//! ```

use std::cell::Cell;

use tch::Tensor;

thread_local! {
    static COUNTED: Cell<u64> = const { Cell::new(0) };
}

/// Operations of this thread's layers so far.
pub fn counted() -> u64 {
    COUNTED.get()
}

/// Counts a layer: `y` is what it gave for `x`, with `inputs` products in each of its elements.
pub(crate) fn count(y: &Tensor, x: &Tensor, weight: &Tensor, inputs: i64) {
    let gradients = match y.requires_grad() {
        true => u64::from(weight.requires_grad()) + u64::from(x.requires_grad()),
        false => 0,
    };
    let forwards = 2 * y.numel() as u64 * inputs as u64;
    COUNTED.set(COUNTED.get() + forwards * (1 + gradients));
}
