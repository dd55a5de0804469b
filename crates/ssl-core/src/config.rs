//! The choice of a method as data: one enum over the methods' own settings.

use serde::{Deserialize, Serialize};

use crate::methods::{
    AdaMatch, FixMatch, FlexMatch, FreeMatch, Ict, Lga, MeanTeacher, MixMatch, MixMixUp, PiModel,
    PseudoLabel, ReMixMatch, S4l, Sntg, SoftMatch, Supervised, TemporalEnsembling, Uda, Vadd, Vat,
};
use crate::{Config, Facts, Method};

/// Any method that learns step by step. In a recipe the key `kind` says which, and the other keys are those of its settings:
/// `{ kind = "fixmatch", threshold = 0.95 }`. Noisy Student, a loop of whole trainings, is not among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is explained at its settings")]
pub enum MethodConfig {
    Supervised(Supervised),
    Uda(Uda),
    PiModel(PiModel),
    TemporalEnsembling(TemporalEnsembling),
    MeanTeacher(MeanTeacher),
    Vat(Vat),
    Sntg(Sntg),
    #[serde(rename = "vadd")]
    Vadd(Vadd),
    Ict(Ict),
    PseudoLabel(PseudoLabel),
    #[serde(rename = "lga-vat")]
    Lga(Lga),
    #[serde(rename = "mixmixup")]
    MixMixUp(MixMixUp),
    #[serde(rename = "mixmatch")]
    MixMatch(MixMatch),
    #[serde(rename = "remixmatch")]
    ReMixMatch(ReMixMatch),
    #[serde(rename = "fixmatch")]
    FixMatch(FixMatch),
    #[serde(rename = "s4l")]
    S4l(S4l),
    #[serde(rename = "flexmatch")]
    FlexMatch(FlexMatch),
    #[serde(rename = "freematch")]
    FreeMatch(FreeMatch),
    #[serde(rename = "softmatch")]
    SoftMatch(SoftMatch),
    #[serde(rename = "adamatch")]
    AdaMatch(AdaMatch),
}

impl MethodConfig {
    fn config(&self) -> &dyn Config {
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

impl Config for MethodConfig {
    fn check(&self) -> Result<(), String> {
        self.config().check()
    }

    fn build(&self, facts: &Facts) -> Box<dyn Method> {
        self.config().build(facts)
    }

    fn needs_average(&self) -> bool {
        self.config().needs_average()
    }
}
