//! The layers that the models are made of. Each makes its tensors under PyTorch's names.

use tch::{Kind, Tensor};

pub use conv_norm::{Activation, ConvNorm, ConvNormConfig};
pub use norm::BatchNorm;
pub use perceptron::Perceptron;

use crate::graph::{Array, Graph, Operation, Value};
use crate::{Init, Mode, NoisyRows, Role, Scope};
use folded::Folded;

mod conv_norm;
mod folded;
mod norm;
mod perceptron;

/// How a convolution pads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// This many zeros on every side.
    Symmetric(i64),
    /// TensorFlow's SAME: the output has `ceil(input / stride)` rows; an odd row of zeros goes to
    /// the bottom and right.
    Same,
}

/// The settings of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvConfig {
    /// Channels in.
    pub inputs: i64,
    /// Channels out.
    pub outputs: i64,
    /// Side of the square kernel.
    pub kernel: i64,
    /// Stride in both directions.
    pub stride: i64,
    /// Padding.
    pub padding: Padding,
    /// Groups: 1 is a full convolution, `inputs` a depthwise one.
    pub groups: i64,
    /// Whether a bias is added.
    pub bias: bool,
    /// How the kernel is filled; a bias starts at 0.
    pub init: Init,
}

impl ConvConfig {
    /// A full convolution of odd `kernel` with stride 1, TensorFlow padding and no bias, drawn from
    /// N(0, 2 / (kernel² · outputs)) (He et al. 2015, fan out).
    pub fn new(inputs: i64, outputs: i64, kernel: i64) -> Self {
        let std = (2.0 / (kernel * kernel * outputs) as f64).sqrt();
        let init = Init::Normal { std };
        Self {
            inputs,
            outputs,
            kernel,
            stride: 1,
            padding: Padding::Same,
            groups: 1,
            bias: false,
            init,
        }
    }

    /// A depthwise convolution: one kernel a channel, drawn with fan out `kernel²`.
    pub fn depthwise(channels: i64, kernel: i64) -> Self {
        let init = Init::Normal { std: (2.0 / (kernel * kernel) as f64).sqrt() };
        Self { groups: channels, init, ..Self::new(channels, channels, kernel) }
    }

    /// The same with another stride.
    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// The same with a bias.
    pub fn with_bias(self) -> Self {
        Self { bias: true, ..self }
    }
}

/// A two-dimensional convolution.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: ConvConfig,
    /// What runs in a network for inference.
    folded: Option<Folded>,
}

impl Conv2d {
    /// Makes `weight` `[outputs, inputs / groups, kernel, kernel]` and, if asked for, `bias`
    /// `[outputs]`.
    pub fn new(scope: &mut Scope<'_>, config: ConvConfig) -> Self {
        let mut conv = Self::bare(scope, config);
        conv.folded = scope.inference().map(|kind| {
            let one = Tensor::ones([config.outputs], (Kind::Float, scope.device()));
            conv.folded([&one, &one.zeros_like()], Activation::None, kind)
        });
        conv
    }

    /// What runs in a network for inference: scale and shift of each output channel follow the
    /// convolution.
    fn folded(&self, [scale, shift]: [&Tensor; 2], activation: Activation, kind: Kind) -> Folded {
        let shift = match &self.bias {
            Some(bias) => bias * scale + shift,
            None => shift.shallow_clone(),
        };
        Folded::new(&self.weight, [scale, &shift], self.config, activation, kind)
    }

    fn bare(scope: &mut Scope<'_>, config: ConvConfig) -> Self {
        let ConvConfig { inputs, outputs, kernel, groups, .. } = config;
        let weight = scope.tensor(
            "weight",
            &[outputs, inputs / groups, kernel, kernel],
            Role::Weight,
            config.init,
        );
        let bias =
            config.bias.then(|| scope.tensor("bias", &[outputs], Role::Bias, Init::Const(0.0)));
        Self { weight, bias, config, folded: None }
    }

    /// `[batch, inputs, h, w]` to `[batch, outputs, h', w']`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        if let Some(folded) = &self.folded {
            return folded.forward(x, None);
        }
        let ConvConfig { kernel, stride, groups, padding, .. } = self.config;
        let conv = |x: &Tensor, pad: [i64; 2]| {
            x.conv2d(&self.weight, self.bias.as_ref(), [stride, stride], pad, [1, 1], groups)
        };
        match padding {
            Padding::Symmetric(p) => conv(x, [p, p]),
            Padding::Same => {
                let size = x.size();
                let (top, bottom) = same_padding(size[2], kernel, stride);
                let (left, right) = same_padding(size[3], kernel, stride);
                if top == bottom && left == right {
                    conv(x, [top, left])
                } else {
                    conv(&x.constant_pad_nd([left, right, top, bottom]), [0, 0])
                }
            }
        }
    }
}

