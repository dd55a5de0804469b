//! Published tensors into a network.

use std::path::Path;

use torch::Params;
use torch::hub::{self, HubError, Named, beside, open_weights};
use weights::StateDict;
use weights::find::{Places, find};

use super::Gpt2HubConfig;

/// What our names begin with.
const PREFIX: &str = "transformer.";
/// The table of tokens.
const TABLE: &str = "transformer.wte.weight";
/// The output table, which is tied to it.
const HEAD: &str = "lm_head.weight";

/// A network that was read, not yet loaded.
#[derive(Clone, Debug)]
pub struct Gpt2Checkpoint {
    /// What it is.
    pub config: Gpt2HubConfig,
    /// Its tensors under the names of the file.
    pub weights: StateDict,
}

impl Gpt2Checkpoint {
    /// Reads a folder, a file of weights with `config.json` beside it, or what a name like
    /// `microsoft/DialoGPT-small` or `ORG/NAME@REVISION` stands for in the hub's cache. Nothing is
    /// downloaded.
    ///
    /// # Errors
    /// When there is nothing of the name, `config.json` is none of GPT-2, or the weights cannot be
    /// read.
    pub fn open(asked: &str, places: &Places) -> Result<Self, HubError> {
        let found = find(asked, places)?;
        Self::read(&found.path, found.part.as_deref())
    }

    fn read(path: &Path, part: Option<&str>) -> Result<Self, HubError> {
        let config = Gpt2HubConfig::read(&beside(path, "config.json"))?;
        Ok(Self { config, weights: open_weights(path, part)? })
    }

    /// Loads all tensors into `params`, those of a [`Gpt2`](crate::Gpt2).
    ///
    /// # Errors
    /// When a tensor is missing, unexpected or of another shape, the output table is not that of
    /// tokens, or a tensor holds integers, NaN or infinities. The error names all tensors with both
    /// shapes. Nothing is changed then.
    pub fn load(&self, params: &Params) -> Result<(), HubError> {
        hub::load(&self.weights.source, &self.renamed()?, params)
    }

    /// The tensors under this crate's names, with those of the file; causal masks and an output
    /// table that repeats the table of tokens are left away. Where a file has one of the two tables
    /// alone, as safetensors' `save_model` writes tied tensors, it is the table of tokens.
    fn renamed(&self) -> Result<Named<'_>, HubError> {
        let bare = !self.weights.tensors.keys().any(|name| name.starts_with(PREFIX));
        let ours = |name: &str| match name {
            mask if mask.ends_with(".attn.bias") || mask.ends_with(".attn.masked_bias") => None,
            // As the code that DialoGPT was trained by names it.
            "lm_head.decoder.weight" => Some(HEAD.to_owned()),
            head if head.starts_with("lm_head.") => Some(head.to_owned()),
            name if bare => Some(format!("{PREFIX}{name}")),
            name => Some(name.to_owned()),
        };
        let mut all = hub::renamed(&self.weights, ours)?;
        let [table, head] = [TABLE, HEAD].map(|name| all.get(name).map(|(_, tensor)| *tensor));
        if (table.is_none() || table == head)
            && let Some(head) = all.remove(HEAD)
        {
            all.entry(TABLE.to_owned()).or_insert(head);
        }
        Ok(all)
    }
}
