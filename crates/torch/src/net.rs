//! What a network is: a map from a batch to logits, run in a [`Mode`].

use tch::{Device, Tensor};

use crate::nn::Linear;
use crate::{Mode, Params, Scope};

/// A network maps a batch to logits.
pub trait Net {
    /// `x` is `[batch, ...]`; the logits are `[batch, classes]`.
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor;

    /// The network as features and a head on them, if it is made of these: for methods that read
    /// the features or add a head of their own.
    fn features(&self) -> Option<&dyn Features> {
        None
    }
}

/// A network whose last layer is linear, run in two parts. What implements this implements [`Net`].
pub trait Features {
    /// What the last linear layer takes: `x` is `[batch, ...]`, the features `[batch, width]`.
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor;

    /// The last linear layer, which makes logits of features.
    fn head(&self) -> &Linear;

    /// The logits `[batch, classes]` of features `[batch, width]`: the last linear layer and, in
    /// some networks, what follows it.
    fn forward_head(&self, features: &Tensor, _mode: Mode) -> Tensor {
        self.head().forward(features)
    }
}

impl<N: Features> Net for N {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_head(&self.forward_features(x, mode), mode)
    }

    fn features(&self) -> Option<&dyn Features> {
        Some(self)
    }
}

/// A single linear layer is a network too.
impl Net for Linear {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        Linear::forward(self, x)
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

    /// What the last linear layer takes: `x` is `[batch, ...]`, the features `[batch, width]`.
    /// Panics if the network has no [`Features`].
    pub fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.parts().forward_features(x, mode)
    }

    /// The network's own logits `[batch, classes]` of features `[batch, width]`. Panics if the
    /// network has no [`Features`].
    pub fn forward_head(&self, features: &Tensor, mode: Mode) -> Tensor {
        self.parts().forward_head(features, mode)
    }

    /// Adds a linear layer on the features, whose tensors `name.weight` and `name.bias` come after
    /// those of the network. Panics if the network has no [`Features`] or the name is taken.
    pub fn add_head(&mut self, name: &str, outputs: i64) {
        let width = self.parts().head().inputs();
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

    fn parts(&self) -> &dyn Features {
        self.net.features().expect("a network with features and a head (torch::Features)")
    }
}

impl Net for Box<dyn Net> {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        (**self).forward(x, mode)
    }

    fn features(&self) -> Option<&dyn Features> {
        (**self).features()
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::nn::BatchNorm;

    struct Normed {
        norm: BatchNorm,
        fc: Linear,
    }

    impl Features for Normed {
        fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
            self.norm.forward(x, mode)
        }

        fn head(&self) -> &Linear {
            &self.fc
        }
    }

    fn model() -> Model {
        Model::build(Device::Cpu, |scope| Normed {
            norm: BatchNorm::new(&mut scope.sub("norm"), 3, 0.1, 1e-5),
            fc: Linear::new(&mut scope.sub("fc"), 3, 2),
        })
    }

    fn batch(shift: f64) -> Tensor {
        Tensor::arange(12, (Kind::Float, Device::Cpu)).view([4, 3]) + shift
    }

    #[test]
    fn features_and_head_give_the_same_logits_and_further_heads_can_be_added() {
        let mut model = model();
        model.add_head("rotation", 4);
        let features = model.forward_features(&batch(0.0), Mode::Eval);
        assert_eq!(
            model.forward_head(&features, Mode::Eval),
            model.forward(&batch(0.0), Mode::Eval)
        );
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
