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
    adamatch::AdaMatchDraws, ict::IctDraws, lga::LgaDraws, mixmatch::MixMatchDraws,
    mixmixup::MixMixUpDraws, remixmatch::ReMixMatchDraws, vadd::VaddDraws, vat::VatDraws,
};

pub use adamatch::{AdaMatch, AdaMatchConfig};
pub use fixmatch::{FixMatch, FixMatchConfig};
pub use flexmatch::{FlexMatch, FlexMatchConfig};
pub use freematch::{FreeMatch, FreeMatchConfig};
pub use ict::{Ict, IctConfig, MixedTargets};
pub use lga::{Lga, LgaConfig};
pub use mean_teacher::{MeanTeacher, MeanTeacherConfig};
pub use mixmatch::{MixMatch, MixMatchConfig};
pub use mixmixup::{MixMixUp, MixMixUpConfig};
pub use noisy_student::{Average, Labeling, NoiseOn, NoisyStudent, NoisyStudentConfig, Targets};
pub use pi_model::{PiModel, PiModelConfig};
pub use pseudo_label::{PseudoLabel, PseudoLabelConfig};
pub use remixmatch::{ReMixMatch, ReMixMatchConfig};
pub use s4l::{S4l, S4lConfig};
pub use sntg::{Sntg, SntgConfig};
pub use softmatch::{SoftMatch, SoftMatchConfig};
pub use supervised::{Supervised, SupervisedConfig};
pub use temporal_ensembling::{TemporalEnsembling, TemporalEnsemblingConfig};
pub use uda::{Uda, UdaConfig};
pub use vadd::{Vadd, VaddConfig};
pub use vat::{Vat, VatConfig};
