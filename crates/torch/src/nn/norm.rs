//! Batch norm, and the activation behind it.

use tch::Tensor;

use crate::ffi::{self, NormRelu};
use crate::{Init, Mode, Role, Scope};

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
    /// `momentum` is PyTorch's (1 - TensorFlow's decay): the weight of the new batch in the running statistics.
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

    /// `[batch, channels, h, w]` to the same shape.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        // Without running statistics libtorch takes the batch's.
        let momentum = mode.momentum(self.momentum);
        let tracked = momentum.is_some() || !mode.batch_statistics();
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            tracked.then_some(&self.running_mean),
            tracked.then_some(&self.running_var),
            mode.batch_statistics(),
            momentum.unwrap_or(0.0),
            self.eps,
            true,
        )
    }

    /// The same and leaky ReLU behind it: `x` where it is positive, `slope · x` elsewhere; a slope of 0 is ReLU. On the CPU
    /// with batch statistics and channels last both are one operation, which has half the way to go through memory.
    pub fn forward_relu(&self, x: &Tensor, slope: f64, mode: Mode) -> Tensor {
        self.with_relu(x, slope, mode, true)
    }

    fn with_relu(&self, x: &Tensor, slope: f64, mode: Mode, loops: bool) -> Tensor {
        let (momentum, batch) = (mode.momentum(self.momentum), mode.batch_statistics());
        let tracked = momentum.is_some() || !batch;
        let running = tracked.then_some([&self.running_mean, &self.running_var]);
        let momentum = momentum.unwrap_or(0.0);
        let set = NormRelu { batch, momentum, eps: self.eps, slope, loops };
        ffi::norm_relu(x, [&self.weight, &self.bias], running, set)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::grad::{grad, grad_with_graph};
    use crate::{Params, foreach};

    /// What comes out of one of the two ways: output, gradients of input, weight and bias, running statistics.
    fn pass(shape: &[i64], kind: Kind, slope: f64, mode: Mode, loops: bool) -> Vec<Tensor> {
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
        let x = (wave(n, 1.7) + wave(n, 0.11) + 3.0).view(shape).to_kind(kind);
        let toward = (wave(n, 0.7) + 0.1).view(shape).to_kind(kind);
        let last = |x: Tensor| match shape.len() {
            4 => x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
            _ => x,
        };
        let x = last(x).set_requires_grad(true);
        let y = norm.with_relu(&x, slope, mode, loops);
        assert_eq!((y.size(), y.kind()), (shape.to_vec(), kind));
        (&y * last(toward)).sum(Kind::Float).backward();
        let mut found = vec![y, x.grad(), norm.weight.grad(), norm.bias.grad()];
        found.extend(["running_mean", "running_var"].map(|k| params.get(k).unwrap().copy()));
        found
    }

    /// Mean over all elements: where the ReLU bends, the last digit of its input decides over a gradient.
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
            for slope in [0.0, 0.1] {
                for mode in [Mode::Train, Mode::TrainUntracked, Mode::Calibrate(0), Mode::Eval] {
                    for (kind, bound) in [(Kind::Float, 1e-4), (Kind::BFloat16, 2e-2)] {
                        let ours = pass(shape, kind, slope, mode, true);
                        let theirs = pass(shape, kind, slope, mode, false);
                        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                            let far = distance(a, b);
                            assert!(
                                far < bound,
                                "{shape:?} {kind:?} {slope} {mode:?}: {i} is off by {far}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_moves_no_more_than_the_last_digits() {
        let pass = || pass(&[16, 32, 16, 16], Kind::Float, 0.1, Mode::Train, true);
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
        let found = |loops| {
            let make = |scope: &mut Scope<'_>| BatchNorm::new(scope, 2, 0.1, 1e-3);
            let (norm, _params) = Params::build(Device::Cpu, make);
            let x = (Tensor::arange(16, (Kind::Float, Device::Cpu)) * 1.3).sin();
            let x = x.view([2, 2, 2, 2]).contiguous().set_requires_grad(true);
            let last = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
            let y = norm.with_relu(&last, 0.1, Mode::TrainUntracked, loops);
            let slope = grad_with_graph(&(&y * &y * &y).sum(Kind::Float), &[&x]).swap_remove(0);
            grad(&(&slope * &slope).sum(Kind::Float), &[&x, &norm.weight, &norm.bias])
        };
        for (a, b) in found(true).iter().zip(&found(false)) {
            assert!(distance(a, b) < 1e-5, "{a} {b}");
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
}
