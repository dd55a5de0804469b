//! What every optimiser is made of: its state, and the choice of what weight decay touches.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::Role;

/// Which tensors weight decay touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecayOn {
    /// The kernels of convolutions and linear layers: no bias, no norm.
    Kernels,
    /// Kernels and their biases; not the scales and shifts of normalisation.
    AllButNorm,
    /// Everything that is trained.
    All,
}

impl DecayOn {
    /// Whether tensors of this role decay.
    pub fn touches(self, role: Role) -> bool {
        match role {
            Role::Weight => true,
            Role::Bias => self != DecayOn::Kernels,
            Role::Norm => self == DecayOn::All,
            Role::Buffer => false,
        }
    }
}

/// One kind of state: a tensor for each parameter.
pub(super) struct Slot {
    pub(super) name: &'static str,
    pub(super) tensors: Vec<Tensor>,
}

impl Slot {
    /// Tensors like the parameters, in kind, device and layout, all of one value.
    pub(super) fn like(params: &[Tensor], name: &'static str, value: f64) -> Self {
        let tensors = params.iter().map(|p| p.detach().full_like(value)).collect();
        Self { name, tensors }
    }
}
