//! Which network of which run a command uses.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::papers;
use crate::run::experiment::Predictor;
use crate::run::folder;
use crate::run::seeds::seed_dir;

/// Which network of which run.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// The folder of a run, as `runs/noisy-student/latest`.
    run: PathBuf,
    /// Which of its networks: `teacher`, `student-1`, ..., or the name of a row; the recipe's main
    /// one by default.
    #[arg(long)]
    model: Option<String>,
    /// Of which seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `cpu`, `cuda`, `cuda:N`, or `auto`.
    #[arg(long, default_value = "auto")]
    device: String,
}

impl Which {
    /// Loads it; with it, what it is in words.
    pub(crate) fn load(&self) -> Result<(Box<dyn Predictor>, String)> {
        let (text, started) = folder::read(&self.run)?;
        let experiment = papers::resolve(&text, false, true, &[])?;
        let seed = seed_dir(&self.run, self.seed);
        ensure!(
            seed.is_dir(),
            "{} has no seed {}; its seeds are {:?}",
            self.run.display(),
            self.seed,
            started.seeds
        );
        let device = super::device::chosen(&self.device)?;
        let predictor = experiment.predictor(&seed, self.model.as_deref(), device)?;
        let (name, of) = (predictor.about(), &experiment.head().name);
        let about = format!("{name} of {of} (seed {})", self.seed);
        Ok((predictor, about))
    }
}
