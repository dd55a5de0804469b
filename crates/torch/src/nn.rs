//! The layers that the models are made of. Each makes its tensors under PyTorch's names.

use tch::{Kind, Tensor};

pub use activation::Activation;
pub use attention::attention;
pub use conv::Conv2d;
pub use conv_config::{ConvConfig, Padding};
pub use conv_norm::{ConvNorm, ConvNormConfig};
pub use dropout::{dropout, keyed_dropout, keyed_dropout_at};
pub use embedding::Embedding;
pub use layer_norm::LayerNorm;
pub use norm::BatchNorm;
pub use packed_attention::PackedAttention;
pub use perceptron::Perceptron;

use crate::graph::{Array, Graph, Operation, Value};
use crate::{Init, Mode, NoisyRows, Role, Scope, flops, group};

mod activation;
mod attention;
mod conv;
mod conv_config;
mod conv_norm;
mod dropout;
mod embedding;
mod folded;
mod layer_norm;
mod norm;
mod packed_attention;
mod perceptron;

/// A fully connected layer.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
    /// The kind in which it computes, if not in that of its input.
    kind: Option<Kind>,
}

impl Linear {
    /// A linear layer with weights uniform in ±1/√outputs (as EfficientNet's classifier), bias 0.
    pub fn new(scope: &mut Scope<'_>, inputs: i64, outputs: i64) -> Self {
        Self::with_init(
            scope,
            inputs,
            outputs,
            Init::Uniform { bound: 1.0 / (outputs as f64).sqrt() },
        )
    }

    /// A linear layer with weights as `init` says, bias 0.
    pub fn with_init(scope: &mut Scope<'_>, inputs: i64, outputs: i64, init: Init) -> Self {
        let weight = scope.tensor("weight", &[outputs, inputs], Role::Weight, init);
        let bias = scope.tensor("bias", &[outputs], Role::Bias, Init::Const(0.0));
        Self { weight, bias, kind: None }
    }

    /// A hidden linear layer, its weights as `init` says, bias 0; in an
    /// [inference](crate::Inference) network it computes in that network's dtype.
    pub fn hidden(scope: &mut Scope<'_>, inputs: i64, outputs: i64, init: Init) -> Self {
        let Self { weight, bias, .. } = Self::with_init(scope, inputs, outputs, init);
        match scope.inference() {
            kind @ Some(of) => Self { weight: weight.to_kind(of), bias: bias.to_kind(of), kind },
            None => Self { weight, bias, kind: None },
        }
    }

    /// How many features it takes.
    pub fn inputs(&self) -> i64 {
        self.weight.size()[1]
    }

    /// Takes over a kernel `[outputs, inputs]` and a bias `[outputs]` of any kind and device.
    /// Panics if they are of another shape.
    pub fn set(&self, weight: &Tensor, bias: &Tensor) {
        for (own, given) in [(&self.weight, weight), (&self.bias, bias)] {
            assert_eq!(own.size(), given.size(), "a linear layer's tensor");
            crate::no_grad(|| own.shallow_clone().copy_(given));
        }
    }

    /// Adds the layer to `graph`, applied to `x` `[batch, inputs]`, and gives its result.
    pub fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        let (weight, bias) = (Array::of(&self.weight), Array::of(&self.bias));
        graph.push(Operation::Linear { weight, bias }, &[x])
    }

    /// Adds the layer to `graph`, applied to each of the tokens `x` `[batch, tokens, inputs]`, and
    /// gives its result; `scale` `[outputs]`, if there is one, multiplies that.
    pub fn graph_of_tokens(&self, graph: &mut Graph, x: Value, scale: Option<&Tensor>) -> Value {
        let scaled = |tensor: &Tensor, shape: &[i64]| match scale {
            Some(scale) => Array::of(&(tensor.detach() * scale.detach().view(shape))),
            None => Array::of(tensor),
        };
        let (weight, bias) = (scaled(&self.weight, &[-1, 1]), scaled(&self.bias, &[-1]));
        graph.push(Operation::LinearOfTokens { weight, bias }, &[x])
    }

    /// Applies the layer: `x` is `[batch, inputs]`, the result `[batch, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let y = match self.kind {
            Some(kind) => x.to_kind(kind).linear(&self.weight, Some(&self.bias)),
            None => x.linear(&self.weight, Some(&self.bias)),
        };
        flops::count(&y, x, &self.weight, self.inputs());
        y
    }
}

/// The mean over all places: `[batch, channels, h, w]` to `[batch, channels]`.
pub fn global_average_pool(x: &Tensor) -> Tensor {
    x.mean_dim([2, 3].as_slice(), false, None)
}

