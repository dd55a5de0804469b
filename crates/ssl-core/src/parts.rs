//! What several methods are made of.

mod adversary;
mod align;
mod confidence;
mod consistency;
mod mix;
mod rotate;
mod sharpen;
mod tsa;

pub use adversary::{Adversary, Direction};
pub use align::{Aligner, Alignment, Marginal, Wanted, align};
pub use confidence::{confident, masked_mean, sure_by_class};
pub use consistency::{entropy, squared_error};
pub use mix::{beta, mix, shuffled};
pub use rotate::rotations;
pub use sharpen::{hard, one_hot, sharpen};
pub use tsa::Tsa;
