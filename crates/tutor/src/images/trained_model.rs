//! A trained network on images, loaded for use on other images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use augment::policy::Policy;
use data_pipeline::dataset::Cached;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad};
use data_pipeline::picture::Decode;
use torch::{Device, Model, store};
use vision_models::NetConfig;

use super::evaluator::Evaluator;
use super::feed::Feed;
use super::input::Input;
use super::subset::Subset;
use crate::run::experiment::{Predicted, Predictor};
use crate::run::note::note;

/// Where a network of a run lies and what it is shown.
pub(crate) struct Place {
    /// Which row it is, in words.
    pub(crate) name: String,
    pub(crate) net: NetConfig,
    /// The folder of its final weights.
    pub(crate) dir: PathBuf,
    /// The folder that says what images it was trained on.
    pub(crate) input: PathBuf,
    pub(crate) eval_augment: Policy,
    pub(crate) eval_batch: usize,
}

/// A trained network with all that is needed to show it an image.
pub(crate) struct TrainedModel {
    name: String,
    model: Model,
    evaluator: Evaluator,
    input: Input,
}

/// So many bytes of decoded images are kept, so that most are decoded once.
const KEPT: u64 = 512 << 20;

impl TrainedModel {
    /// Loads a network of a run.
    pub(crate) fn load(place: Place, device: Device) -> Result<Self> {
        let path = place.dir.join("final.safetensors");
        ensure!(
            path.exists(),
            "{} is not there: the run has not come to it; run the same command again",
            path.display()
        );
        let input = Input::load(&place.input)?;
        let classes = input.classes.len();
        let model = place.net.build(device, input.channels as i64, classes as i64);
        model
            .params
            .load(&store::load(&path)?.tensors)
            .with_context(|| path.display().to_string())?;
        let normalization = input.normalization.clone();
        let feed = Feed { device, normalization, classes, targets: None };
        let evaluator = Evaluator::new(feed, &place.eval_augment, place.eval_batch, 1);
        Ok(Self { name: place.name, model, evaluator: evaluator.interruptible(), input })
    }

    /// Opens a folder, a table or Parquet files of images as the network wants them; what is no
    /// image is left out and told.
    ///
    /// With `labeled`, each class must be one that the network knows.
    fn open(&self, dir: &Path, labeled: bool) -> Result<Cached<FolderSet>> {
        let options = FolderOptions {
            labeled,
            classes: labeled.then(|| self.input.classes.clone()),
            on_bad: OnBad::Skip,
            decode: Decode {
                grey: self.input.channels == 1,
                size: self.input.size,
                orient: self.input.orient,
                depth: self.input.depth,
                max_pixels: self.input.max_pixels,
                ..Decode::default()
            },
            ..FolderOptions::default()
        };
        let set = FolderSet::open(dir, &options)?.decode_all(KEPT)?;
        set.inner().left_out().iter().for_each(|left_out| note(&left_out.to_string()));
        set.inner().notes().iter().for_each(|text| note(text));
        Ok(set)
    }
}

impl Predictor for TrainedModel {
    fn about(&self) -> String {
        self.name.clone()
    }

    fn classes(&self) -> &[String] {
        &self.input.classes
    }

    fn predict(&self, path: &Path, labeled: bool) -> Result<Predicted> {
        let images = Subset::all(Arc::new(self.open(path, labeled)?));
        let predictions = self.evaluator.predict(&self.model, &images)?;
        let truth = images.labels();
        Ok(Predicted { unit: "images", ids: images.ids(), predictions, truth })
    }
}
