//! Networks as folders that transformers reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use torch::hub::HubError;
use torch::{Tensor, store};

use super::{Checkpoint, HubConfig};

/// Writes `config.json` and `model.safetensors` into `folder`, which is made if it is not there;
/// weights first, each file whole or not at all. `tensors` have transformers' names, as those of
/// [`Params::tensors`](torch::Params::tensors) and
/// [`Pretrainer::tower`](crate::pretrain::Pretrainer::tower) do; `notes` go into the header of the
/// weights.
///
/// # Errors
/// When the folder cannot be made or written to.
pub fn save(
    folder: &Path,
    config: &HubConfig,
    tensors: &[(String, Tensor)],
    notes: &BTreeMap<String, String>,
) -> Result<(), HubError> {
    let io = |source| HubError::Io { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(io)?;
    // Without this key transformers refuses the file.
    let mut meta = notes.clone();
    meta.insert("format".to_owned(), "pt".to_owned());
    store::save(&folder.join("model.safetensors"), tensors, &meta)?;
    save_config(folder, config)
}

impl Checkpoint {
    /// Writes it as [`save`] does, tensors under the names that they have.
    ///
    /// # Errors
    /// Those of [`save`].
    pub fn save(&self, folder: &Path) -> Result<(), HubError> {
        fs::create_dir_all(folder)
            .map_err(|source| HubError::Io { path: folder.to_owned(), source })?;
        let meta = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        weights::save(&folder.join("model.safetensors"), &self.weights.tensors, &meta)?;
        save_config(folder, &self.config)
    }
}

fn save_config(folder: &Path, config: &HubConfig) -> Result<(), HubError> {
    let mut text = serde_json::to_string_pretty(&config.to_json()).expect("plain data");
    text.push('\n');
    Ok(atomic_file::write(&folder.join("config.json"), text.as_bytes())?)
}
