//! A convolution with batch norm and an activation behind it: three layers for training, one for
//! running a trained network.

use tch::Tensor;

use super::activation::Activation;
use super::conv::Conv2d;
use super::conv_config::ConvConfig;
use super::folded::Folded;
use super::norm::BatchNorm;
use crate::graph::{Graph, Value};
use crate::{Mode, Scope};

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
/// inference](crate::Inference) they are one convolution.
#[derive(Debug)]
pub struct ConvNorm {
    layers: Layers,
    activation: Activation,
}

#[derive(Debug)]
enum Layers {
    Apart(Conv2d, BatchNorm),
    Folded(Folded),
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
            None => Layers::Apart(conv, norm),
            Some(kind) => {
                let [scale, shift] = norm.affine();
                Layers::Folded(conv.folded([&scale, &shift], activation, kind))
            }
        };
        Self { layers, activation }
    }

    /// `[batch, inputs, h, w]` to `[batch, outputs, h', w']`.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        match (&self.layers, self.activation) {
            (Layers::Folded(folded), _) => folded.forward(x, None),
            (Layers::Apart(conv, norm), Activation::LeakyRelu(slope)) => {
                norm.forward_relu(&conv.forward(x), slope, mode)
            }
            (Layers::Apart(conv, norm), activation) => {
                activation.of(norm.forward(&conv.forward(x), mode))
            }
        }
    }

    /// As operations of a graph, in a network for inference; panics in others. `rest` is added
    /// before the activation.
    pub fn graph(&self, graph: &mut Graph, x: Value, rest: Option<Value>) -> Value {
        match &self.layers {
            Layers::Folded(folded) => folded.graph(graph, x, rest),
            Layers::Apart(..) => panic!("the graph of a network that is trained"),
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
        match (&self.layers, keep) {
            (Layers::Folded(folded), None) => folded.forward(x, Some(rest)),
            (Layers::Folded(folded), Some(keep)) => {
                // Only with noise that was asked for.
                let branch = folded.without_activation(x);
                self.activation.of(branch * keep.to_kind(rest.kind()).view([-1, 1, 1, 1]) + rest)
            }
            (Layers::Apart(conv, norm), keep) => {
                let x = conv.forward(x);
                match self.activation {
                    // A slope of 1 is no ReLU at all.
                    Activation::None => norm.forward_residual(&x, rest, keep, 1.0, mode),
                    Activation::LeakyRelu(slope) => {
                        norm.forward_residual(&x, rest, keep, slope, mode)
                    }
                    // Not in place: the gradient of what is before needs its result.
                    Activation::Relu6 => norm.forward_residual(&x, rest, keep, 1.0, mode).relu6(),
                    Activation::Swish => norm.forward_residual(&x, rest, keep, 1.0, mode).silu(),
                }
            }
        }
    }
}
