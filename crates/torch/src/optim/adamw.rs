//! Adam with decoupled weight decay.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::slot::{DecayOn, Slot};
use crate::ffi;

/// AdamW as PyTorch's (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2): with bias
/// correction, ε outside the root, and w ← (1 − η·`weight_decay`)·w before the step. Without bias
/// correction it is the Adam of BERT's code, which ELECTRA and UDA for text use too
/// ([`AdamW::bert`]).
///
/// | key | default | purpose |
/// |---|---|---|
/// | `beta1` | 0.9 | how much of the mean gradient stays |
/// | `beta2` | 0.999 | how much of the mean square stays |
/// | `eps` | 1e-8 | ε |
/// | `bias_correction` | true | whether the means are corrected for their start at 0 |
/// | `weight_decay` | 0.01 | decoupled from the gradient |
/// | `decay_on` | `kernels` | which tensors decay |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// How much of the mean gradient stays.
    pub beta1: f64,
    /// How much of the mean square stays.
    pub beta2: f64,
    /// ε.
    pub eps: f64,
    /// Whether the means are corrected for their start at 0.
    pub bias_correction: bool,
    /// The share of w, times the learning rate, that a step takes away.
    pub weight_decay: f64,
    /// Which tensors decay.
    pub decay_on: DecayOn,
}

impl Default for AdamW {
    fn default() -> Self {
        let decay_on = DecayOn::Kernels;
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            bias_correction: true,
            weight_decay: 0.01,
            decay_on,
        }
    }
}

impl AdamW {
    /// AdamW as BERT, ELECTRA and UDA for text have it: no bias correction, ε = 1e-6.
    pub fn bert() -> Self {
        Self { eps: 1e-6, bias_correction: false, ..Self::default() }
    }

    /// The kernels count steps for each parameter, in float32: exact up to 16.7 million.
    pub(super) fn slots(params: &[Tensor]) -> Vec<Slot> {
        let count = |p: &Tensor| Tensor::zeros([1], (Kind::Float, p.device()));
        let counts = Slot { name: "steps", tensors: params.iter().map(count).collect() };
        vec![Slot::like(params, "mean", 0.0), Slot::like(params, "mean_square", 0.0), counts]
    }

    pub(super) fn step(
        &self,
        params: &[Tensor],
        slots: &[Slot],
        each: [&[f64]; 2],
        lr: f64,
        loops: bool,
    ) {
        let [mean, square, steps] = [0, 1, 2].map(|i| slots[i].tensors.as_slice());
        let &AdamW { beta1, beta2, eps, bias_correction: corrected, .. } = self;
        let constants = ffi::optim::AdamWStep { lr, beta1, beta2, eps, corrected, loops };
        ffi::optim::adamw(params, mean, square, steps, each, constants);
    }
}
