//! Opens networks by path or name.

use std::path::Path;

use torch::hub::{HubError, beside, open_weights};
use weights::StateDict;
use weights::find::{Places, find};

use super::{Checkpoint, HubConfig, Network};
use crate::Family;

impl Checkpoint {
    /// Reads a folder, or what a name like `google/electra-small-discriminator` or
    /// `ORG/NAME@REVISION` stands for in the hub's cache. Nothing is downloaded. Of a checkpoint of
    /// TensorFlow without `config.json` the discriminator is taken, or BERT.
    ///
    /// # Errors
    /// When there is nothing of the name, `config.json` is none of ELECTRA or BERT, or the weights
    /// cannot be read. Whether both belong together [`fits`](Self::fits) tells.
    pub fn open(asked: &str, places: &Places) -> Result<Self, HubError> {
        let found = find(asked, places)?;
        Self::read(&found.path, found.part.as_deref())
    }

    /// Reads a folder, or a file of weights with `config.json` beside it.
    fn read(path: &Path, part: Option<&str>) -> Result<Self, HubError> {
        let file = beside(path, "config.json");
        if !file.exists()
            && let Ok(read) = open_weights(path, part)
            && read.source.extension().is_some_and(|ending| ending == "index")
        {
            return Ok(Self::from_tensorflow(&read, Network::Main)?.0);
        }
        let config = HubConfig::read(&file)?;
        let weights = unwrapped(open_weights(path, part)?, config.encoder.family);
        Ok(Self { config, weights })
    }
}

/// The tensors without what stands before the names of a network that was wrapped when it was
/// saved: Lightning's `model.`, the `_orig_mod.` of `torch.compile`. It is what stands before the
/// only table of tokens, unless that is an encoder of another family.
fn unwrapped(read: StateDict, family: Family) -> StateDict {
    let names = read.tensors.keys();
    let mut tables =
        names.filter_map(|name| name.strip_suffix("embeddings.word_embeddings.weight"));
    let (Some(before), None) = (tables.next(), tables.next()) else { return read };
    let own = format!("{}.", family.prefix());
    let before = before.strip_suffix(&own).unwrap_or(before).to_owned();
    let is_encoder = |family: Family| before.ends_with(&format!("{}.", family.prefix()));
    let is_whole = before.ends_with('.');
    if !is_whole || is_encoder(Family::Electra) || is_encoder(Family::Bert) {
        return read;
    }
    let bare = |name: &String| name.strip_prefix(&before).unwrap_or(name).to_owned();
    // Two tensors never get one name.
    if read.tensors.keys().any(|name| bare(name) != *name && read.tensors.contains_key(&bare(name)))
    {
        return read;
    }
    let mut applied = read.applied;
    applied.push(format!("prefix {before} removed"));
    let tensors = read.tensors.into_iter().map(|(name, tensor)| (bare(&name), tensor)).collect();
    StateDict { tensors, applied, ..read }
}
