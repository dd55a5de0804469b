//! A convolution.

use tch::{Device, Kind, Tensor};

use super::activation::Activation;
use super::conv_config::{ConvConfig, LANES};
use super::folded::Folded;
use crate::graph::{Graph, Value};
use crate::precision::convolution_kind;
use crate::{Init, Role, Scope, ffi, flops, layout};

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
        let y = if self.loops_fit(x) {
            let x = x.to_kind(convolution_kind(Device::Cpu));
            ffi::depthwise_train(&x, &self.weight, self.config.loops(&x))
        } else {
            self.by_libtorch(x)
        };
        self.count(&y, x);
        y
    }

    /// Whether the shim's loops can do it.
    fn loops_fit(&self, x: &Tensor) -> bool {
        let kinds = [Kind::Float, Kind::BFloat16].contains(&x.kind());
        let ours = self.config.has_loops() && self.config.inputs >= LANES && self.bias.is_none();
        let here = x.device() == Device::Cpu && self.weight.kind() == Kind::Float;
        ours && here && kinds && x.numel() > 0
    }

    /// Channels are last in memory in what comes out, whatever they are in `x`: batch norm and
    /// pooling behind it are made for that, and libtorch's convolutions are faster so.
    fn by_libtorch(&self, x: &Tensor) -> Tensor {
        let ConvConfig { stride, groups, .. } = self.config;
        let x = &layout::channels_last(x);
        let conv = |x: &Tensor, pad: [i64; 2]| {
            x.conv2d(&self.weight, self.bias.as_ref(), [stride, stride], pad, [1, 1], groups)
        };
        let [(top, bottom), (left, right)] = self.config.zeros(x);
        if top == bottom && left == right {
            conv(x, [top, left])
        } else {
            conv(&x.constant_pad_nd([left, right, top, bottom]), [0, 0])
        }
    }

    /// Counts the arithmetic that gave `y` of `x`.
    pub(super) fn count(&self, y: &Tensor, x: &Tensor) {
        let ConvConfig { inputs, kernel, groups, .. } = self.config;
        flops::count(y, x, &self.weight, inputs / groups * kernel * kernel);
    }

    /// Its tensors.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.weight).chain(&self.bias)
    }

    /// Adds the layer to `graph`, applied to `x`, and gives its result. Panics in networks that are
    /// not for [inference](crate::Inference).
    pub fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        self.folded.as_ref().expect("a network for inference").graph(graph, x, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Params;
    use crate::device::{set_threads, threads};
    use crate::grad::{grad, grad_with_graph};
    use crate::nn::Padding;

    fn wave(shape: &[i64], step: f64) -> Tensor {
        let n = shape.iter().product::<i64>();
        (Tensor::arange(n, (Kind::Float, Device::Cpu)) * step).sin().view(shape)
    }

    fn depthwise(config: ConvConfig) -> (Conv2d, Params) {
        Params::build(Device::Cpu, |scope| Conv2d::new(scope, config))
    }

    /// What comes out of a convolution of images: output, gradients of the images and of the
    /// kernels. Both bfloat16 and float32 have the numbers that go in.
    fn pass(conv: &Conv2d, run: impl Fn(&Conv2d, &Tensor) -> Tensor) -> [Tensor; 3] {
        let short = |t: Tensor| t.to_kind(Kind::BFloat16).to_kind(Kind::Float);
        let x = short(wave(&[19, conv.config.inputs, 11, 14], 0.37)).set_requires_grad(true);
        let y = run(conv, &x);
        let toward = short(wave(&y.size(), 0.73));
        let [dx, dw]: [Tensor; 2] = grad(&(&y * toward).sum(Kind::Float), &[&x, &conv.weight])
            .try_into()
            .expect("two gradients");
        [y, dx, dw]
    }

    #[test]
    fn loops_over_depthwise_kernels_give_what_libtorch_gives() {
        for channels in [16, 40, 90] {
            for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
                for padding in
                    [Padding::Same, Padding::Symmetric(kernel / 2), Padding::Symmetric(0)]
                {
                    let config = ConvConfig::depthwise(channels, kernel).stride(stride);
                    let (conv, _params) = depthwise(ConvConfig { padding, ..config });
                    assert!(conv.loops_fit(&wave(&[1, channels, 8, 8], 1.0)));
                    let exact = pass(&conv, |conv, x| conv.by_libtorch(x));
                    let ours = pass(&conv, Conv2d::forward);
                    for (a, b) in ours.iter().zip(&exact) {
                        let off = (a - b).norm().double_value(&[]) / b.norm().double_value(&[]);
                        assert_eq!(a.size(), b.size());
                        assert!(off < 1e-5, "{config:?} is off by {off}");
                    }
                    let rough = crate::precision::autocast(
                        crate::precision::Precision::Bfloat16,
                        Device::Cpu,
                        || pass(&conv, Conv2d::forward),
                    );
                    assert_eq!(rough[0].kind(), Kind::BFloat16);
                    for (a, b) in rough.iter().zip(&exact) {
                        let off = a.to_kind(Kind::Float) - b;
                        let off = off.norm().double_value(&[]) / b.norm().double_value(&[]);
                        assert!(off < 5e-3, "{config:?} in bfloat16 is off by {off}");
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "a side of 2 is too short for a kernel of 3")]
    fn images_smaller_than_the_kernel_are_refused() {
        let config = ConvConfig::depthwise(16, 3).stride(2);
        let (conv, _params) = depthwise(ConvConfig { padding: Padding::Symmetric(0), ..config });
        let _ = conv.forward(&wave(&[1, 16, 8, 2], 1.0));
    }

    #[test]
    fn channels_come_out_last_whatever_comes_in() {
        for groups in [1, 4] {
            let config = ConvConfig { groups, ..ConvConfig::new(4, 8, 3) };
            let (conv, _params) = depthwise(config);
            let x = wave(&[2, 4, 6, 5], 0.37);
            assert!(x.is_contiguous());
            let y = conv.forward(&x);
            assert_eq!(y.stride(), [6 * 5 * 8, 1, 5 * 8, 8]);
            // The rows that a mask leaves.
            let rows = Tensor::from_slice(&[1_i64]);
            let some = conv.forward(&layout::channels_last(&x).index_select(0, &rows));
            assert_eq!(some.stride()[1], 1);
            assert!(some.allclose(&y.narrow(0, 1, 1), 1e-5, 1e-6, false));
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (conv, _params) = depthwise(ConvConfig::depthwise(72, 5).stride(2));
        let before = threads();
        set_threads(1);
        let one = pass(&conv, Conv2d::forward);
        set_threads(3);
        let three = pass(&conv, Conv2d::forward);
        set_threads(before);
        assert_eq!(one, three);
    }

    #[test]
    fn gradients_of_gradients_are_libtorchs() {
        let (conv, _params) = depthwise(ConvConfig::depthwise(16, 3).stride(2));
        let found = |run: fn(&Conv2d, &Tensor) -> Tensor| {
            let x = wave(&[2, 16, 6, 6], 0.37).set_requires_grad(true);
            let y = run(&conv, &x);
            let slope = grad_with_graph(&(&y * &y * &y).sum(Kind::Float), &[&x]).swap_remove(0);
            grad(&(&slope * &slope).sum(Kind::Float), &[&x, &conv.weight])
        };
        let (ours, theirs) = (found(Conv2d::forward), found(Conv2d::by_libtorch));
        for (a, b) in ours.iter().zip(&theirs) {
            assert!(a.allclose(b, 1e-4, 1e-4, false), "{a} {b}");
        }
    }
}
