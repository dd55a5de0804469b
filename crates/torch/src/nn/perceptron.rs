//! A multi-layer perceptron.

use tch::Tensor;

use super::Linear;
use crate::{Features, Init, Mode, Scope};

/// A multi-layer perceptron with ReLUs: `[batch, inputs]` to logits `[batch, outputs]`.
///
/// Tensors are `hidden.0.weight`, `hidden.0.bias`, ..., `head.weight`, `head.bias`; weights of
/// hidden layers are drawn from N(0, 2 / inputs) (He et al. 2015), those of the head from N(0, 1 /
/// inputs).
pub struct Perceptron {
    hidden: Vec<Linear>,
    head: Linear,
}

impl Perceptron {
    /// `widths` are those of the hidden layers.
    pub fn new(scope: &mut Scope<'_>, mut inputs: i64, widths: &[i64], outputs: i64) -> Self {
        let mut hidden = Vec::new();
        for (i, &width) in widths.iter().enumerate() {
            let init = Init::Normal { std: (2.0 / inputs as f64).sqrt() };
            let mut scope = scope.sub(format!("hidden.{i}"));
            hidden.push(Linear::with_init(&mut scope, inputs, width, init));
            inputs = width;
        }
        let init = Init::Normal { std: (1.0 / inputs as f64).sqrt() };
        Self { hidden, head: Linear::with_init(&mut scope.sub("head"), inputs, outputs, init) }
    }
}

impl Features for Perceptron {
    fn forward_features(&self, x: &Tensor, _mode: Mode) -> Tensor {
        self.hidden.iter().fold(x.shallow_clone(), |x, layer| layer.forward(&x).relu())
    }

    fn classifier(&self) -> &Linear {
        &self.head
    }
}
