//! A convolution with batch norm and an activation behind it: three layers for training, one for
//! running a trained network.

use std::cell::{Ref, RefCell};

use tch::{Device, Kind, Tensor};

use super::activation::Activation;
use super::conv::Conv2d;
use super::conv_config::ConvConfig;
use super::folded::Folded;
use super::norm::BatchNorm;
use crate::grad::no_grad;
use crate::graph::{Graph, Value};
use crate::precision::convolution_kind;
use crate::{Mode, Scope, ffi, finite};

/// The settings of a [`ConvNorm`].
#[derive(Clone, Copy, Debug)]
pub struct ConvNormConfig {
    /// The convolution.
    pub conv: ConvConfig,
    /// The weight of a new batch in batch norm's running statistics.
    pub momentum: f64,
    /// Added to variances.
    pub eps: f64,
    /// What follows.
    pub activation: Activation,
}

/// A convolution, batch norm and an activation. In a network [for
/// inference](crate::Inference) they are one convolution, and in others on the CPU where they run
/// by the running statistics and nobody wants a gradient.
#[derive(Debug)]
pub struct ConvNorm {
    layers: Layers,
    activation: Activation,
}

#[derive(Debug)]
enum Layers {
    Apart(Box<Apart>),
    Folded(Folded),
}

#[derive(Debug)]
struct Apart {
    conv: Conv2d,
    norm: BatchNorm,
    /// Both layers as one convolution, with their tensors as they were when it was last asked for.
    kept: RefCell<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    folded: Folded,
    kind: Kind,
    /// How often each tensor had been changed.
    changes: Vec<u64>,
    /// Whether all of them are numbers. oneDNN's ReLU makes 0 of what is none, which must be seen.
    finite: bool,
}

impl Apart {
    /// The layers as one convolution, where `x` can be run so; what they give is the same but for
    /// the last digits.
    fn folded(&self, x: &Tensor, activation: Activation, mode: Mode) -> Option<Ref<'_, Folded>> {
        let tensors = || self.conv.tensors().chain(self.norm.tensors());
        let kind = convolution_kind(Device::Cpu);
        let kinds = [Kind::Float, Kind::BFloat16].contains(&x.kind())
            && tensors().all(|t| t.kind() == Kind::Float);
        let here = x.device() == Device::Cpu && kinds && ffi::onednn(kind == Kind::BFloat16);
        let graph = || ffi::keeps_graph() && tensors().chain([x]).any(|t| t.requires_grad());
        if mode.batch_statistics() {
            // libtorch's batch norm moves the running statistics without counting it as a change.
            self.kept.take();
            return None;
        }
        if !here || x.numel() == 0 || graph() {
            return None;
        }
        let changes: Vec<u64> = tensors().map(ffi::changes).collect();
        let known = |kept: &Kept| kept.kind == kind && kept.changes == changes;
        if !self.kept.borrow().as_ref().is_some_and(known) {
            let folded = no_grad(|| {
                let [scale, shift] = self.norm.affine();
                self.conv.folded([&scale, &shift], activation, kind)
            });
            let all: Vec<&Tensor> = tensors().collect();
            let finite = no_grad(|| finite::first_bad(&all).is_none());
            *self.kept.borrow_mut() = Some(Kept { folded, kind, changes, finite });
        }
        Ref::filter_map(self.kept.borrow(), |kept| {
            Some(&kept.as_ref().filter(|kept| kept.finite)?.folded)
        })
        .ok()
    }

    /// `y`, which the layers gave of `x`, when its arithmetic is counted.
    fn counted(&self, y: Tensor, x: &Tensor) -> Tensor {
        self.conv.count(&y, x);
        y
    }
}

