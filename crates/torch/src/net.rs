//! What a network is: a map from a batch to logits, in one of two modes.

use tch::{Device, Tensor};

use crate::nn::Linear;
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
    /// Batch statistics, which leave the running ones as they are; noise for every sample.
    TrainUntracked,
    /// Batch statistics; no noise. The running statistics become the mean over the batches of a series, of which this is
    /// the one of this number, counted from 0.
    Calibrate(u32),
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
    /// Whether batch norm uses the batch's own statistics.
    pub fn batch_statistics(self) -> bool {
        !matches!(self, Mode::Eval | Mode::EvalWithNoise)
    }

    /// The weight of the batch in the running statistics, where a training step gives it `momentum`; none: they stay.
    pub fn momentum(self, momentum: f64) -> Option<f64> {
        match self {
            Mode::Train | Mode::TrainWithoutNoise | Mode::TrainNoisyRows(_) => Some(momentum),
            Mode::Calibrate(number) => Some(1.0 / (f64::from(number) + 1.0)),
            Mode::TrainUntracked | Mode::Eval | Mode::EvalWithNoise => None,
        }
    }

    /// Which samples get dropout and stochastic depth.
    pub fn noise(self) -> NoisyRows {
        match self {
            Mode::Train | Mode::TrainUntracked | Mode::EvalWithNoise => NoisyRows::All,
            Mode::TrainNoisyRows(rows) => NoisyRows::First(rows),
            Mode::TrainWithoutNoise | Mode::Calibrate(_) | Mode::Eval => NoisyRows::None,
        }
    }
}

/// A network maps a batch to logits.
pub trait Net {
    /// `x` is `[batch, ...]`; the logits are `[batch, classes]`.
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor;

    /// The same network in two parts, if it can be had so: for methods that look at features or add a head of their own.
    fn cut(&self) -> Option<&dyn Cut> {
        None
    }
}

/// A network that can be cut before its last linear layer. To implement it is to implement [`Net`].
pub trait Cut {
    /// What the last linear layer takes: `x` is `[batch, ...]`, the features `[batch, width]`.
    fn features(&self, x: &Tensor, mode: Mode) -> Tensor;

    /// The last linear layer, which makes logits of features.
    fn head(&self) -> &Linear;

    /// The logits `[batch, classes]` of features `[batch, width]`: the last linear layer and, in some networks, what follows.
    fn logits(&self, features: &Tensor, _mode: Mode) -> Tensor {
        self.head().forward(features)
    }
}

impl<N: Cut> Net for N {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.logits(&self.features(x, mode), mode)
    }

    fn cut(&self) -> Option<&dyn Cut> {
        Some(self)
    }
}

/// A network together with its parameters.
pub struct Model {
    /// The map from a batch to logits. Its layers share their tensors with `params`.
    pub net: Box<dyn Net>,
    /// The named tensors of `net` and of the heads that were added.
    pub params: Params,
    heads: Vec<(String, Linear)>,
}

impl Model {
    /// A network and its parameters.
    pub fn new(net: impl Net + 'static, params: Params) -> Self {
        Self { net: Box::new(net), params, heads: Vec::new() }
    }

    /// Makes a network and its parameters on `device`.
    pub fn build<N: Net + 'static>(device: Device, make: impl FnOnce(&mut Scope<'_>) -> N) -> Self {
        let (net, params) = Params::build(device, make);
        Self::new(net, params)
    }

    /// Runs the network: `x` is `[batch, ...]`; the logits are `[batch, classes]`.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.net.forward(x, mode)
    }

    /// What the last linear layer takes: `x` is `[batch, ...]`, the features `[batch, width]`. Panics if the network cannot
    /// be cut.
    pub fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.cut().features(x, mode)
    }

    /// The network's own logits `[batch, classes]` of features `[batch, width]`. Panics if the network cannot be cut.
    pub fn logits(&self, features: &Tensor, mode: Mode) -> Tensor {
        self.cut().logits(features, mode)
    }

    /// Adds a linear layer on the features, with tensors `name.weight` and `name.bias` behind those of the network. Panics if
    /// the network cannot be cut or the name is taken.
    pub fn add_head(&mut self, name: &str, outputs: i64) {
        let width = self.cut().head().inputs();
        let device = self.params.iter().next().map_or(Device::Cpu, |p| p.tensor.device());
        let make = |scope: &mut Scope<'_>| Linear::new(&mut scope.sub(name), width, outputs);
        let head = self.params.extend(device, make);
        self.heads.push((name.to_owned(), head));
    }

    /// An added head's logits of features `[batch, width]`. Panics if there is none of this name.
    pub fn head(&self, name: &str, features: &Tensor) -> Tensor {
        let head = self.heads.iter().find(|(known, _)| known == name);
        let (_, head) = head.unwrap_or_else(|| panic!("no head was added under the name {name}"));
        head.forward(features)
    }

    fn cut(&self) -> &dyn Cut {
        self.net.cut().expect("a network that can be cut before its last layer (Net::cut)")
    }
}

impl Net for Box<dyn Net> {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        (**self).forward(x, mode)
    }

    fn cut(&self) -> Option<&dyn Cut> {
        (**self).cut()
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::nn::BatchNorm;

    struct Cuttable {
        norm: BatchNorm,
        fc: Linear,
    }

    impl Cut for Cuttable {
        fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
            self.norm.forward(x, mode)
        }

        fn head(&self) -> &Linear {
            &self.fc
        }
    }

    fn model() -> Model {
        Model::build(Device::Cpu, |scope| Cuttable {
            norm: BatchNorm::new(&mut scope.sub("norm"), 3, 0.1, 1e-5),
            fc: Linear::new(&mut scope.sub("fc"), 3, 2),
        })
    }

    fn batch(shift: f64) -> Tensor {
        Tensor::arange(12, (Kind::Float, Device::Cpu)).view([4, 3]) + shift
    }

    #[test]
    fn a_cut_network_gives_the_same_logits_and_bears_further_heads() {
        let mut model = model();
        model.add_head("rotation", 4);
        let features = model.features(&batch(0.0), Mode::Eval);
        assert_eq!(model.logits(&features, Mode::Eval), model.forward(&batch(0.0), Mode::Eval));
        assert_eq!(model.head("rotation", &features).size(), [4, 4]);
        let last: Vec<_> = model.params.names().skip(6).collect();
        assert_eq!(last, ["rotation.weight", "rotation.bias"]);
    }

    #[test]
    fn modes_decide_what_becomes_of_running_statistics() {
        let model = model();
        let mean = || model.params.get("norm.running_mean").expect("it").copy();
        let (fresh, x) = (mean(), batch(0.0));
        let untracked = model.forward(&x, Mode::TrainUntracked);
        assert_eq!(mean(), fresh);
        assert_eq!(untracked, model.forward(&x, Mode::TrainWithoutNoise));
        assert_ne!(mean(), fresh);
        for (number, shift) in [(0, 0.0), (1, 3.0), (2, 30.0)] {
            let _ = model.forward(&batch(shift), Mode::Calibrate(number));
        }
        let over_all = batch(11.0).mean_dim([0].as_slice(), false, None);
        assert!(mean().allclose(&over_all, 1e-5, 1e-5, false), "{} {over_all}", mean());
    }
}
