//! What a folder of the Hugging Face hub cannot say of a classifier of texts, in a file of our own
//! beside it, which other programs pass over.

use std::path::Path;

use anyhow::{Context, Result};
use data_pipeline::text::Layout;
use serde::{Deserialize, Serialize};

use crate::run::files;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HubNote {
    /// How texts became sequences where it learned.
    pub(crate) layout: Layout,
}

impl HubNote {
    /// Its name.
    pub(crate) const FILE: &'static str = "tutor.json";

    /// Keeps it in a folder, which is there.
    pub(crate) fn keep(&self, folder: &Path) -> Result<()> {
        files::keep(&folder.join(Self::FILE), self)
    }

    /// The one of a folder; none of those that other programs wrote.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(Self::FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let at = || format!("{} (export the network anew)", path.display());
        let bytes = std::fs::read(&path).with_context(at)?;
        serde_json::from_slice(&bytes).map(Some).with_context(at)
    }
}
