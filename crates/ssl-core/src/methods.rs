//! The methods, one file each.

mod adamatch;
mod fixmatch;
mod flexmatch;
mod freematch;
mod ict;
mod lga;
mod mean_teacher;
mod mixmatch;
mod mixmixup;
mod noisy_student;
mod pi_model;
mod pseudo_label;
mod remixmatch;
mod s4l;
mod sntg;
mod softmatch;
mod supervised;
mod temporal_ensembling;
mod uda;
mod vadd;
mod vat;

#[cfg(test)]
pub(crate) use {
    adamatch::AdaMatching,
    lga::Imputing,
    remixmatch::{Aligned, Draws},
};

pub use adamatch::AdaMatch;
pub use fixmatch::FixMatch;
pub use flexmatch::FlexMatch;
pub use freematch::FreeMatch;
pub use ict::{Ict, MixedTargets};
pub use lga::Lga;
pub use mean_teacher::MeanTeacher;
pub use mixmatch::MixMatch;
pub use mixmixup::MixMixUp;
pub use noisy_student::{Average, Labeling, NoiseOn, NoisyStudent, NoisyStudentConfig, Targets};
pub use pi_model::PiModel;
pub use pseudo_label::PseudoLabel;
pub use remixmatch::ReMixMatch;
pub use s4l::S4l;
pub use sntg::Sntg;
pub use softmatch::SoftMatch;
pub use supervised::Supervised;
pub use temporal_ensembling::TemporalEnsembling;
pub use uda::Uda;
pub use vadd::Vadd;
pub use vat::Vat;
