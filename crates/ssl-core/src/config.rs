//! The choice of a method as data: one enum over the methods' own settings.

use serde::{Deserialize, Serialize};
use torch::ConfigError;

use crate::methods::{
    AdaMatchConfig, FixMatchConfig, FlexMatchConfig, FreeMatchConfig, IctConfig, LgaConfig,
    MeanTeacherConfig, MixMatchConfig, MixMixUpConfig, PiModelConfig, PseudoLabelConfig,
    ReMixMatchConfig, S4lConfig, SntgConfig, SoftMatchConfig, SupervisedConfig,
    TemporalEnsemblingConfig, UdaConfig, VaddConfig, VatConfig,
};
use crate::{Method, MethodSettings, Needs, TaskInfo};

/// Any method that learns step by step. In a recipe the key `kind` says which, and the other keys
/// are those of its settings: `{ kind = "fixmatch", threshold = 0.95 }`. Noisy Student, which is a
/// sequence of whole trainings, is not among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is explained at its settings")]
pub enum MethodConfig {
    Supervised(SupervisedConfig),
    Uda(UdaConfig),
    PiModel(PiModelConfig),
    TemporalEnsembling(TemporalEnsemblingConfig),
    MeanTeacher(MeanTeacherConfig),
    Vat(VatConfig),
    Sntg(SntgConfig),
    #[serde(rename = "vadd")]
    Vadd(VaddConfig),
    Ict(IctConfig),
    PseudoLabel(PseudoLabelConfig),
    #[serde(rename = "lga-vat")]
    Lga(LgaConfig),
    #[serde(rename = "mixmixup")]
    MixMixUp(MixMixUpConfig),
    #[serde(rename = "mixmatch")]
    MixMatch(MixMatchConfig),
    #[serde(rename = "remixmatch")]
    ReMixMatch(ReMixMatchConfig),
    #[serde(rename = "fixmatch")]
    FixMatch(FixMatchConfig),
    #[serde(rename = "s4l")]
    S4l(S4lConfig),
    #[serde(rename = "flexmatch")]
    FlexMatch(FlexMatchConfig),
    #[serde(rename = "freematch")]
    FreeMatch(FreeMatchConfig),
    #[serde(rename = "softmatch")]
    SoftMatch(SoftMatchConfig),
    #[serde(rename = "adamatch")]
    AdaMatch(AdaMatchConfig),
}

impl MethodConfig {
    fn config(&self) -> &dyn MethodSettings {
        match self {
            MethodConfig::Supervised(c) => c,
            MethodConfig::Uda(c) => c,
            MethodConfig::PiModel(c) => c,
            MethodConfig::TemporalEnsembling(c) => c,
            MethodConfig::MeanTeacher(c) => c,
            MethodConfig::Vat(c) => c,
            MethodConfig::Sntg(c) => c,
            MethodConfig::Vadd(c) => c,
            MethodConfig::Ict(c) => c,
            MethodConfig::PseudoLabel(c) => c,
            MethodConfig::Lga(c) => c,
            MethodConfig::MixMixUp(c) => c,
            MethodConfig::MixMatch(c) => c,
            MethodConfig::ReMixMatch(c) => c,
            MethodConfig::FixMatch(c) => c,
            MethodConfig::S4l(c) => c,
            MethodConfig::FlexMatch(c) => c,
            MethodConfig::FreeMatch(c) => c,
            MethodConfig::SoftMatch(c) => c,
            MethodConfig::AdaMatch(c) => c,
        }
    }
}

impl MethodSettings for MethodConfig {
    fn faults(&self) -> Vec<ConfigError> {
        self.config().faults()
    }

    fn fits_classes(&self, classes: usize) -> Result<(), ConfigError> {
        self.config().fits_classes(classes)
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        self.config().build(task)
    }

    fn needs(&self) -> Needs {
        self.config().needs()
    }

    fn shares_batches(&self) -> bool {
        self.config().shares_batches()
    }
}
