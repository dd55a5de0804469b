//! Adafactor, which keeps a sum a row and a column in place of a number a weight.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::grad::no_grad;

use super::slot::Slot;

/// Adafactor (Shazeer & Stern 2018, arXiv 1804.04235) as tensor2tensor's. With t the number of
/// steps taken before:
///
/// β₂ = 1 − (t + 1)^−`decay`, and s = g² + `eps`. Of a tensor with two or more dimensions, R and C
/// are averages with β₂ of the means of s over the last dimension and over the one before, and u =
/// g / √((R / mean R) · C); of others V is one of s itself, and u = g / √V. Then u ← u / max(1,
/// rms(u) / `clip`), and w ← w − η · max(`least_scale`, rms(w)) · u; with `beta1`, an average of
/// such steps is subtracted. Root mean squares are those of whole tensors. The first step has no
/// history, for its β₂ is 0.
///
/// | key | default | purpose |
/// |---|---|---|
/// | `decay` | 0.8 | how fast β₂ grows |
/// | `eps` | 1e-30 | added to squares of gradients |
/// | `least_scale` | 1e-3 | least size of a tensor that steps are measured by |
/// | `clip` | 1.0 | largest root mean square of u |
/// | `beta1` | 0 | how much of the mean step stays; 0 keeps none |
/// | `scaled` | true | whether steps are measured by the size of the tensor; if not, w ← w − η · u |
///
/// There is no weight decay. Meena is trained with the defaults and
/// `train::Schedule::RsqrtDecay`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adafactor {
    /// How fast β₂ grows.
    pub decay: f64,
    /// Added to squares of gradients.
    pub eps: f64,
    /// Least size of a tensor that steps are measured by.
    pub least_scale: f64,
    /// Largest root mean square of a step before it is scaled.
    pub clip: f64,
    /// How much of the mean step stays; 0 keeps none.
    pub beta1: f64,
    /// Whether steps are measured by the size of the tensor.
    pub scaled: bool,
}

impl Default for Adafactor {
    fn default() -> Self {
        Self { decay: 0.8, eps: 1e-30, least_scale: 1e-3, clip: 1.0, beta1: 0.0, scaled: true }
    }
}

/// The root of the mean square of all numbers.
fn rms(x: &Tensor) -> Tensor {
    x.square().mean(Kind::Float).sqrt()
}

impl Adafactor {
    /// Rows (of a vector all numbers), columns (of a vector nothing), and the mean step if one is
    /// kept.
    pub(super) fn slots(&self, params: &[Tensor]) -> Vec<Slot> {
        let zeros = |name, shape: &dyn Fn(Vec<i64>) -> Vec<i64>| {
            let one = |p: &Tensor| Tensor::zeros(shape(p.size()), (p.kind(), p.device()));
            Slot { name, tensors: params.iter().map(one).collect() }
        };
        let rows = zeros("rows", &|mut shape| {
            shape.truncate(if shape.len() < 2 { 1 } else { shape.len() - 1 });
            shape
        });
        let columns = zeros("columns", &|mut shape| match shape.len() {
            0 | 1 => vec![0],
            n => {
                shape.remove(n - 2);
                shape
            }
        });
        let mut slots = vec![rows, columns];
        if self.beta1 > 0.0 {
            slots.push(Slot::like(params, "momentum", 0.0));
        }
        slots
    }

    /// The step after `steps` others.
    pub(super) fn step(
        &self,
        params: &[Tensor],
        slots: &[Slot],
        rates: &[f64],
        lr: f64,
        steps: i64,
    ) {
        let weight = (steps as f64 + 1.0).powf(-self.decay);
        no_grad(|| {
            for (i, p) in params.iter().enumerate() {
                let gradient = p.grad();
                if !gradient.defined() {
                    continue;
                }
                let own: Vec<Tensor> = slots.iter().map(|s| s.tensors[i].shallow_clone()).collect();
                let step = self.change(p, &gradient, own, weight, lr * rates[i]);
                let _ = p.shallow_clone().g_sub_(&step);
            }
        });
    }

    /// What is subtracted; `weight` is 1 − β₂.
    fn change(
        &self,
        p: &Tensor,
        gradient: &Tensor,
        mut own: Vec<Tensor>,
        weight: f64,
        lr: f64,
    ) -> Tensor {
        let square = gradient.square().g_add_scalar_(self.eps);
        let mut u = if p.dim() < 2 {
            let _ = own[0].lerp_(&square, weight);
            gradient * own[0].rsqrt()
        } else {
            let mean = |x: &Tensor, dim: i64, keep| x.mean_dim([dim].as_slice(), keep, Kind::Float);
            let _ = own[0].lerp_(&mean(&square, -1, false), weight);
            let _ = own[1].lerp_(&mean(&square, -2, false), weight);
            let rows = (&own[0] / mean(&own[0], -1, true)).rsqrt().unsqueeze(-1);
            gradient * rows * own[1].rsqrt().unsqueeze(-2)
        };
        let mut factor = (rms(&u) / self.clip).clamp_min(1.0).reciprocal() * lr;
        if self.scaled {
            factor *= rms(p).clamp_min(self.least_scale);
        }
        u *= factor;
        match own.get_mut(2) {
            Some(momentum) => momentum.lerp_(&u, 1.0 - self.beta1),
            None => u,
        }
    }
}
