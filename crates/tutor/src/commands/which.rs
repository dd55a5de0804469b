//! Which network of which run a command uses.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use torch::Device;
use torch::device::gpus;

use crate::papers;
use crate::run::experiment::Predictor;
use crate::run::folder;
use crate::run::seeds::seed_dir;
use crate::text::published::{self, Names};

/// Which network of which run.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// The folder of a run, as `runs/noisy-student/latest`.
    run: PathBuf,
    #[command(flatten)]
    choice: Choice,
}

/// Which network of a run, and how it is run.
#[derive(clap::Args, Clone)]
pub(crate) struct Choice {
    /// Which of its networks: `teacher`, `student-1`, ..., or the name of a row; the recipe's main
    /// one by default.
    #[arg(long)]
    model: Option<String>,
    /// Of which seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Width and height to which images are brought, as `64x48`, or `64` for a square; those of the
    /// run by default, since a network answers otherwise at another size than it was trained at.
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(u32, u32)>,
    /// `cpu`, `cuda`, `cuda:N`, or `auto`.
    #[arg(long, default_value = "auto")]
    device: String,
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
    let choice = Choice::of_row(None, 1, device);
    if Path::new(asked).join("recipe.toml").is_file() {
        return Ok(choice.load(Path::new(asked))?.0);
    }
    let network = published::classifier(asked, Names::OwnOrNumbered, choice.device()?)?;
    Ok(Box::new(network))
}

impl Which {
    /// Loads it; with it, what it is in words. On a machine with several GPUs, the process that has
    /// this `place` among several on it takes the GPU of that number, where none is named.
    pub(crate) fn load(&self, place: Option<usize>) -> Result<(Box<dyn Predictor>, String)> {
        let mut choice = self.choice.clone();
        if let (Some(place), "auto") = (place, choice.device.as_str())
            && let count @ 1.. = gpus()
        {
            choice.device = format!("cuda:{}", place % count);
        }
        choice.load(&self.run)
    }
}

impl Choice {
    /// A row of a run, of one of its seeds.
    pub(crate) fn of_row(model: Option<String>, seed: u64, device: &str) -> Self {
        Self { model, seed, size: None, device: device.to_owned() }
    }

    /// The name that is asked for.
    pub(crate) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The device that it runs on.
    pub(crate) fn device(&self) -> Result<Device> {
        super::device::chosen(&self.device)
    }

    /// The size that images are brought to, if it is not the network's own.
    pub(crate) fn size(&self) -> Option<(u32, u32)> {
        self.size
    }

    /// Loads a network of a run; with it, what it is in words.
    pub(crate) fn load(&self, run: &Path) -> Result<(Box<dyn Predictor>, String)> {
        let (text, started) = folder::read(run)?;
        let experiment = papers::resolve(&text, false, true, &[])
            .with_context(|| run.join("recipe.toml").display().to_string())?;
        let seed = seed_dir(run, self.seed);
        ensure!(
            seed.is_dir(),
            "{} has no seed {}; its seeds are {:?}",
            run.display(),
            self.seed,
            started.seeds
        );
        let device = self.device()?;
        let mut predictor = experiment.predictor(&seed, self.model.as_deref(), device)?;
        if let Some(size) = self.size {
            predictor.resize(size)?;
        }
        let (name, of) = (predictor.about(), &experiment.head().name);
        let about = format!("{name} of {of} (seed {})", self.seed);
        Ok((predictor, about))
    }
}
