//! Where a run computes and is kept: options of every command that runs a recipe.

use std::path::{Path, PathBuf};

use anyhow::Result;
use report::RunResult;
use report::words::shell;
use torch::Device;

use super::device::DeviceArg;
use super::ranges;
use crate::papers;
use crate::run::driver::{self, Options};

/// Where a run computes and is kept.
#[derive(clap::Args)]
pub(super) struct Place {
    #[command(flatten)]
    pub(super) device: DeviceArg,
    /// Folder in which runs are kept.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Begin anew even if the same command was stopped before its end.
    #[arg(long)]
    fresh: bool,
    /// Threads that libtorch computes with, at most four times the processors; by default one per
    /// core. The last bits of results depend on it.
    #[arg(long, value_parser = ranges::threads)]
    threads: Option<usize>,
}

impl Place {
    /// The device that is asked for; it computes with the threads that are asked for from now on.
    pub(super) fn device(&self) -> Result<Device> {
        self.set_threads();
        self.device.chosen()
    }

    /// Computes with the threads that are asked for.
    pub(super) fn set_threads(&self) {
        if let Some(threads) = self.threads {
            torch::device::set_threads(threads);
        }
    }

    /// How a recipe is run here. `data` is the folder of data sets.
    pub(super) fn options<'a>(
        &'a self,
        quick: bool,
        data: Option<&'a Path>,
        device: Device,
    ) -> Options<'a> {
        Options { quick, data, device, out: &self.out, fresh: self.fresh }
    }

    /// Runs a recipe that names its own data, given as text; what it found, and its folder.
    pub(super) fn run(&self, recipe: &str, device: Device) -> Result<Done> {
        let mut experiment = papers::resolve(recipe, false, true, &[])?;
        let (result, page) = driver::run(&mut *experiment, &self.options(false, None, device))?;
        let dir = page.parent().unwrap_or(&self.out).to_owned();
        Ok(Done { result, dir, page })
    }
}

/// A path as a word of a command that is shown.
pub(super) fn shell_path(path: &Path) -> String {
    shell(&path.display().to_string())
}

/// A run that came to its end.
pub(super) struct Done {
    pub(super) result: RunResult,
    pub(super) dir: PathBuf,
    pub(super) page: PathBuf,
}
