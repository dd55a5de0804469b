//! Batch norm, and the activation after it.

use tch::{Kind, Tensor};

use crate::device::tensor_on;
use crate::ffi::{self, NormRelu};
use crate::grad::no_grad;
use crate::graph::{Array, Graph, Operation, Value};
use crate::{Init, Mode, Role, Scope, group};

/// What follows: x times the slope below 0, and no more than `high`, which is infinite unless the
/// slope is 0.
#[derive(Clone, Copy, Debug)]
struct Bend {
    slope: f64,
    high: f64,
}

impl Bend {
    fn leaky(slope: f64) -> Self {
        Self { slope, high: f64::INFINITY }
    }
}

/// Batch normalisation over the channels of an image batch.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: f64,
    eps: f64,
}

impl BatchNorm {
    /// `momentum` is PyTorch's (1 - TensorFlow's decay): the weight of the new batch in the running
    /// statistics.
    pub fn new(scope: &mut Scope<'_>, channels: i64, momentum: f64, eps: f64) -> Self {
        Self {
            weight: scope.tensor("weight", &[channels], Role::Norm, Init::Const(1.0)),
            bias: scope.tensor("bias", &[channels], Role::Norm, Init::Const(0.0)),
            running_mean: scope.tensor("running_mean", &[channels], Role::Buffer, Init::Const(0.0)),
            running_var: scope.tensor("running_var", &[channels], Role::Buffer, Init::Const(1.0)),
            momentum,
            eps,
        }
    }

    /// Its tensors.
    pub(super) fn tensors(&self) -> [&Tensor; 4] {
        [&self.weight, &self.bias, &self.running_mean, &self.running_var]
    }

    /// Scale and shift of each channel, `[channels]`, by the running statistics.
    pub(super) fn affine(&self) -> [Tensor; 2] {
        let scale = &self.weight / (&self.running_var + self.eps).sqrt();
        let shift = &self.bias - &self.running_mean * &scale;
        [scale, shift]
    }

    /// Adds to `graph` the normalisation of `x` by the running statistics, followed by leaky ReLU,
    /// and gives its result.
    pub fn graph_relu(&self, graph: &mut Graph, x: Value, slope: f64) -> Value {
        let [scale, shift] = self.affine().each_ref().map(Array::of);
        let x = graph.push(Operation::Affine { scale, shift }, &[x]);
        graph.push(Operation::LeakyRelu(slope), &[x])
    }

