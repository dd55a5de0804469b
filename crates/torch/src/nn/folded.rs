//! A convolution of a network that only runs: batch norm is folded into its weights, bias,
//! activation and residual connection belong to it.

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

use super::activation::Activation;
use super::conv_config::{ConvConfig, LANES, Padding};
use crate::graph::{Array, Graph, Operation, Value};
use crate::{ffi, layout};

#[derive(Debug)]
pub(super) struct Folded {
    /// In the kind in which it computes, channels last.
    weight: Tensor,
    bias: Tensor,
    config: ConvConfig,
    activation: Activation,
    way: Way,
}

/// Who computes it.
#[derive(Debug)]
enum Way {
    /// The shim's loops, with float32 weights `[kernel², channels]` and bias `[channels]`.
    Depthwise(Tensor, Tensor),
    /// oneDNN, with weights laid out for images of this height and width.
    OneDnn(RefCell<Option<([i64; 2], Tensor)>>),
    /// libtorch.
    Plain,
}

impl Folded {
    /// `weight` (float32 `[outputs, inputs / groups, kernel, kernel]`) times `scale`, plus `shift`,
    /// one number an output channel each.
    pub(super) fn new(
        weight: &Tensor,
        [scale, shift]: [&Tensor; 2],
        config: ConvConfig,
        activation: Activation,
        kind: Kind,
    ) -> Self {
        let folded = weight.detach() * scale.view([-1, 1, 1, 1]);
        let ConvConfig { outputs, kernel, .. } = config;
        let way = if folded.device() != Device::Cpu {
            Way::Plain
        } else if config.has_loops() {
            let missing = (outputs + LANES - 1) / LANES * LANES - outputs;
            let fill = |t: Tensor| t.constant_pad_nd([0, missing]).contiguous();
            Way::Depthwise(
                fill(folded.view([outputs, kernel * kernel]).tr()),
                fill(shift.shallow_clone()),
            )
        } else if ffi::onednn(kind == Kind::BFloat16) {
            Way::OneDnn(RefCell::new(None))
        } else {
            Way::Plain
        };
        let weight = layout::channels_last(&folded.to_kind(kind));
        Self { weight, bias: shift.to_kind(kind), config, activation, way }
    }

    /// Adds the convolution and its activation to `graph`, applied to `x`, and gives the result;
    /// `rest` is added before the activation.
    pub(super) fn graph(&self, graph: &mut Graph, x: Value, rest: Option<Value>) -> Value {
        let ConvConfig { stride, groups, padding, .. } = self.config;
        let padding = match padding {
            Padding::Symmetric(p) => Some(p),
            Padding::Same => None,
        };
        let (weight, bias) = (Array::of(&self.weight), Array::of(&self.bias));
        let y = graph.push(Operation::Conv { weight, bias, stride, padding, groups }, &[x]);
        let y = rest.map_or(y, |rest| graph.push(Operation::Add, &[y, rest]));
        self.activation.graph(graph, y)
    }

    /// `[batch, inputs, h, w]` to `[batch, outputs, h', w']`; `rest`, of that shape, is added
    /// before the activation.
    pub(super) fn forward(&self, x: &Tensor, rest: Option<&Tensor>) -> Tensor {
        self.run(x, rest, self.activation)
    }

    /// The result of [`forward`](Self::forward) before the activation and without `rest`.
    pub(super) fn without_activation(&self, x: &Tensor) -> Tensor {
        self.run(x, None, Activation::None)
    }

