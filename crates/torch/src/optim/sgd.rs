//! Stochastic gradient descent with momentum.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::slot::{DecayOn, Slot};
use crate::ffi;

/// SGD as PyTorch's (no dampening): m ← μm + g, then w ← w − η·m, with Nesterov's momentum w ← w −
/// η·(g + μm).
///
/// | key | default | purpose |
/// |---|---|---|
/// | `momentum` | 0.9 | μ; 0 keeps no state |
/// | `nesterov` | true | Nesterov's momentum |
/// | `weight_decay` | 5e-4 | added to the gradient as `weight_decay · w` (FixMatch, arXiv 2001.07685, table 4) |
/// | `decay_on` | `kernels` | which tensors decay |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// μ.
    pub momentum: f64,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
    /// The factor of w that is added to its gradient.
    pub weight_decay: f64,
    /// Which tensors decay.
    pub decay_on: DecayOn,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: true, weight_decay: 5e-4, decay_on: DecayOn::Kernels }
    }
}

impl Sgd {
    pub(super) fn slots(&self, params: &[Tensor]) -> Vec<Slot> {
        // A first step from 0 is the gradient itself, as in PyTorch.
        if self.momentum == 0.0 { vec![] } else { vec![Slot::like(params, "momentum", 0.0)] }
    }

    pub(super) fn step(
        &self,
        params: &[Tensor],
        slots: &[Slot],
        each: [&[f64]; 2],
        lr: f64,
        loops: bool,
    ) {
        let buffer = slots.first().map(|s| s.tensors.as_slice());
        let nesterov = self.nesterov && buffer.is_some();
        let step = ffi::optim::SgdStep { lr, momentum: self.momentum, nesterov, loops };
        ffi::optim::sgd(params, buffer, each, step);
    }
}
