//! RMSProp as TensorFlow has it.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::slot::{DecayOn, Slot};
use crate::ffi;

/// RMSProp as TensorFlow's, which differs from PyTorch's in three ways: ε is inside the root, the
/// mean square starts at 1, and the learning rate enters the momentum. s ← s + (1 − ρ)(g² − s); m ←
/// μm + η·g/√(s + ε); w ← w − m.
///
/// | key | default | purpose |
/// |---|---|---|
/// | `decay` | 0.9 | ρ |
/// | `momentum` | 0.9 | μ |
/// | `eps` | 1e-3 | ε |
/// | `weight_decay` | 1e-5 | added to the gradient as `weight_decay · w` |
/// | `decay_on` | `all-but-norm` | which tensors decay |
///
/// The defaults are EfficientNet's and Noisy Student's (arXiv 1905.11946 section 5.2, 1911.04252
/// appendix A.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsProp {
    /// ρ: how much of the mean square stays.
    pub decay: f64,
    /// μ.
    pub momentum: f64,
    /// ε.
    pub eps: f64,
    /// The factor of w that is added to its gradient.
    pub weight_decay: f64,
    /// Which tensors decay.
    pub decay_on: DecayOn,
}

impl Default for RmsProp {
    fn default() -> Self {
        let decay_on = DecayOn::AllButNorm;
        Self { decay: 0.9, momentum: 0.9, eps: 1e-3, weight_decay: 1e-5, decay_on }
    }
}

impl RmsProp {
    pub(super) fn slots(params: &[Tensor]) -> Vec<Slot> {
        vec![Slot::like(params, "mean_square", 1.0), Slot::like(params, "momentum", 0.0)]
    }

    pub(super) fn step(
        &self,
        params: &[Tensor],
        slots: &[Slot],
        each: [&[f64]; 2],
        lr: f64,
        loops: bool,
    ) {
        let constants = ffi::optim::RmsPropStep {
            lr,
            rho: self.decay,
            momentum: self.momentum,
            eps: self.eps,
            loops,
        };
        ffi::optim::rmsprop(params, &slots[0].tensors, &slots[1].tensors, each, constants);
    }
}
