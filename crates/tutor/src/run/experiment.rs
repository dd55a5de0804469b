//! What the commands know of a paper.

use std::path::Path;

use anyhow::{Result, bail};
use report::{RunResult, Section};
use toml::Table;
use torch::Device;

use super::predictions::Predictions;
use super::seeds::Run;
use crate::recipe::head::Head;

/// A kind of recipe, and who reads it.
pub(crate) struct Paper {
    /// What recipes say as `kind`.
    pub(crate) kind: &'static str,
    /// Reads and checks a recipe of this kind; the table holds the keys beside the head's.
    pub(crate) read: fn(Head, &Table) -> Result<Box<dyn Experiment>>,
}

/// A recipe that was read and checked by its paper, and can be run.
pub(crate) trait Experiment {
    /// Kind, name, what it is and what it expects.
    fn head(&self) -> &Head;

    /// Name and meaning of each row beside what the recipe runs anyway.
    fn rows(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The resolved recipe: running this text again is the same run.
    fn to_toml(&self) -> Result<String>;

    /// Opens the data; `dir` is where data sets lie (`--data`). Called once, before
    /// [`run`](Experiment::run).
    fn open(&mut self, _dir: Option<&Path>) -> Result<()> {
        Ok(())
    }

    /// Trains and measures all seeds, or goes on where an earlier process was stopped.
    fn run(&self, run: &mut Run<'_>) -> Result<Findings>;

    /// Loads a network of a run for use on other samples. `seed` is the folder of the seed; without
    /// a `model` it is the recipe's main one.
    fn predictor(
        &self,
        _seed: &Path,
        _model: Option<&str>,
        _device: Device,
    ) -> Result<Box<dyn Predictor>> {
        bail!("{}: its networks cannot be shown new samples", self.head().name)
    }
}

/// What a run found.
pub(crate) struct Findings {
    /// Its numbers.
    pub(crate) result: RunResult,
    /// The paper's own parts of the report.
    pub(crate) sections: Vec<Section>,
}

/// A trained network with all that is needed to show it something new.
pub(crate) trait Predictor {
    /// Which network of which row it is, in words.
    fn about(&self) -> String;

    /// The names of the classes that it tells apart, by index.
    fn classes(&self) -> &[String];

    /// Brings samples to this width and height before they are shown to it.
    fn resize(&mut self, _size: (u32, u32)) -> Result<()> {
        bail!("--size: {} is not shown images", self.about())
    }

    /// What it says of what lies at `path`. With `labeled`, the true classes are read too.
    fn predict(&self, path: &Path, labeled: bool) -> Result<Predicted>;
}

/// What a network says of some samples.
pub(crate) struct Predicted {
    /// What the samples are: `images`, `texts`.
    pub(crate) unit: &'static str,
    /// A name of each sample, such as its path.
    pub(crate) ids: Vec<String>,
    pub(crate) predictions: Predictions,
    /// The true class of each sample, where it is known.
    pub(crate) truth: Vec<Option<u32>>,
}