impl Conv2d {
    /// As an operation of a graph, in a network for inference; panics in others.
    pub fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        self.folded.as_ref().expect("a network for inference").graph(graph, x, None)
    }
}

/// Zeros before and after an axis of `size` so that the output has `ceil(size / stride)` places.
fn same_padding(size: i64, kernel: i64, stride: i64) -> (i64, i64) {
    let total = (((size + stride - 1) / stride - 1) * stride + kernel - size).max(0);
    (total / 2, total - total / 2)
}

/// A fully connected layer.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Weights uniform in ±1/√outputs (as EfficientNet's classifier), bias 0.
    pub fn new(scope: &mut Scope<'_>, inputs: i64, outputs: i64) -> Self {
        Self::with_init(
            scope,
            inputs,
            outputs,
            Init::Uniform { bound: 1.0 / (outputs as f64).sqrt() },
        )
    }

    /// Weights as asked for, bias 0.
    pub fn with_init(scope: &mut Scope<'_>, inputs: i64, outputs: i64, init: Init) -> Self {
        let weight = scope.tensor("weight", &[outputs, inputs], Role::Weight, init);
        Self { weight, bias: scope.tensor("bias", &[outputs], Role::Bias, Init::Const(0.0)) }
    }

    /// How many features it takes.
    pub fn inputs(&self) -> i64 {
        self.weight.size()[1]
    }

    /// Takes over a kernel `[outputs, inputs]` and a bias `[outputs]` of any kind and device. Panics
    /// if they are of another shape.
    pub fn set(&self, weight: &Tensor, bias: &Tensor) {
        for (own, given) in [(&self.weight, weight), (&self.bias, bias)] {
            assert_eq!(own.size(), given.size(), "a linear layer's tensor");
            tch::no_grad(|| own.shallow_clone().copy_(given));
        }
    }

    /// As an operation of a graph.
    pub fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        let (weight, bias) = (Array::of(&self.weight), Array::of(&self.bias));
        graph.push(Operation::Linear { weight, bias }, &[x])
    }

    /// `[batch, inputs]` to `[batch, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
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

/// Dropout with probability `rate`, on the samples (rows of `x`) that get noise in this mode.
pub fn dropout(x: &Tensor, rate: f64, mode: Mode) -> Tensor {
    match mode.noise() {
        _ if rate <= 0.0 => x.shallow_clone(),
        NoisyRows::None | NoisyRows::First(0) => x.shallow_clone(),
        NoisyRows::First(rows) if rows < x.size()[0] => {
            let (noisy, clean) = (x.narrow(0, 0, rows), x.narrow(0, rows, x.size()[0] - rows));
            Tensor::cat(&[noisy.dropout(rate, true), clean], 0)
        }
        NoisyRows::First(_) | NoisyRows::All => x.dropout(rate, true),
    }
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
    let survivors = |n: i64| Tensor::empty([n], options).bernoulli_float_(keep) / keep;
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

    #[test]
    fn same_padding_puts_the_odd_row_last() {
        assert_eq!(same_padding(224, 3, 2), (0, 1));
        assert_eq!(same_padding(225, 3, 2), (1, 1));
        assert_eq!(same_padding(7, 5, 2), (2, 2));
        assert_eq!(same_padding(8, 5, 2), (1, 2));
        assert_eq!(same_padding(32, 1, 2), (0, 0));
    }

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
    fn dropout_leaves_rows_without_noise_alone() {
        let x = ones(1000);
        let y = dropout(&x, 0.5, Mode::TrainNoisyRows(600));
        assert_eq!(y.narrow(0, 600, 400), x.narrow(0, 600, 400));
        let noisy = list(&y.narrow(0, 0, 600));
        assert!(noisy.iter().all(|v| *v == 0.0 || *v == 2.0));
        let dropped = noisy.iter().filter(|v| **v == 0.0).count() as f64 / 6000.0;
        assert!((dropped - 0.5).abs() < 0.04, "{dropped}");
        assert_eq!(dropout(&x, 0.5, Mode::Eval), x);
        assert_ne!(dropout(&x, 0.5, Mode::EvalWithNoise), x);
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
