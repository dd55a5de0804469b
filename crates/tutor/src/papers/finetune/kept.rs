//! What a run that answers questions or tags words keeps beside the tensors of its networks, and
//! how such a network is opened again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use data_pipeline::text::Tokenizer;
use electra::EncoderConfig;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use torch::store::Stored;
use torch::{Device, Params, Scope};
use train::StageDir;

use super::start::Start;
use super::training::FOLDER;
use crate::run::files;
use crate::text::predictor;

/// The folder in that of a run of what its networks need beside their tensors.
pub(super) fn folder(run: &Path) -> PathBuf {
    run.join("text")
}

const FILE: &str = "network.json";

/// What is kept beside the vocabulary.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    encoder: EncoderConfig,
    /// What the task adds to it.
    task: T,
}

/// Keeps the vocabulary, the encoder, and what the task adds to them, in the folder of a run.
pub(super) fn keep<T: Serialize>(start: &Start, task: T, run: &Path) -> Result<()> {
    let folder = folder(run);
    start.tokenizer.save(&predictor::Kept::vocabulary(&folder))?;
    files::make_folder(&folder)?;
    let encoder = start.encoder().clone();
    files::keep(&folder.join(FILE), &Kept { encoder, task })
}

/// That a run has not kept a file, and what helps. What is finished is not gone on with, and where
/// it has not kept the file, an earlier version made it.
fn missing(file: &Path, run: &Path) -> String {
    let file = file.display();
    match run.join(report::FILE).exists() {
        true => format!(
            "{file} is not there: an earlier version made this run and did not keep it; `tutor run \
             {}` trains a new one to predict by",
            run.join("recipe.toml").display()
        ),
        false => format!("{file} is not there: run the same command again"),
    }
}

/// A network of a run that is opened again.
pub(super) struct Reopened<T> {
    pub(super) tokenizer: Tokenizer,
    /// What the task has kept.
    pub(super) task: T,
    encoder: EncoderConfig,
    weights: Stored,
    /// Where the weights are.
    file: PathBuf,
}

impl<T: DeserializeOwned> Reopened<T> {
    /// That of a seed, by its folder.
    pub(super) fn of_seed(seed: &Path) -> Result<Self> {
        let trained = seed.join(FOLDER);
        let weights = StageDir::final_weights(&trained)?;
        let run = seed.parent().context("a seed's folder lies in that of its run")?;
        let folder = folder(run);
        let kept = folder.join(FILE);
        let Kept { encoder, task } =
            files::found_before(&kept)?.with_context(|| missing(&kept, run))?;
        let tokenizer = Tokenizer::open(&predictor::Kept::vocabulary(&folder))?;
        Ok(Self { tokenizer, task, encoder, weights, file: trained.join("final.safetensors") })
    }

    /// The network that `make` builds, with its tensors.
    pub(super) fn load<N>(
        &self,
        device: Device,
        make: impl FnOnce(&mut Scope<'_>, &EncoderConfig) -> N,
    ) -> Result<N> {
        let (net, params) = Params::build(device, |scope| make(scope, &self.encoder));
        let loaded = params.load(&self.weights.tensors);
        loaded.with_context(|| self.file.display().to_string())?;
        Ok(net)
    }
}
