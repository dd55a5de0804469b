//! A convolution.

use tch::{Kind, Tensor};

use super::activation::Activation;
use super::conv_config::{ConvConfig, Padding, same_padding};
use super::folded::Folded;
use crate::graph::{Graph, Value};
use crate::{Init, Role, Scope, flops};

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
    pub(super) fn folded(
        &self,
        [scale, shift]: [&Tensor; 2],
        activation: Activation,
        kind: Kind,
    ) -> Folded {
        let shift = match &self.bias {
            Some(bias) => bias * scale + shift,
            None => shift.shallow_clone(),
        };
        Folded::new(&self.weight, [scale, &shift], self.config, activation, kind)
    }

    pub(super) fn bare(scope: &mut Scope<'_>, config: ConvConfig) -> Self {
        let ConvConfig { inputs, outputs, kernel, groups, .. } = config;
        let role = if config.fixed { Role::Buffer } else { Role::Weight };
        let shape = [outputs, inputs / groups, kernel, kernel];
        let weight = scope.tensor("weight", &shape, role, config.init);
        let bias =
            config.bias.then(|| scope.tensor("bias", &[outputs], Role::Bias, Init::Const(0.0)));
        Self { weight, bias, config, folded: None }
    }

    /// `[batch, inputs, h, w]` to `[batch, outputs, h', w']`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        if let Some(folded) = &self.folded {
            return folded.forward(x, None);
        }
        let ConvConfig { inputs, kernel, stride, groups, padding, .. } = self.config;
        let conv = |x: &Tensor, pad: [i64; 2]| {
            let bias = self.bias.as_ref();
            let y = x.conv2d(&self.weight, bias, [stride, stride], pad, [1, 1], groups);
            flops::count(&y, x, &self.weight, inputs / groups * kernel * kernel);
            y
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
