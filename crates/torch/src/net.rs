//! What a network is: a map from a batch to logits, in one of two modes.

use tch::{Device, Tensor};

use crate::{Params, Scope};

/// How a network is run: which statistics batch norm uses, and which samples get the model's noise (dropout, stochastic
/// depth).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, which also update the running ones; noise for every sample.
    Train,
    /// Batch statistics; no noise.
    TrainWithoutNoise,
    /// Batch statistics; noise for the first so many samples of the batch only.
    TrainNoisyRows(i64),
    /// Running statistics; no noise.
    Eval,
    /// Running statistics; noise for every sample.
    EvalWithNoise,
}

/// Which samples of a batch get the model's noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoisyRows {
    /// None of them.
    None,
    /// The first so many.
    First(i64),
    /// All of them.
    All,
}

impl Mode {
    /// Whether batch norm uses (and updates its running statistics with) the batch's own.
    pub fn batch_statistics(self) -> bool {
        !matches!(self, Mode::Eval | Mode::EvalWithNoise)
    }

    /// Which samples get dropout and stochastic depth.
    pub fn noise(self) -> NoisyRows {
        match self {
            Mode::Train | Mode::EvalWithNoise => NoisyRows::All,
            Mode::TrainNoisyRows(rows) => NoisyRows::First(rows),
            Mode::TrainWithoutNoise | Mode::Eval => NoisyRows::None,
        }
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
