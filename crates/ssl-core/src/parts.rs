//! The parts that several methods share.

mod adversary;
mod align;
mod confidence;
mod consistency;
mod mix;
mod rotate;
mod sharpen;
mod tsa;
mod weak_pass;

pub use adversary::{Adversary, Direction};
pub use align::{AlignTo, Aligner, Alignment, Marginal, Recent, align};
pub use confidence::{confident, mask_by_class, masked_mean};
pub use consistency::{entropy, squared_error};
pub use mix::{beta, betas, mix, mix_rows, permutation};
pub use rotate::rotations;
pub use sharpen::{hard_labels, one_hot, sharpen};
pub use tsa::Tsa;
pub use weak_pass::WeakPass;
pub(crate) use weak_pass::{Judged, labeled_alone, skip_faults};
