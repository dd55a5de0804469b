//! Activations that follow a convolution.

use tch::Tensor;

use crate::graph::{Graph, Operation, Value};

/// What follows a convolution and batch norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// x where it is positive, this times x elsewhere; with 0 it is ReLU.
    LeakyRelu(f64),
    /// x, but at least 0 and at most 6.
    Relu6,
    /// x · sigmoid(x).
    Swish,
}

impl Activation {
    /// Adds the activation to `graph`, applied to `x`, and gives its result.
    pub fn graph(self, graph: &mut Graph, x: Value) -> Value {
        match self {
            Activation::None => x,
            Activation::LeakyRelu(slope) => graph.push(Operation::LeakyRelu(slope), &[x]),
            Activation::Relu6 => graph.push(Operation::Relu6, &[x]),
            Activation::Swish => {
                let gate = graph.push(Operation::Sigmoid, &[x]);
                graph.push(Operation::Mul, &[x, gate])
            }
        }
    }

    /// Changes `x` in place where it can.
    pub(super) fn of(self, mut x: Tensor) -> Tensor {
        match self {
            Activation::None => x,
            Activation::LeakyRelu(0.0) => x.relu_(),
            Activation::LeakyRelu(slope) => x.maximum(&(&x * slope)),
            Activation::Relu6 => x.relu6_(),
            // Its gradient needs what it is of.
            Activation::Swish if x.requires_grad() => x.silu(),
            Activation::Swish => x.silu_(),
        }
    }
}
