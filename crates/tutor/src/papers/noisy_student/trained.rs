//! A network at the end of its training.

use std::path::PathBuf;

use anyhow::Result;
use augment::policy::Policy;
use torch::Model;
use vision_models::NetConfig;

use crate::images::setting::Setting;
use crate::images::subset::Subset;
use crate::run::cost::StageCost;
use crate::run::predictions::Predictions;

/// A network at the end of its training.
pub(super) struct Trained {
    /// The name of its row.
    pub(super) name: String,
    pub(super) model: Model,
    /// What it sees when it is evaluated.
    pub(super) eval_augment: Policy,
    /// Where its training lies; the folder of the resolution fix is below it.
    pub(super) dir: PathBuf,
    pub(super) net: NetConfig,
    pub(super) cost: StageCost,
    /// Which published weights it started from, in words.
    pub(super) start: Option<String>,
}

impl Trained {
    /// What it says of a subset, without noise.
    pub(super) fn predict(&self, setting: &Setting<'_>, subset: &Subset) -> Result<Predictions> {
        let net = setting.fast(&self.net, &self.model);
        setting.evaluator(&self.eval_augment).interruptible().predict(&net, subset)
    }
}
