//! The methods, one file each.

mod noisy_student;
mod supervised;

pub use noisy_student::{Average, Labeling, NoiseOn, NoisyStudent, NoisyStudentConfig, Targets};
pub use supervised::Supervised;
