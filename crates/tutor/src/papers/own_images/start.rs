//! Where all trainings of a seed start: the published net, and a linear classifier on its features.

use std::path::Path;

use anyhow::Result;
use torch::Model;
use vision_models::published::{self, Head};
use weights::StateDict;

use super::probe::{Labels, Probe};
use super::recipe::{FROZEN, Recipe, SPREAD};
use crate::images::setting::Setting;

/// The network that all trainings of a seed start from.
pub(super) struct Start {
    model: Model,
    /// The linear classifiers, where there are published weights.
    probe: Option<Probe>,
    /// What was loaded, in words; empty for a net that starts at random.
    pub(super) applied: Vec<String>,
}

impl Start {
    /// Builds the net; with published weights, loads these, takes the features of the labelled
    /// images and makes the choices of the linear classifier, which are kept in `dir`.
    pub(super) fn new(
        recipe: &Recipe,
        setting: &Setting<'_>,
        given: Option<&StateDict>,
        dir: &Path,
    ) -> Result<Self> {
        torch::rng::seed(setting.key("start"));
        let model = setting.build(&recipe.net);
        let Some(given) = given else {
            return Ok(Self { model, probe: None, applied: Vec::new() });
        };
        let loaded = published::load(&model.params, given, Head::Replace)?;
        let mut applied = loaded.applied;
        applied.extend(recipe.net.caveat(given));
        let probe = Probe::new(recipe, setting, &setting.fast(&recipe.net, &model), dir)?;
        applied.extend(probe.told());
        Ok(Self { model, probe: Some(probe), applied })
    }

    /// The penalty C of the linear classifier, where there is one.
    pub(super) fn penalty(&self) -> Option<f64> {
        self.probe.as_ref().map(|probe| probe.c)
    }

    /// The rows that are a linear classifier, with the labels that it learns.
    pub(super) fn frozen(&self) -> Vec<(&'static str, Labels)> {
        let probe = self.probe.as_ref();
        let given = probe.map(|_| (FROZEN, Labels::Given));
        let spread = probe.filter(|probe| probe.spreads()).map(|_| (SPREAD, Labels::Spread));
        given.into_iter().chain(spread).collect()
    }

    /// Whether labels spread without a label that could be held out to try it.
    pub(super) fn is_untried(&self) -> bool {
        self.probe.as_ref().is_some_and(Probe::is_untried)
    }

    /// The net with the head that is fitted to the labelled images at `positions`, by a name of
    /// theirs; a net that starts at random as it is.
    pub(super) fn on(&self, labels: Labels, name: &str, positions: &[usize]) -> Result<&Model> {
        if let Some(probe) = &self.probe {
            let head = probe.head(labels, name, positions)?;
            self.model.classifier().set(&head.weight, &head.bias);
        }
        Ok(&self.model)
    }

    /// The net with the head that is fitted to all labelled images.
    pub(super) fn on_all(&self, labels: Labels) -> Result<&Model> {
        let all = self.probe.as_ref().map_or_else(Vec::new, Probe::all);
        self.on(labels, "all", &all)
    }
}