impl ConvNorm {
    /// Makes the convolution's tensors under the first name and batch norm's under the second.
    pub fn new(
        scope: &mut Scope<'_>,
        [conv_name, norm_name]: [&str; 2],
        config: ConvNormConfig,
    ) -> Self {
        let ConvNormConfig { conv: of, momentum, eps, activation } = config;
        let conv = Conv2d::bare(&mut scope.sub(conv_name), of);
        let norm = BatchNorm::new(&mut scope.sub(norm_name), of.outputs, momentum, eps);
        let layers = match scope.inference() {
            None => Layers::Apart(Box::new(Apart { conv, norm, kept: RefCell::new(None) })),
            Some(kind) => {
                let [scale, shift] = norm.affine();
                Layers::Folded(conv.folded([&scale, &shift], activation, kind))
            }
        };
        Self { layers, activation }
    }

    /// `[batch, inputs, h, w]` to `[batch, outputs, h', w']`.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let Apart { conv, norm, .. }: &Apart = match &self.layers {
            Layers::Folded(folded) => return folded.forward(x, None),
            Layers::Apart(apart) => match apart.folded(x, self.activation, mode) {
                Some(folded) => return apart.counted(folded.forward(x, None), x),
                None => apart,
            },
        };
        let x = conv.forward(x);
        match self.activation {
            Activation::LeakyRelu(slope) => norm.forward_relu(&x, slope, mode),
            Activation::Relu6 => norm.forward_relu6(&x, mode),
            activation => activation.of(norm.forward(&x, mode)),
        }
    }

    /// Adds the block to `graph`, applied to `x`, and gives its result; `rest` is added before the
    /// activation. Panics in networks that are not for [inference](crate::Inference).
    pub fn graph(&self, graph: &mut Graph, x: Value, rest: Option<Value>) -> Value {
        match &self.layers {
            Layers::Folded(folded) => folded.graph(graph, x, rest),
            Layers::Apart(_) => panic!("the graph of a network that is trained"),
        }
    }

    /// The last part of a residual block: what batch norm gives is multiplied by `keep`, one factor
    /// for each sample `[batch]` ([`survival`](super::survival)), and `rest`, of the result's
    /// shape, is added before the activation.
    pub fn forward_residual(
        &self,
        x: &Tensor,
        rest: &Tensor,
        keep: Option<&Tensor>,
        mode: Mode,
    ) -> Tensor {
        let Apart { conv, norm, .. }: &Apart = match &self.layers {
            Layers::Folded(folded) => return self.residual(folded, x, rest, keep),
            Layers::Apart(apart) => match apart.folded(x, self.activation, mode) {
                Some(folded) => return apart.counted(self.residual(&folded, x, rest, keep), x),
                None => apart,
            },
        };
        let x = conv.forward(x);
        match self.activation {
            // A slope of 1 is no ReLU at all.
            Activation::None => norm.forward_residual(&x, rest, keep, 1.0, mode),
            Activation::LeakyRelu(slope) => norm.forward_residual(&x, rest, keep, slope, mode),
            // Not in place: the gradient of what is before needs its result.
            Activation::Relu6 => norm.forward_residual(&x, rest, keep, 1.0, mode).relu6(),
            Activation::Swish => norm.forward_residual(&x, rest, keep, 1.0, mode).silu(),
        }
    }

    fn residual(
        &self,
        folded: &Folded,
        x: &Tensor,
        rest: &Tensor,
        keep: Option<&Tensor>,
    ) -> Tensor {
        match keep {
            None => folded.forward(x, Some(rest)),
            Some(keep) => {
                // Only with noise that was asked for.
                let branch = folded.without_activation(x);
                self.activation.of(branch * keep.to_kind(rest.kind()).view([-1, 1, 1, 1]) + rest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Params, flops};

    const ACTIVATIONS: [Activation; 4] =
        [Activation::None, Activation::LeakyRelu(0.1), Activation::Relu6, Activation::Swish];

    fn wave(shape: &[i64], step: f64) -> Tensor {
        let n = shape.iter().product::<i64>();
        (Tensor::arange(n, (Kind::Float, Device::Cpu)) * step).sin().view(shape) * 4.0
    }

    fn layers(activation: Activation) -> (ConvNorm, Params) {
        layers_of(ConvConfig::depthwise(16, 3), activation)
    }

    fn layers_of(conv: ConvConfig, activation: Activation) -> (ConvNorm, Params) {
        let config = ConvNormConfig { conv, momentum: 0.1, eps: 1e-3, activation };
        let (layers, params) =
            Params::build(Device::Cpu, |scope| ConvNorm::new(scope, ["conv", "norm"], config));
        // So that scale, shift and statistics are not those of a new layer.
        let _ = layers.forward(&(wave(&[8, 16, 5, 5], 0.3) + 1.0), Mode::Train);
        (layers, params)
    }

    fn near(a: &Tensor, b: &Tensor) -> bool {
        a.allclose(b, 1e-4, 1e-4, false)
    }

    #[test]
    fn without_a_graph_one_convolution_gives_what_three_layers_give() {
        for activation in ACTIVATIONS {
            let (layers, params) = layers(activation);
            let (x, rest) = (wave(&[3, 16, 7, 7], 0.7), wave(&[3, 16, 7, 7], 0.2));
            let keep = Tensor::from_slice(&[0.0f32, 2.0, 1.0]);
            let all = || {
                [
                    layers.forward(&x, Mode::Eval),
                    layers.forward_residual(&x, &rest, None, Mode::Eval),
                    layers.forward_residual(&x, &rest, Some(&keep), Mode::EvalWithNoise),
                ]
            };
            // Twice, the second time after a change of the weights.
            for _ in 0..2 {
                let [apart, folded] = [all(), no_grad(all)];
                assert!(apart.iter().all(|y| y.requires_grad()));
                for (a, b) in apart.iter().zip(&folded) {
                    assert!(near(a, b), "{activation:?}: {a} {b}");
                }
                let changed: Vec<_> = params.iter().map(|p| p.tensor.shallow_clone()).collect();
                no_grad(|| changed.into_iter().for_each(|mut t| drop(t.g_mul_scalar_(1.5))));
            }
        }
    }

    #[test]
    fn statistics_that_moved_are_seen_whatever_is_behind_them() {
        for activation in ACTIVATIONS {
            let (layers, _params) = layers(activation);
            let x = wave(&[3, 16, 7, 7], 0.7);
            let run = |mode| layers.forward(&x, mode);
            let before = no_grad(|| run(Mode::Eval));
            let _ = no_grad(|| layers.forward(&(&x * 3.0 + 2.0), Mode::Train));
            let [apart, folded] = [run(Mode::Eval), no_grad(|| run(Mode::Eval))];
            assert!(near(&apart, &folded) && !near(&before, &folded), "{activation:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_made_one() {
        for activation in ACTIVATIONS {
            // One of oneDNN's, whose ReLU is none of ours.
            let (layers, params) = layers_of(ConvConfig::new(16, 16, 3), activation);
            no_grad(|| {
                let mut weight =
                    params.trainable().next().expect("a kernel").tensor.shallow_clone();
                let _ = weight.g_mul_scalar_(f64::NAN);
                let y = layers.forward(&wave(&[3, 16, 7, 7], 0.7), Mode::Eval);
                assert!(finite::first_bad(&[&y]).is_some(), "{activation:?}");
            });
        }
    }

    #[test]
    fn the_arithmetic_of_both_ways_is_counted_alike() {
        let (layers, _params) = layers(Activation::Relu6);
        let x = wave(&[2, 16, 6, 6], 0.7);
        let count = |mode| {
            let before = flops::counted();
            let _ = no_grad(|| layers.forward(&x, mode));
            flops::counted() - before
        };
        assert_eq!(count(Mode::Eval), count(Mode::TrainUntracked));
        assert_eq!(count(Mode::Eval), 2 * 2 * 16 * 36 * 9);
    }
}
