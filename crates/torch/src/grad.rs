//! Gradients inside a step, as virtual adversarial training needs them, and whether there are any.

use tch::Tensor;

/// The gradients of the scalar `y` with respect to each of `xs`, in their order and shapes.
/// Parameters' own `.grad` stay as they are. The graph of `y` is freed. Panics if `y` is not a
/// scalar, has no graph ([`no_grad`]), or does not depend on one of `xs`.
///
/// ```
/// use torch::{Tensor, grad::grad};
///
/// let x = Tensor::from_slice(&[1f32, 2.0]).set_requires_grad(true);
/// let y = (&x * &x).sum(torch::Kind::Float);
/// assert_eq!(grad(&y, &[&x])[0], Tensor::from_slice(&[2f32, 4.0]));
/// ```
pub fn grad(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    all(grads(y, xs, GraphUse::Freed))
}

/// The gradients of `y` by `xs`, as [`grad`] gives them, but with a graph, so that gradients of
/// them can be taken. The graph of `y` is kept.
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
    all(grads(y, xs, GraphUse::Grown))
}

/// What becomes of the graph of a scalar whose gradients are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphUse {
    /// It is gone.
    Freed,
    /// It is kept, for when the scalar is minimised afterwards.
    Kept,
    /// It is kept, and the gradients have one too.
    Grown,
}

/// The gradients of the scalar `y` with respect to each of `xs`; none with respect to those that it
/// does not depend on. Parameters' own `.grad` stay as they are. Panics if `y` is not a scalar or
/// has no graph ([`no_grad`]).
pub fn grads(y: &Tensor, xs: &[&Tensor], graph: GraphUse) -> Vec<Option<Tensor>> {
    assert_eq!(y.numel(), 1, "a gradient is of a scalar, not of {:?}", y.size());
    assert!(
        y.requires_grad(),
        "a gradient of what has no graph: nothing that it was computed from requires one, or it \
         was computed under no_grad"
    );
    let found = Tensor::run_backward(&[y], xs, graph != GraphUse::Freed, graph == GraphUse::Grown);
    found.into_iter().map(|gradient| Some(gradient).filter(Tensor::defined)).collect()
}

fn all(found: Vec<Option<Tensor>>) -> Vec<Tensor> {
    let each = found.into_iter().enumerate();
    each.map(|(i, gradient)| {
        gradient.unwrap_or_else(|| panic!("the scalar does not depend on tensor {i}"))
    })
    .collect()
}

/// Runs `body` without gradients: what it computes has no graph. Whether there are gradients
/// afterwards is as before, after a panic in `body` too.
///
/// ```
/// use torch::{Kind, Tensor, no_grad};
///
/// let x = Tensor::from_slice(&[1f32]).set_requires_grad(true);
/// let caught = std::panic::catch_unwind(|| no_grad(|| panic!("a mistake")));
/// assert!(caught.is_err() && (&x * 2.0).requires_grad());
/// assert!(!no_grad(|| &x * 2.0).requires_grad());
/// ```
pub fn no_grad<T>(body: impl FnOnce() -> T) -> T {
    let _restores = tch::no_grad_guard();
    body()
}

/// Runs `body` with gradients, where [`no_grad`] surrounds it too: for methods whose loss needs a
/// gradient on its way, also where it is only measured.
///
/// ```
/// use torch::grad::{grad, with_grad};
/// use torch::{Kind, Tensor, no_grad};
///
/// let slope = no_grad(|| {
///     let x = Tensor::from_slice(&[3f32]).set_requires_grad(true);
///     with_grad(|| grad(&x.square().sum(Kind::Float), &[&x]).swap_remove(0))
/// });
/// assert_eq!(slope, Tensor::from_slice(&[6f32]));
/// ```
pub fn with_grad<T>(body: impl FnOnce() -> T) -> T {
    tch::with_grad(body)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    #[should_panic(expected = "has no graph")]
    fn of_what_has_no_graph() {
        let x = Tensor::from_slice(&[1f32, 2.0]).set_requires_grad(true);
        grad(&no_grad(|| (&x * 2.0).sum(Kind::Float)), &[&x]);
    }

    #[test]
    #[should_panic(expected = "does not depend on tensor 1")]
    fn of_what_does_not_depend() {
        let [x, z] = [1f32, 2.0].map(|v| Tensor::from_slice(&[v]).set_requires_grad(true));
        grad(&(&x * 2.0).sum(Kind::Float), &[&x, &z]);
    }
}
