//! What a network takes and tells apart, kept beside its weights, so that it can be used without
//! the data it learned from.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use data_pipeline::picture::{Decode, Depth};
use serde::{Deserialize, Serialize};
use weights::Preprocess;

use crate::run::files;

/// Channel means and standard deviations of pixels scaled to 0..1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Normalization {
    pub(crate) mean: Vec<f64>,
    pub(crate) std: Vec<f64>,
}

/// The images that a network takes and the classes it tells apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The names of the classes, by index.
    pub(crate) classes: Vec<String>,
    /// 1 (grey) or 3 (RGB).
    pub(crate) channels: usize,
    /// Width and height to which images are brought before anything else; none where the policy
    /// cuts them.
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) normalization: Normalization,
    /// Whether images are turned upright by their EXIF orientation.
    #[serde(default)]
    pub(crate) orient: bool,
    /// How samples of more than 8 bits become bytes.
    #[serde(default)]
    pub(crate) depth: Depth,
    /// The most pixels of an image.
    #[serde(default = "max_pixels")]
    pub(crate) max_pixels: u64,
}

fn max_pixels() -> u64 {
    Decode::default().max_pixels
}

const FILE: &str = "input.json";

impl Input {
    /// Takes over the normalisation that published weights were trained with. Grey images keep one
    /// channel's numbers.
    pub(crate) fn adopt(&mut self, preprocess: Option<Preprocess>) {
        if let Some(Preprocess { mean, std, .. }) = preprocess
            && mean.len() == self.channels
        {
            self.normalization = Normalization { mean, std };
        }
    }

    pub(crate) fn save(&self, dir: &Path) -> Result<()> {
        files::keep(&dir.join(FILE), self)
    }

    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_before_orientation_and_depth_are_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let old = r#"{"classes": ["a", "b"], "channels": 3, "size": [32, 24],
            "normalization": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}"#;
        fs::write(dir.path().join(FILE), old).expect("written");
        let input = Input::load(dir.path()).expect("an old file");
        // As runs were then: as stored, the upper 8 bits.
        assert_eq!((input.size, input.orient), (Some((32, 24)), false));
        assert_eq!(input.depth, Depth::default());
        assert_eq!(input.max_pixels, Decode::default().max_pixels);
        let new = Input { orient: true, max_pixels: 1000, ..input };
        new.save(dir.path()).expect("written");
        assert_eq!(Input::load(dir.path()).expect("a new file"), new);
    }
}
