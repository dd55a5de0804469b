//! What a network is: a map from a batch to logits, in one of two modes.

use tch::{Device, Tensor};

use crate::{Params, Scope};

/// How a network is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch norm uses and updates batch statistics; dropout and stochastic depth draw noise.
    Train,
    /// Training without the model's noise: batch norm as in `Train`, dropout and stochastic depth off.
    TrainWithoutNoise,
    /// Batch norm uses running statistics; no noise.
    Eval,
}

impl Mode {
    /// Whether batch norm uses (and updates its running statistics with) the batch's own.
    pub fn batch_statistics(self) -> bool {
        self != Mode::Eval
    }

    /// Whether dropout and stochastic depth draw noise.
    pub fn noise(self) -> bool {
        self == Mode::Train
    }
}

/// A network maps a batch to logits.
pub trait Net {
    /// `x` is `[batch, ...]`; the logits are `[batch, classes]`.
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor;
}

/// A network together with its parameters.
pub struct Model {
    /// The map from a batch to logits. Its layers share their tensors with `params`.
    pub net: Box<dyn Net>,
    /// The named tensors of `net`.
    pub params: Params,
}

impl Model {
    /// Makes a network and its parameters on `device`.
    pub fn build<N: Net + 'static>(device: Device, make: impl FnOnce(&mut Scope<'_>) -> N) -> Self {
        let (net, params) = Params::build(device, make);
        Self { net: Box::new(net), params }
    }

    /// Runs the network: `x` is `[batch, ...]`; the logits are `[batch, classes]`.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.net.forward(x, mode)
    }
}
