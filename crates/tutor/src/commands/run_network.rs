//! Which network of which run a command uses.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use torch::Device;
use torch::device::gpus;

use super::device::DeviceArg;
use crate::papers;
use crate::run::annotator::Annotator;
use crate::run::experiment::{Experiment, Predictor};
use crate::run::folder;
use crate::run::seeds::seed_dir;
use crate::text::published::{self, Names};

/// Which network of which run.
#[derive(clap::Args)]
pub(crate) struct RunNetwork {
    /// Folder of a run, as `runs/noisy-student/latest`.
    run: PathBuf,
    #[command(flatten)]
    choice: NetworkChoice,
}

/// Which network of a run, and how it is run.
#[derive(clap::Args, Clone)]
pub(crate) struct NetworkChoice {
    /// Network of the run: `teacher`, `student-1`, ..., or the name of a row; the recipe's main one
    /// by default.
    #[arg(long)]
    model: Option<String>,
    /// Seed of the run whose network is taken.
    #[arg(long, value_name = "N", default_value_t = 1)]
    run_seed: u64,
    /// Width and height in pixels to which images are resized, as `64x48`, or `64` for a square; by
    /// default the size of the training, as a network answers differently at another one.
    #[arg(long, value_name = "WxH", value_parser = size)]
    image_size: Option<(u32, u32)>,
    #[command(flatten)]
    device: DeviceArg,
}

/// `64x48`, or `64` for a square.
fn size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text.split_once('x').unwrap_or((text, text));
    match (width.trim().parse(), height.trim().parse()) {
        (Ok(width @ 1..=16_384), Ok(height @ 1..=16_384)) => Ok((width, height)),
        _ => Err(format!("{text:?} is no size: write WIDTHxHEIGHT, each from 1 to 16384")),
    }
}

/// The classifier of texts that is asked for, on a device: of a run, by its folder, or a published
/// one.
pub(crate) fn classifier(asked: &str, device: &str) -> Result<Box<dyn Predictor>> {
    let choice = NetworkChoice::of_row(None, 1, device);
    if Path::new(asked).join("recipe.toml").is_file() {
        return Ok(choice.load(Path::new(asked))?.0);
    }
    let network = published::classifier(asked, Names::OwnOrNumbered, choice.device()?)?;
    Ok(Box::new(network))
}

impl RunNetwork {
    /// Loads it; with it, what it is in words. On a machine with several GPUs, the process that has
    /// this `place` among several on it takes the GPU of that number, where none is named.
    pub(crate) fn load(&self, place: Option<usize>) -> Result<(Box<dyn Predictor>, String)> {
        let mut choice = self.choice.clone();
        if let (Some(place), "auto") = (place, choice.device.name())
            && let count @ 1.. = gpus()
        {
            choice.device = DeviceArg::named(&format!("cuda:{}", place % count));
        }
        choice.load(&self.run)
    }

    /// The network as one that answers files in the form of its task, if it is one; with it, what
    /// it is in words.
    pub(crate) fn annotator(&self) -> Result<Option<(Box<dyn Annotator>, String)>> {
        let (experiment, seed) = self.choice.open(&self.run)?;
        let found = experiment.annotator(&seed, self.choice.model())?;
        let about = format!("{} (seed {})", experiment.head().name, self.choice.run_seed);
        Ok(found.map(|annotator| (annotator, about)))
    }

    /// Which network, and how it is run.
    pub(crate) fn choice(&self) -> &NetworkChoice {
        &self.choice
    }
}

impl NetworkChoice {
    /// A row of a run, of one of its seeds.
    pub(crate) fn of_row(model: Option<String>, run_seed: u64, device: &str) -> Self {
        Self { model, run_seed, image_size: None, device: DeviceArg::named(device) }
    }

    /// The name that is asked for.
    pub(crate) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The device that it runs on.
    pub(crate) fn device(&self) -> Result<Device> {
        self.device.chosen()
    }

    /// Width and height in pixels to which images are resized, if not to the network's own size.
    pub(crate) fn image_size(&self) -> Option<(u32, u32)> {
        self.image_size
    }

    /// What was run, and the folder of the seed.
    fn open(&self, run: &Path) -> Result<(Box<dyn Experiment>, PathBuf)> {
        let (text, started) = folder::read(run)?;
        let experiment = papers::resolve(&text, false, true, &[])
            .with_context(|| run.join("recipe.toml").display().to_string())?;
        let seed = seed_dir(run, self.run_seed);
        ensure!(
            seed.is_dir(),
            "{} has no seed {}; its seeds are {:?}",
            run.display(),
            self.run_seed,
            started.seeds
        );
        Ok((experiment, seed))
    }

    /// Loads a network of a run; with it, what it is in words.
    pub(crate) fn load(&self, run: &Path) -> Result<(Box<dyn Predictor>, String)> {
        let (experiment, seed) = self.open(run)?;
        let device = self.device()?;
        let mut predictor = experiment.predictor(&seed, self.model.as_deref(), device)?;
        if let Some(size) = self.image_size {
            predictor.resize(size)?;
        }
        let (name, of) = (predictor.about(), &experiment.head().name);
        let about = format!("{name} of {of} (seed {})", self.run_seed);
        Ok((predictor, about))
    }
}
