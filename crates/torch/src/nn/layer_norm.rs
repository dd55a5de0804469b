//! Layer norm.

use tch::Tensor;

use crate::graph::{Array, Graph, Operation, Value};
use crate::{Init, Role, Scope};

/// Layer normalisation over the last dimension (Ba et al. 2016).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Makes `weight` and `bias` `[width]`; `eps` is added to variances.
    pub fn new(scope: &mut Scope<'_>, width: i64, eps: f64) -> Self {
        Self {
            weight: scope.tensor("weight", &[width], Role::Norm, Init::Const(1.0)),
            bias: scope.tensor("bias", &[width], Role::Norm, Init::Const(0.0)),
            eps,
        }
    }

    /// A layer with this one's tensors, shared and not copied, for another place of the network.
    pub fn shared(&self) -> Self {
        let [weight, bias] = [&self.weight, &self.bias].map(Tensor::shallow_clone);
        Self { weight, bias, eps: self.eps }
    }

    /// Adds the layer to `graph`, applied to the tokens `x`, and gives its result.
    pub fn graph(&self, graph: &mut Graph, x: Value) -> Value {
        let (weight, bias) = (Array::of(&self.weight), Array::of(&self.bias));
        graph.push(Operation::LayerNorm { weight, bias, eps: self.eps }, &[x])
    }

    /// `[..., width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, true)
    }
}