    fn run(&self, x: &Tensor, rest: Option<&Tensor>, activation: Activation) -> Tensor {
        let ConvConfig { stride, groups, .. } = self.config;
        let x = layout::channels_last(&x.to_kind(self.weight.kind()));
        let rest = rest.map(|rest| layout::channels_last(&rest.to_kind(self.weight.kind())));
        let rest = rest.as_ref();
        let [rows, columns] = self.config.zeros(&x);
        let add = |y: Tensor| match rest {
            Some(rest) => y + rest,
            None => y,
        };
        if let Way::Depthwise(weight, bias) = &self.way {
            let bounds = match (rest, activation) {
                (None, Activation::LeakyRelu(0.0)) => Some([0.0, f64::INFINITY]),
                (None, Activation::Relu6) => Some([0.0, 6.0]),
                _ => None,
            };
            let y = ffi::depthwise(
                &x,
                [weight, bias],
                self.config.loops(&x),
                bounds.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]),
            );
            return if bounds.is_some() { y } else { activation.of(add(y)) };
        }
        let even = rows.0 == rows.1 && columns.0 == columns.1;
        let (x, pad) = if even {
            (x, [rows.0, columns.0])
        } else {
            (x.constant_pad_nd([columns.0, columns.1, rows.0, rows.1]), [0, 0])
        };
        let Way::OneDnn(packed) = &self.way else {
            let strides = [stride, stride];
            let y = x.conv2d(&self.weight, Some(&self.bias), strides, pad, [1, 1], groups);
            return activation.of(add(y));
        };
        let x = layout::channels_last(&x);
        let (size, shape) = (x.size4().expect("images"), [stride, groups, pad[0], pad[1]]);
        let mut packed = packed.borrow_mut();
        let (n, c, h, w) = size;
        if packed.as_ref().is_none_or(|(sides, _)| *sides != [h, w]) {
            *packed = Some(([h, w], ffi::conv_pack(&self.weight, [n, c, h, w], shape)));
        }
        let weight = &packed.as_ref().expect("packed above").1;
        let (name, numbers): (_, &[f64]) = match activation {
            Activation::None => (c"none", &[]),
            Activation::LeakyRelu(0.0) => (c"relu", &[]),
            Activation::LeakyRelu(slope) => (c"leaky_relu", &[slope]),
            Activation::Relu6 => (c"hardtanh", &[0.0, 6.0]),
            Activation::Swish => (c"swish", &[]),
        };
        let conv = |rest, then| ffi::conv(&x, [weight, &self.bias], rest, shape, then);
        // oneDNN adds nothing to a single row or column, whose strides could be those of many
        // layouts.
        let single = rest.is_some_and(|rest| rest.size()[2..].contains(&1));
        match (rest, activation) {
            (Some(_), _) if single => activation.of(add(conv(None, (c"none", &[])))),
            (None, _) | (_, Activation::None | Activation::LeakyRelu(0.0)) => {
                conv(rest, (name, numbers))
            }
            (Some(_), _) => activation.of(conv(rest, (c"none", &[]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{set_threads, threads};

    /// A convolution with the given settings, by libtorch and in one pass.
    fn both(config: ConvConfig, activation: Activation, add: bool, kind: Kind) -> [Tensor; 2] {
        let options = (Kind::Float, Device::Cpu);
        let wave = |shape: &[i64], step: f64| {
            let n = shape.iter().product::<i64>();
            (Tensor::arange(n, options) * step).sin().view(shape)
        };
        let ConvConfig { inputs, outputs, kernel, stride, groups, .. } = config;
        let weight = wave(&[outputs, inputs / groups, kernel, kernel], 1.7);
        let (scale, shift) = (wave(&[outputs], 2.3) + 1.5, wave(&[outputs], 0.9));
        let x = wave(&[2, inputs, 37, 40], 0.37) * 3.0;
        let [rows, columns] = config.zeros(&x);
        let padded = x.constant_pad_nd([columns.0, columns.1, rows.0, rows.1]);
        let strides = [stride, stride];
        let y = padded.conv2d(&weight, None::<&Tensor>, strides, [0, 0], [1, 1], groups);
        let y = y * scale.view([1, -1, 1, 1]) + shift.view([1, -1, 1, 1]);
        let rest = add.then(|| wave(&y.size(), 0.53));
        let expected = activation.of(rest.as_ref().map_or(y.shallow_clone(), |rest| y + rest));
        let folded = Folded::new(&weight, [&scale, &shift], config, activation, kind);
        let rest = rest.map(|rest| layout::channels_last(&rest.to_kind(kind)));
        [folded.forward(&x, rest.as_ref()).to_kind(Kind::Float), expected]
    }

    #[test]
    fn one_pass_gives_what_single_operations_give() {
        let before = threads();
        set_threads(3);
        let activations = [
            Activation::None,
            Activation::LeakyRelu(0.0),
            Activation::LeakyRelu(0.1),
            Activation::Relu6,
            Activation::Swish,
        ];
        let mut configs = vec![
            ConvConfig::new(5, 24, 3).stride(2),
            ConvConfig::new(24, 16, 1),
            ConvConfig { groups: 4, ..ConvConfig::new(16, 32, 3) },
            ConvConfig { padding: Padding::Symmetric(3), ..ConvConfig::new(3, 8, 7).stride(2) },
        ];
        // Whole vectors of channels and remainders, one and many threads.
        for channels in [3, 16, 40, 64, 90] {
            for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (3, 3)] {
                configs.push(ConvConfig::depthwise(channels, kernel).stride(stride));
            }
        }
        let padding = Padding::Symmetric(1);
        configs.push(ConvConfig { padding, ..ConvConfig::depthwise(32, 5).stride(2) });
        for config in configs {
            for (i, activation) in activations.into_iter().enumerate() {
                for (kind, bound) in [(Kind::Float, 1e-5), (Kind::BFloat16, 3e-2)] {
                    let [ours, theirs] = both(config, activation, i % 2 == 0, kind);
                    assert_eq!(ours.size(), theirs.size(), "{config:?}");
                    let norm = |t: &Tensor| t.norm().double_value(&[]);
                    let off = norm(&(ours - &theirs)) / norm(&theirs);
                    assert!(off < bound, "{config:?} {activation:?} {kind:?} is off by {off}");
                }
            }
        }
        set_threads(before);
    }
}
