//! Networks that only run: evaluation, prediction, the features of a network that stays as it is.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::grad::no_grad;
use crate::graph::Graph;
use crate::nn::Linear;
use crate::parts::in_parts;
use crate::precision::Precision;
use crate::{Features, Mode, Net, Params, Scope, ffi, finite, layout};

/// A network for inference: batch norm is folded into the convolutions, weights are laid out for
/// the processor, activations are computed in place. It has copies of all tensors, so that what
/// becomes of the network that it was made of does not show. It runs in [`Mode::Eval`] and
/// [`Mode::EvalWithNoise`] (others panic) and has no gradients. If one of the tensors
/// contains NaN or infinity, all that it gives is NaN: activations computed in place may turn such
/// values into 0, and hide them.
///
/// ```
/// use torch::nn::{Activation, ConvConfig, ConvNorm, ConvNormConfig, Linear, global_average_pool};
/// use torch::precision::Precision;
/// use torch::{Device, Features, Inference, Kind, Mode, Net, Params, Scope, Tensor};
///
/// struct Small(ConvNorm, Linear);
/// impl Features for Small {
///     fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
///         global_average_pool(&self.0.forward(x, mode))
///     }
///     fn classifier(&self) -> &Linear {
///         &self.1
///     }
/// }
/// let make = |scope: &mut Scope<'_>| {
///     let (conv, activation) = (ConvConfig::new(3, 8, 3), Activation::Relu6);
///     let config = ConvNormConfig { conv, momentum: 0.1, eps: 1e-3, activation };
///     let conv = ConvNorm::new(scope, ["conv", "bn"], config);
///     Small(conv, Linear::new(&mut scope.sub("fc"), 8, 5))
/// };
/// let (net, params) = Params::build(Device::Cpu, make);
/// let fast = Inference::new(&params, Precision::Float32, make);
/// let x = Tensor::randn([2, 3, 9, 9], (Kind::Float, Device::Cpu));
/// assert!(fast.forward(&x, Mode::Eval).allclose(&net.forward(&x, Mode::Eval), 1e-5, 1e-5, false));
/// ```
pub struct Inference {
    net: Box<dyn Net>,
    kind: Kind,
    /// Whether all its tensors are finite.
    finite: bool,
}

impl Inference {
    /// Makes the network of the tensors of `params` by the function that made them. With
    /// [`Precision::Bfloat16`] weights and activations are bfloat16 where the device multiplies in
    /// it (on a CPU the instructions AVX512-BF16), else float32; logits and features are float32.
    /// Panics if `make` asks for a tensor that `params` has not; the network that it makes has to
    /// have [`Features`].
    pub fn new<N: Net + 'static>(
        params: &Params,
        precision: Precision,
        make: impl FnOnce(&mut Scope<'_>) -> N,
    ) -> Self {
        let device = params.device();
        let kind = match precision {
            Precision::Bfloat16 if device != Device::Cpu || ffi::onednn(true) => Kind::BFloat16,
            _ => Kind::Float,
        };
        let net = no_grad(|| params.for_inference(kind, make));
        let tensors: Vec<&Tensor> = params.iter().map(|p| &p.tensor).collect();
        let finite = no_grad(|| finite::first_bad(&tensors).is_none());
        Self { net: Box::new(net), kind, finite }
    }

    /// The precision in which it computes.
    pub fn precision(&self) -> Precision {
        match self.kind {
            Kind::BFloat16 => Precision::Bfloat16,
            _ => Precision::Float32,
        }
    }

    /// The network as a list of operations from normalised images to logits; `None` for networks
    /// that have none, and for those whose operations depend on the images' height and width where
    /// `sides` does not tell them.
    pub fn graph(&self, sides: Option<[i64; 2]>) -> Option<Graph> {
        let mut graph = sides.map_or_else(Graph::default, Graph::of_sides);
        let images = graph.input();
        let features = self.as_features().graph(&mut graph, images)?;
        self.as_features().classifier().graph(&mut graph, features);
        Some(graph)
    }

    fn run(&self, x: &Tensor, mode: Mode, body: impl Fn(&Tensor) -> Tensor) -> Tensor {
        assert!(!mode.batch_statistics(), "a network for inference runs in no mode {mode:?}");
        let part = |x: &Tensor| {
            let x = x.to_kind(self.kind);
            let y = body(&if x.dim() == 4 { layout::channels_last(&x) } else { x });
            let y = y.to_kind(Kind::Float);
            if self.finite { y } else { y * f64::NAN }
        };
        no_grad(|| in_parts(x, part))
    }

    fn as_features(&self) -> &dyn Features {
        self.net.features().expect("a network with features and a head (torch::Features)")
    }
}

impl Features for Inference {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_from(0, x, mode)
    }

    fn classifier(&self) -> &Linear {
        self.as_features().classifier()
    }

    fn forward_head(&self, features: &Tensor, mode: Mode) -> Tensor {
        no_grad(|| self.as_features().forward_head(&features.to_kind(Kind::Float), mode))
    }

    fn stages(&self) -> usize {
        self.as_features().stages()
    }

    fn forward_stages(&self, x: &Tensor, stages: Range<usize>, mode: Mode) -> Tensor {
        self.run(x, mode, |x| self.as_features().forward_stages(x, stages.clone(), mode))
    }

    fn forward_from(&self, stage: usize, x: &Tensor, mode: Mode) -> Tensor {
        self.run(x, mode, |x| self.as_features().forward_from(stage, x, mode))
    }
}
