//! What a network is: a map from a batch to logits, run in a [`Mode`].

use std::ops::Range;

use tch::{Device, Tensor};

use crate::grad::no_grad;
use crate::graph::{Graph, Value};
use crate::nn::Linear;
use crate::parts::in_parts;
use crate::{Mode, Params, Scope, ffi, rng};

/// A network maps a batch to logits. It can be moved to another thread, and not be used by two at
/// once.
pub trait Net: Send {
    /// `x` is `[batch, ...]`; the logits are `[batch, classes]`.
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor;

    /// The logits where `perturbation` is added to the numbers that the network makes of the
    /// samples `x`: to the samples themselves, or to the embeddings of tokens. Its size is that of
    /// a [random one](Self::random_perturbation).
    fn forward_perturbed(&self, x: &Tensor, perturbation: &Tensor, mode: Mode) -> Tensor {
        self.forward(&(x + perturbation), mode)
    }

    /// A perturbation of the samples `x` of independent normal numbers.
    fn random_perturbation(&self, x: &Tensor) -> Tensor {
        rng::draw_on(x.device(), |device| x.to_device(device).randn_like())
    }

    /// The network as features and a head on them, if it is made of these: for methods that read
    /// the features or add a head of their own.
    fn features(&self) -> Option<&dyn Features> {
        None
    }
}

/// A network whose last layer is linear, run in two parts. What implements this implements [`Net`].
pub trait Features: Send {
    /// What the last linear layer takes: `x` is `[batch, ...]`, the features `[batch, width]`.
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor;

    /// The classifier: the last linear layer, from features `[batch, width]` to logits.
    fn classifier(&self) -> &Linear;

    /// The number of stages, one after another, of which the layers before the features are made; 0
    /// where the network is in one piece. The network announces as many by [`Scope::end_stage`].
    fn stages(&self) -> usize {
        0
    }

    /// Runs some of the stages: `x` is what the stage before `stages` gives (the network's input
    /// before stage 0), the result is what the last of them gives. Panics if there are fewer.
    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, _mode: Mode) -> Tensor {
        assert!(stages.is_empty(), "a network without stages has no stages {stages:?}");
        x.shallow_clone()
    }

    /// The features `[batch, width]` of what the stage before `stage` gives: this stage and all
    /// that follow, and what makes features of the last one's result. From stage 0 on it is
    /// [`forward_features`](Features::forward_features). Panics if there are fewer stages.
    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        assert_eq!(stage, 0, "a network without stages has no stage {stage}");
        self.forward_features(x, mode)
    }

    /// Adds to `graph` what makes the features of the images `x`, and gives these; `None` where the
    /// network cannot be told as a [graph](crate::graph) whose last operation is the head. Called
    /// on networks for [inference](crate::Inference) alone.
    fn graph(&self, _graph: &mut Graph, _x: Value) -> Option<Value> {
        None
    }

    /// The logits `[batch, classes]` of features `[batch, width]`: the last linear layer and, in
    /// some networks, what follows it.
    fn forward_head(&self, features: &Tensor, _mode: Mode) -> Tensor {
        self.classifier().forward(features)
    }

    /// The features `[batch, width]` where `perturbation` is added to the samples `x` or to the
    /// embeddings of their tokens, as in [`Net::forward_perturbed`].
    fn perturbed_features(&self, x: &Tensor, perturbation: &Tensor, mode: Mode) -> Tensor {
        self.forward_features(&(x + perturbation), mode)
    }

    /// A perturbation of the samples `x` of independent normal numbers, for
    /// [`perturbed_features`](Features::perturbed_features).
    fn random_perturbation(&self, x: &Tensor) -> Tensor {
        rng::draw_on(x.device(), |device| x.to_device(device).randn_like())
    }
}

