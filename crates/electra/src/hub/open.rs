//! Opens networks by path or name.

use std::path::Path;

use torch::hub::{HubError, beside, open_weights};
use weights::find::{Places, find};

use super::{Checkpoint, HubConfig, Network};

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
        Ok(Self { config, weights: open_weights(path, part)? })
    }
}
