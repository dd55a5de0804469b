//! Gradients inside a step, as virtual adversarial training needs them.

use tch::Tensor;

/// The gradients of the scalar `y` with respect to each of `xs`, in their order and shapes.
/// Parameters' own `.grad` stay as they are. The graph of `y` is freed. Panics if `y` is not a
/// scalar or does not depend on one of `xs`.
///
/// ```
/// use torch::{Tensor, grad::grad};
///
/// let x = Tensor::from_slice(&[1f32, 2.0]).set_requires_grad(true);
/// let y = (&x * &x).sum(torch::Kind::Float);
/// assert_eq!(grad(&y, &[&x])[0], Tensor::from_slice(&[2f32, 4.0]));
/// ```
pub fn grad(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    assert_eq!(y.numel(), 1, "a gradient is of a scalar, not of {:?}", y.size());
    Tensor::run_backward(&[y], xs, false, false)
}

/// The same, keeping the graph of `y`, for when `y` is minimised afterwards.
pub fn grad_keeping_graph(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    assert_eq!(y.numel(), 1, "a gradient is of a scalar, not of {:?}", y.size());
    Tensor::run_backward(&[y], xs, true, false)
}

/// The same; the gradients have a graph, so that gradients of them can be taken. The graph of `y`
/// is kept.
///
/// ```
/// use torch::{Tensor, grad::{grad, grad_with_graph}};
///
/// let x = Tensor::from_slice(&[1f32, 2.0]).set_requires_grad(true);
/// let y = (&x * &x * &x).sum(torch::Kind::Float);
/// let slope = grad_with_graph(&y, &[&x]).swap_remove(0);
/// let curvature = grad(&slope.sum(torch::Kind::Float), &[&x]).swap_remove(0);
/// assert_eq!(curvature, Tensor::from_slice(&[6f32, 12.0]));
/// ```
pub fn grad_with_graph(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    assert_eq!(y.numel(), 1, "a gradient is of a scalar, not of {:?}", y.size());
    Tensor::run_backward(&[y], xs, true, true)
}