/// The mean over all places, `[batch, channels]`, as operations of a graph.
pub fn global_average_graph(graph: &mut Graph, x: Value) -> Value {
    let mean = graph.push(Operation::Mean, &[x]);
    graph.push(Operation::Flatten, &[mean])
}

/// Stochastic depth (Huang et al. 2016): drops the residual branch `x` `[batch, ...]` of each
/// sample with probability `rate` and scales what stays by 1 / (1 - rate), for the samples that get
/// noise in this mode.
pub fn stochastic_depth(x: &Tensor, rate: f64, mode: Mode) -> Tensor {
    let Some(keep) = survival(x, rate, mode) else { return x.shallow_clone() };
    let mut shape = vec![1; x.dim()];
    shape[0] = x.size()[0];
    x * keep.to_kind(x.kind()).view(shape.as_slice())
}

/// The factor of each sample of the branch `x` `[batch, ...]` under stochastic depth with
/// probability `rate`, float32 `[batch]`: 0 where it is dropped, else 1 / (1 - rate), and 1 for
/// samples without noise; `None` where no sample gets noise.
pub fn survival(x: &Tensor, rate: f64, mode: Mode) -> Option<Tensor> {
    let (batch, options) = (x.size()[0], (Kind::Float, x.device()));
    let keep = 1.0 - rate;
    let survivors = |n: i64| {
        group::draw_for_batch(&[n], |shape| Tensor::empty(shape, options).bernoulli_float_(keep))
            / keep
    };
    match mode.noise() {
        _ if rate <= 0.0 => None,
        NoisyRows::None | NoisyRows::First(0) => None,
        NoisyRows::First(rows) if rows < batch => {
            Some(Tensor::cat(&[survivors(rows), Tensor::ones([batch - rows], options)], 0))
        }
        NoisyRows::First(_) | NoisyRows::All => Some(survivors(batch)),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::Params;

    fn ones(rows: i64) -> Tensor {
        Tensor::ones([rows, 10], (Kind::Float, Device::Cpu))
    }

    fn list(t: &Tensor) -> Vec<f64> {
        Vec::try_from(t.to_kind(Kind::Double).reshape([-1])).expect("a vector")
    }

    #[test]
    fn branches_survive_whole_at_their_rate_and_keep_the_mean() {
        let x = ones(4000);
        let keep = survival(&x, 0.2, Mode::TrainNoisyRows(3900)).expect("noise");
        assert_eq!(list(&keep.narrow(0, 3900, 100)), [1.0; 100], "samples without noise");
        let noisy = list(&keep.narrow(0, 0, 3900));
        assert!(noisy.iter().all(|k| *k == 0.0 || (k - 1.25).abs() < 1e-6));
        let dropped = noisy.iter().filter(|k| **k == 0.0).count() as f64 / 3900.0;
        assert!((dropped - 0.2).abs() < 0.04, "{dropped}");
        for (rate, mode) in [(0.0, Mode::Train), (0.2, Mode::Eval), (0.2, Mode::TrainNoisyRows(0))]
        {
            assert!(survival(&x, rate, mode).is_none());
            assert_eq!(stochastic_depth(&x, rate, mode), x);
        }
        let branch = stochastic_depth(&x, 0.2, Mode::Train);
        assert_eq!(branch.amin([1].as_slice(), false), branch.amax([1].as_slice(), false));
    }

    #[test]
    fn new_weights_are_spread_as_documented() {
        let spread = |make: &dyn Fn(&mut Scope<'_>)| {
            let (_, params) = Params::build(Device::Cpu, |scope| make(scope));
            let weight = params.get("weight").expect("a weight");
            assert!(weight.numel() > 9_000);
            weight.std(true).double_value(&[])
        };
        let conv = |config: ConvConfig| spread(&|scope| drop(Conv2d::new(scope, config)));
        let linear = spread(&|scope| drop(Linear::new(scope, 400, 25)));
        let cases = [
            (conv(ConvConfig::new(64, 32, 3)), (2.0_f64 / 288.0).sqrt()),
            (conv(ConvConfig::depthwise(400, 5)), (2.0_f64 / 25.0).sqrt()),
            (linear, 0.2 / 3.0_f64.sqrt()),
        ];
        for (found, expected) in cases {
            // With so many values, chance moves a standard deviation by 1 % or so.
            assert!((found / expected - 1.0).abs() < 0.05, "{found}, not {expected}");
        }
    }
}