impl<N: Features> Net for N {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_head(&self.forward_features(x, mode), mode)
    }

    fn forward_perturbed(&self, x: &Tensor, perturbation: &Tensor, mode: Mode) -> Tensor {
        self.forward_head(&self.perturbed_features(x, perturbation, mode), mode)
    }

    fn random_perturbation(&self, x: &Tensor) -> Tensor {
        Features::random_perturbation(self, x)
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
        match mode {
            Mode::Eval if !ffi::keeps_graph() => in_parts(x, |x| self.net.forward(x, mode)),
            _ => self.net.forward(x, mode),
        }
    }

    /// What the last linear layer takes: `x` is `[batch, ...]`, the features `[batch, width]`.
    /// Panics if the network has no [`Features`].
    pub fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.as_features().forward_features(x, mode)
    }

    /// The network's own classifier: its last linear layer. Panics if the network has no
    /// [`Features`].
    pub fn classifier(&self) -> &Linear {
        self.as_features().classifier()
    }

    /// The network's own logits `[batch, classes]` of features `[batch, width]`. Panics if the
    /// network has no [`Features`].
    pub fn forward_head(&self, features: &Tensor, mode: Mode) -> Tensor {
        self.as_features().forward_head(features, mode)
    }

    /// The network for partial training: its first `stages` stages stay as they are. Their tensors
    /// are no longer [trainable](Params::trainable), and they run in [`Mode::Eval`] whatever the
    /// mode is (so running statistics stay too), without a graph where the input needs none. Freeze
    /// the same stages of an EMA or SWA model of the network. Panics if there are fewer stages
    /// ([`Params::stages`]).
    #[must_use]
    pub fn freeze(self, stages: usize) -> Self {
        self.partial(0, stages)
    }

    /// The network without its first `stages` stages, for inputs that are those stages' output
    /// ([`Features::forward_stages`]). Their tensors are no longer
    /// [trainable](Params::trainable). Panics if there are fewer stages ([`Params::stages`]).
    #[must_use]
    pub fn skip_stages(self, stages: usize) -> Self {
        self.partial(stages, stages)
    }

    /// Freezes the first `stages` stages, and runs the network from stage `first` on.
    fn partial(mut self, first: usize, stages: usize) -> Self {
        let known = self.as_features().stages();
        assert!(stages <= known, "{stages} stages of a network that has {known}");
        assert_eq!(known, self.params.stages(), "stages that the network announced");
        self.params.freeze(stages);
        Self { net: Box::new(Partial { net: self.net, first, stages }), ..self }
    }

    /// Adds a linear layer on the features, whose tensors `name.weight` and `name.bias` come after
    /// those of the network. Panics if the network has no [`Features`] or the name is taken.
    pub fn add_head(&mut self, name: &str, outputs: i64) {
        let width = self.as_features().classifier().inputs();
        let device = self.params.device();
        let make = |scope: &mut Scope<'_>| Linear::new(&mut scope.sub(name), width, outputs);
        let head = self.params.extend(device, make);
        self.heads.push((name.to_owned(), head));
    }

    /// The outputs `[batch, outputs]` of the head that was [added](Self::add_head) under this name,
    /// from features `[batch, width]`. Panics if there is none of this name.
    pub fn forward_added_head(&self, name: &str, features: &Tensor) -> Tensor {
        let head = self.heads.iter().find(|(known, _)| known == name);
        let (_, head) = head.unwrap_or_else(|| panic!("no head was added under the name {name}"));
        head.forward(features)
    }

    fn as_features(&self) -> &dyn Features {
        self.net.features().expect("a network with features and a head (torch::Features)")
    }
}

/// A model runs as its network does.
impl Net for Model {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        Self::forward(self, x, mode)
    }

    fn forward_perturbed(&self, x: &Tensor, perturbation: &Tensor, mode: Mode) -> Tensor {
        self.net.forward_perturbed(x, perturbation, mode)
    }

    fn random_perturbation(&self, x: &Tensor) -> Tensor {
        self.net.random_perturbation(x)
    }

    fn features(&self) -> Option<&dyn Features> {
        self.net.features()
    }
}

impl Net for Box<dyn Net> {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        (**self).forward(x, mode)
    }

    fn forward_perturbed(&self, x: &Tensor, perturbation: &Tensor, mode: Mode) -> Tensor {
        (**self).forward_perturbed(x, perturbation, mode)
    }

    fn random_perturbation(&self, x: &Tensor) -> Tensor {
        (**self).random_perturbation(x)
    }

    fn features(&self) -> Option<&dyn Features> {
        (**self).features()
    }
}

/// A network whose first stages stay as they are.
struct Partial {
    net: Box<dyn Net>,
    /// The stage from which it is run.
    first: usize,
    /// How many stages stay as they are.
    stages: usize,
}

impl Partial {
    fn as_features(&self) -> &dyn Features {
        self.net.features().expect("a network with stages")
    }
}

impl Features for Partial {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(self.first, x, mode)
    }

    fn classifier(&self) -> &Linear {
        self.as_features().classifier()
    }

    fn forward_head(&self, features: &Tensor, mode: Mode) -> Tensor {
        self.as_features().forward_head(features, mode)
    }

    fn stages(&self) -> usize {
        self.as_features().stages()
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        let Range { start, end } = stages;
        let frozen = start..end.min(self.stages);
        let stages = |x: &Tensor| self.as_features().forward_stages(x, frozen.clone(), Mode::Eval);
        let x = match frozen.is_empty() {
            true => x.shallow_clone(),
            // The gradient of the input itself may be asked for.
            false if x.requires_grad() => stages(x),
            false => no_grad(|| in_parts(x, stages)),
        };
        match start.max(self.stages)..end {
            rest if rest.is_empty() => x,
            rest => self.as_features().forward_stages(&x, rest, mode),
        }
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.forward_stages(x, stage..stage.max(self.stages), mode);
        self.as_features().forward_from(stage.max(self.stages), &x, mode)
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

        fn classifier(&self) -> &Linear {
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
        assert_eq!(model.forward_added_head("rotation", &features).size(), [4, 4]);
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