    /// Normalises `x` `[batch, channels, h, w]`; the result has its shape.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        if mode.batch_statistics() && group::sync_batch_norm() {
            return self.over_all(x, mode);
        }
        let (running, momentum) = self.running(mode);
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            running.map(|[mean, _]| mean),
            running.map(|[_, var]| var),
            mode.batch_statistics(),
            momentum,
            self.eps,
            true,
        )
    }

    /// With the mean and the variance of all processes' batches together.
    fn over_all(&self, x: &Tensor, mode: Mode) -> Tensor {
        let (kind, channels) = (x.kind(), x.size()[1]);
        let x = x.to_kind(Kind::Float);
        let mut shape = vec![1; x.dim()];
        shape[1] = channels;
        let wide = |t: &Tensor| t.view(shape.as_slice());
        let axes: Vec<i64> = (0..x.dim() as i64).filter(|&axis| axis != 1).collect();
        let total = |t: &Tensor| t.sum_dim_intlist(axes.as_slice(), false, Kind::Float);
        let own = tensor_on(&[x.numel() as f32 / channels as f32], x.device());
        let sums = group::sum(&Tensor::cat(&[total(&x), own], 0));
        let (sum, count) = (sums.narrow(0, 0, channels), sums.narrow(0, channels, 1).detach());
        let mean = sum / &count;
        let off = x - wide(&mean);
        let var = group::sum(&total(&off.square())) / &count;
        if let Some(momentum) = mode.momentum(self.momentum) {
            no_grad(|| {
                let unbiased = &var * &count / (&count - 1.0);
                let _ = self.running_mean.shallow_clone().lerp_(&mean.detach(), momentum);
                let _ = self.running_var.shallow_clone().lerp_(&unbiased.detach(), momentum);
            });
        }
        let scale = &self.weight * (var + self.eps).rsqrt();
        (off * wide(&scale) + wide(&self.bias)).to_kind(kind)
    }

    /// Running mean and variance, where they are used or updated, and the weight of the batch in
    /// them. Without them libtorch takes those of the batch.
    fn running(&self, mode: Mode) -> (Option<[&Tensor; 2]>, f64) {
        let momentum = mode.momentum(self.momentum);
        let used = momentum.is_some() || !mode.batch_statistics();
        (used.then_some([&self.running_mean, &self.running_var]), momentum.unwrap_or(0.0))
    }

    /// Normalises `x` `[batch, channels, h, w]` and applies leaky ReLU, which multiplies what is
    /// negative by `slope`; a slope of 0 is ReLU. On the CPU with batch statistics and channels
    /// last both are one operation, which passes over memory half as often.
    pub fn forward_relu(&self, x: &Tensor, slope: f64, mode: Mode) -> Tensor {
        self.with_relu(x, [None, None], Bend::leaky(slope), mode, true)
    }

    /// Normalises `x` `[batch, channels, h, w]` and applies ReLU6, which keeps the result between 0
    /// and 6; one operation where [`forward_relu`](Self::forward_relu) is one.
    pub fn forward_relu6(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.with_relu(x, [None, None], Bend { slope: 0.0, high: 6.0 }, mode, true)
    }

    /// The last part of a residual block: the normalised branch is multiplied by `keep`, one factor
    /// for each sample `[batch]` ([`survival`](super::survival)), and `rest` is added before the
    /// leaky ReLU. All in one operation where [`forward_relu`](Self::forward_relu) is one.
    pub fn forward_residual(
        &self,
        x: &Tensor,
        rest: &Tensor,
        keep: Option<&Tensor>,
        slope: f64,
        mode: Mode,
    ) -> Tensor {
        self.with_relu(x, [Some(rest), keep], Bend::leaky(slope), mode, true)
    }

    fn with_relu(
        &self,
        x: &Tensor,
        residual: [Option<&Tensor>; 2],
        Bend { slope, high }: Bend,
        mode: Mode,
        loops: bool,
    ) -> Tensor {
        if let [_, Some(keep)] = residual {
            assert_eq!(keep.size(), &x.size()[..1], "a factor for each sample of {:?}", x.size());
        }
        if mode.batch_statistics() && group::sync_batch_norm() {
            let [rest, keep] = residual;
            let y = self.over_all(x, mode);
            let y = match keep {
                None => y,
                Some(keep) => {
                    let mut shape = vec![1; x.dim()];
                    shape[0] = -1;
                    y * keep.to_kind(x.kind()).view(shape.as_slice())
                }
            };
            let y = rest.map_or(y.shallow_clone(), |rest| &y + rest);
            return match slope {
                0.0 if high < f64::INFINITY => y.clamp(0.0, high),
                0.0 => y.relu(),
                1.0 => y,
                _ => y.maximum(&(&y * slope)),
            };
        }
        let (running, momentum) = self.running(mode);
        let set = NormRelu {
            batch: mode.batch_statistics(),
            momentum,
            eps: self.eps,
            slope,
            high,
            loops,
        };
        ffi::norm_relu(x, [&self.weight, &self.bias], running, residual, set)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::grad::{grad, grad_with_graph};
    use crate::{Params, foreach};

    /// What comes out of one of the two ways: output, gradients of input, weight and bias, running
    /// statistics; of a block also the gradient of what is added. What goes in are numbers that the
    /// first kind has, as tensors of the second.
    fn pass(
        shape: &[i64],
        [numbers, kind]: [Kind; 2],
        block: bool,
        bend: Bend,
        mode: Mode,
        loops: bool,
    ) -> Vec<Tensor> {
        let options = (Kind::Float, Device::Cpu);
        let make = |scope: &mut Scope<'_>| BatchNorm::new(scope, shape[1], 0.3, 1e-3);
        let (norm, params) = Params::build(Device::Cpu, make);
        let wave = |n: i64, step: f64| (Tensor::arange(n, options) * step).sin();
        let n: i64 = shape.iter().product();
        crate::no_grad(|| {
            foreach::copy(
                &[norm.weight.shallow_clone(), norm.bias.shallow_clone()],
                &[wave(shape[1], 2.0) + 1.1, wave(shape[1], 3.0)],
            );
        });
        let last = |x: Tensor| match shape.len() {
            4 => x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
            _ => x,
        };
        let like = |t: Tensor| last(t.view(shape).to_kind(numbers).to_kind(kind));
        let x = like(wave(n, 1.7) + wave(n, 0.11) + 3.0).set_requires_grad(true);
        let toward = like(wave(n, 0.7) + 0.1);
        let rest = like(wave(n, 0.3)).set_requires_grad(true);
        // Every other sample is dropped, the others count double.
        let keep = (Tensor::arange(shape[0], options).remainder(2.0)) * 2.0;
        let residual = if block { [Some(&rest), Some(&keep)] } else { [None, None] };
        let y = norm.with_relu(&x, residual, bend, mode, loops);
        assert_eq!((y.size(), y.kind()), (shape.to_vec(), kind));
        (&y * toward).sum(Kind::Float).backward();
        let mut found = vec![y, x.grad(), norm.weight.grad(), norm.bias.grad()];
        found.extend(["running_mean", "running_var"].map(|k| params.get(k).unwrap().copy()));
        found.extend(block.then(|| rest.grad()));
        found
    }

    /// Mean over all elements: where the ReLU bends, the last digit of its input decides over a
    /// gradient.
    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        let [a, b] = [a, b].map(|t| t.detach().to_kind(Kind::Double));
        let mean = |t: Tensor| t.abs().mean(Kind::Double).double_value(&[]);
        mean(&a - &b) / mean(b).max(1e-3)
    }

    #[test]
    fn one_operation_gives_what_two_give() {
        let shapes: [&[i64]; 6] = [
            &[5, 3, 4, 4],
            &[33, 24, 7, 5],
            &[3, 640, 2, 2],
            &[2, 1, 1, 1],
            &[40, 16],
            &[70, 32, 32, 32],
        ];
        for shape in shapes {
            let (relu, leaky) = (Bend::leaky(0.0), Bend::leaky(0.1));
            // A bound that some of the values reach. Among millions of them there is one that the
            // last digit puts on the other side of it.
            let held = Bend { slope: 0.0, high: 2.0 };
            let bends = if shape[0] < 70 { vec![relu, leaky, held] } else { vec![relu, leaky] };
            for (bend, block) in bends.into_iter().flat_map(|bend| [(bend, false), (bend, true)]) {
                for mode in [Mode::Train, Mode::TrainUntracked, Mode::Calibrate(0), Mode::Eval] {
                    for (kind, bound) in [(Kind::Float, 1e-4), (Kind::BFloat16, 2e-2)] {
                        let ours = pass(shape, [kind, kind], block, bend, mode, true);
                        // Between two operations libtorch rounds, and a rounded number may reach
                        // the bound that it was below.
                        let exact = if mode.batch_statistics() { Kind::Float } else { kind };
                        let theirs = pass(shape, [kind, exact], block, bend, mode, false);
                        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                            let far = distance(a, b);
                            let what = format!("{shape:?} {kind:?} {bend:?} {block} {mode:?}: {i}");
                            assert!(far < bound, "{what} is off by {far}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_moves_no_more_than_the_last_digits() {
        let pass =
            || pass(&[16, 32, 16, 16], [Kind::Float; 2], true, Bend::leaky(0.1), Mode::Train, true);
        let before = crate::device::threads();
        crate::device::set_threads(1);
        let [one, again] = [pass(), pass()];
        crate::device::set_threads(3);
        let three = pass();
        crate::device::set_threads(before);
        assert!(one.iter().zip(&again).all(|(a, b)| a == b));
        assert!(one.iter().zip(&three).all(|(a, b)| distance(a, b) < 1e-6));
    }

    #[test]
    fn gradients_of_gradients_are_those_of_two() {
        let found = |bend, block, loops| {
            let make = |scope: &mut Scope<'_>| BatchNorm::new(scope, 2, 0.1, 1e-3);
            let (norm, _params) = Params::build(Device::Cpu, make);
            let x = (Tensor::arange(16, (Kind::Float, Device::Cpu)) * 1.3).sin();
            let x = x.view([2, 2, 2, 2]).contiguous().set_requires_grad(true);
            let last = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
            let keep = Tensor::from_slice(&[0.5f32, 2.0]);
            let residual = if block { [Some(&last), Some(&keep)] } else { [None, None] };
            let y = norm.with_relu(&last, residual, bend, Mode::TrainUntracked, loops);
            let slope = grad_with_graph(&(&y * &y * &y).sum(Kind::Float), &[&x]).swap_remove(0);
            grad(&(&slope * &slope).sum(Kind::Float), &[&x, &norm.weight, &norm.bias])
        };
        for bend in [Bend::leaky(0.1), Bend { slope: 0.0, high: 0.5 }] {
            for block in [false, true] {
                let [ours, theirs] = [true, false].map(|loops| found(bend, block, loops));
                for (a, b) in ours.iter().zip(&theirs) {
                    assert!(distance(a, b) < 1e-5, "{bend:?} {block}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn far_from_nought_no_digit_of_the_variance_is_lost() {
        let options = (Kind::Float, Device::Cpu);
        let make = |scope: &mut Scope<'_>| BatchNorm::new(scope, 8, 0.1, 0.0);
        let (norm, _params) = Params::build(Device::Cpu, make);
        let x = (Tensor::arange(80_000, options) * 1.7).sin().view([-1, 8]) + 4096.0;
        let exact = x.to_kind(Kind::Double);
        let mean = exact.mean_dim([0i64].as_slice(), false, None);
        let wanted = (&exact - mean) / exact.var_dim([0i64].as_slice(), false, false).sqrt();
        // A slope of 1 is no ReLU at all.
        let found = norm.forward_relu(&x, 1.0, Mode::TrainUntracked);
        assert!(distance(&found, &wanted) < 1e-3, "{found} {wanted}");
    }

    fn of_eight_channels() -> BatchNorm {
        Params::build(Device::Cpu, |scope| BatchNorm::new(scope, 8, 0.1, 1e-5)).0
    }

    /// Images whose channels are last in memory, as the loops take them.
    fn images(n: i64, channels: i64) -> Tensor {
        Tensor::ones([n, 3, 3, channels], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2])
    }

    #[test]
    #[should_panic(expected = "running_mean should contain 12 elements not 8")]
    fn more_channels_are_refused() {
        let _ = of_eight_channels().forward_relu(&images(2, 12), 0.0, Mode::Train);
    }

    #[test]
    #[should_panic(expected = "running_mean should contain 4 elements not 8")]
    fn fewer_channels_are_refused() {
        let _ = of_eight_channels().forward_relu(&images(2, 4), 0.0, Mode::Train);
    }

    #[test]
    #[should_panic(expected = "a factor for each sample")]
    fn factors_of_other_samples_are_refused() {
        let (x, keep) = (images(4, 8), Tensor::from_slice(&[1f32]));
        let _ = of_eight_channels().forward_residual(&x, &x, Some(&keep), 0.0, Mode::Train);
    }
}
