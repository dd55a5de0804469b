//! A trained network on images, loaded for use on other images.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use augment::policy::Policy;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad};
use data_pipeline::digest::Digest;
use data_pipeline::picture::Decode;
use torch::precision::Precision;
use torch::{Device, Inference, Model, Params};
use train::StageDir;
use vision_models::NetConfig;

use super::evaluator::Evaluator;
use super::feed::Feed;
use super::input::Input;
use super::open_images::{OpenImages, Pictures};
use super::view::Transform;
use crate::run::experiment::{Predictor, Reading, Shown, gains_by_bfloat16, numbers_of};
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
    /// Whether it is shown each image mirrored too.
    pub(crate) mirror: bool,
}

/// A trained network with all that is needed to show it an image.
pub(crate) struct TrainedModel {
    name: String,
    fast: Inference,
    evaluator: Evaluator,
    input: Input,
    transform: Transform,
    batch: usize,
    net: NetConfig,
    params: Params,
    /// The file of its weights.
    file: PathBuf,
    /// Labels of images that stand for none.
    no_label: Vec<String>,
}

/// What a trained network is made of.
pub(crate) struct Parts {
    /// What it is, in words.
    pub(crate) name: String,
    pub(crate) net: NetConfig,
    pub(crate) model: Model,
    pub(crate) input: Input,
    pub(crate) transform: Transform,
    /// The file of its weights.
    pub(crate) file: PathBuf,
}

/// The most images that a network is shown at once: more take more memory and are no faster.
const BATCH: usize = 64;

impl TrainedModel {
    /// Loads a network of a run.
    pub(crate) fn load(place: Place, device: Device) -> Result<Self> {
        let path = place.dir.join("final.safetensors");
        let weights = StageDir::final_weights(&place.dir)?;
        let input = Input::load(&place.input)?;
        let (channels, classes) = (input.channels as i64, input.classes.len() as i64);
        let model = place.net.build(device, channels, classes);
        model.params.load(&weights.tensors).with_context(|| path.display().to_string())?;
        let Place { name, net, eval_augment, eval_batch, mirror, .. } = place;
        let transform = Transform::Policy(eval_augment);
        let parts = Parts { name, net, model, input, transform, file: path };
        let shown = Self::new(parts, device, eval_batch);
        Ok(Self { evaluator: shown.evaluator.mirrored(mirror), ..shown })
    }

    /// Makes it ready to run on the device where its model is, at most `batch` images at once.
    pub(crate) fn new(parts: Parts, device: Device, batch: usize) -> Self {
        let Parts { name, net, model, input, transform, file } = parts;
        let (channels, classes) = (input.channels as i64, input.classes.len() as i64);
        let params = model.params;
        let feed = Feed {
            device,
            normalization: input.normalization.clone(),
            classes: input.classes.len(),
            targets: None,
        };
        let batch = batch.min(BATCH);
        let evaluator = Evaluator::new(feed, &Policy::none(), batch, 0).interruptible();
        let fast = net.for_inference(&params, channels, classes, Precision::Float32);
        let no_label = Vec::new();
        Self { name, fast, evaluator, input, transform, batch, net, params, file, no_label }
    }

    /// Whether it is shown each image mirrored too.
    pub(crate) fn is_mirrored(&self) -> bool {
        self.evaluator.is_mirrored()
    }

    /// What it takes and tells apart.
    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// What is done to an image before it sees it.
    pub(crate) fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Its configuration and tensors.
    pub(crate) fn parts(&self) -> (&NetConfig, &Params) {
        (&self.net, &self.params)
    }

    /// The network that runs, and what shows it images of one size.
    pub(crate) fn runner(&self) -> (&Inference, &Evaluator) {
        (&self.fast, &self.evaluator)
    }

    /// How files become the images of which it is shown a view.
    pub(crate) fn decode(&self) -> Decode {
        Decode {
            grey: self.input.channels == 1,
            size: self.input.size,
            orient: self.input.orient,
            depth: self.input.depth,
            max_pixels: self.input.max_pixels,
            ..Decode::default()
        }
    }

    /// How images are opened for it. With `labeled`, each class must be one that it knows.
    pub(crate) fn folder_options(&self, labeled: bool) -> FolderOptions {
        FolderOptions {
            labeled,
            classes: labeled.then(|| self.input.classes.clone()),
            on_bad: OnBad::Skip,
            decode: self.decode(),
            no_label: self.no_label.clone(),
            ..FolderOptions::default()
        }
    }
}

impl Predictor for TrainedModel {
    fn about(&self) -> String {
        self.name.clone()
    }

    fn classes(&self) -> &[String] {
        &self.input.classes
    }

    fn resize(&mut self, size: (u32, u32)) -> Result<()> {
        let trained = match &mut self.transform {
            Transform::Policy(_) => self.input.size.replace(size),
            Transform::Published(preprocess) => {
                ensure!(size.0 == size.1, "--image-size: {} is shown squares", self.name);
                let side = std::mem::replace(&mut preprocess.size, size.0);
                Some((side, side))
            }
        };
        if let Some((width, height)) = trained.filter(|trained| *trained != size) {
            note(&format!(
                "note: {} was trained at {width}x{height}, and its answers at {}x{} are others",
                self.name, size.0, size.1
            ));
        }
        Ok(())
    }

    fn read_tables(&mut self, how: &Reading) -> Result<()> {
        let labels = Reading { no_label: how.no_label.clone(), ..Reading::default() };
        ensure!(
            *how == labels,
            "--text-column, --label-column and --skip-bad are for tables of texts, and {} is shown \
             images: leave them out",
            self.name
        );
        self.no_label = labels.no_label;
        Ok(())
    }

    fn use_bfloat16(&mut self) -> Result<()> {
        gains_by_bfloat16(self.params.device())?;
        let (channels, classes) = (self.input.channels as i64, self.input.classes.len() as i64);
        self.fast = self.net.for_inference(&self.params, channels, classes, Precision::Bfloat16);
        Ok(())
    }

    fn identity(&self) -> Result<String> {
        let Self { input, transform, file, evaluator, .. } = self;
        let mirror = if evaluator.is_mirrored() { " mirror" } else { "" };
        let numbers = numbers_of(self.fast.precision());
        let weights = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let told = format!("{} {input:?} {transform:?}{mirror}{numbers}", Digest::of(&weights));
        Ok(Digest::of(told.as_bytes()).to_string())
    }

    /// With `labeled`, each class must be one that the network knows.
    fn open(&self, path: &Path, labeled: bool) -> Result<Box<dyn Shown + '_>> {
        let options = self.folder_options(labeled);
        let way_out = match self.input.size {
            None if matches!(self.transform, Transform::Policy(_)) => {
                ", and the run brought its own to no common size: name the size that it was \
                     trained at, as --image-size 64x48"
            }
            _ => "",
        };
        Ok(Box::new(OpenImages {
            pictures: Arc::new(Pictures(FolderSet::open(path, &options)?)),
            net: &self.fast,
            evaluator: &self.evaluator,
            view: self.transform.view(),
            classes: self.input.classes.len(),
            batch: self.batch,
            way_out: way_out.to_owned(),
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
