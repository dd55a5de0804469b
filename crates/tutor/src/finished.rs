//! The result of a run, loaded for use on other images.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use augment::policy::Policy;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad};
use torch::{Model, store};

use crate::assemble::{Pool, Source};
use crate::evaluate::{Look, Predictions};
use crate::feed::Feed;
use crate::recipe::{DataConfig, Recipe};
use crate::run_folder;

/// A trained network with all that is needed to show it an image.
pub(crate) struct Finished {
    model: Model,
    feed: Feed,
    eval_augment: Policy,
    eval_batch: usize,
    pub(crate) classes: Vec<String>,
    /// Width and height to which images are brought, unless the policy does that; and whether they are grey.
    size: Option<(u32, u32)>,
    grey: bool,
    /// What is loaded, in words.
    pub(crate) about: String,
}

/// Which network of which run.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// The folder of a run, as `runs/noisy-student/latest`.
    run: PathBuf,
    /// Which of its networks: `teacher`, `student-1`, ...; the last student by default.
    #[arg(long)]
    model: Option<String>,
    /// Of which seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `cpu`, `cuda`, `cuda:N`, or `auto`.
    #[arg(long, default_value = "auto")]
    device: String,
}

impl Finished {
    /// Loads a network of a run.
    pub(crate) fn load(which: &Which) -> Result<Self> {
        let (recipe, started) = run_folder::read(&which.run)?;
        let device = torch::device::select(&which.device)?;
        let last = format!("student-{}", recipe.generations.len());
        let name = which.model.as_deref().unwrap_or(&last);
        let seed = which.run.join(format!("seed-{}", which.seed));
        ensure!(
            seed.is_dir(),
            "{} has no seed {}; its seeds are {:?}",
            which.run.display(),
            which.seed,
            started.seeds
        );
        let net = match name {
            "teacher" => &recipe.teacher.net,
            student => {
                let number = student.strip_prefix("student-").and_then(|n| n.parse::<usize>().ok());
                let generation = number.and_then(|n| recipe.generations.get(n.wrapping_sub(1)));
                &generation
                    .with_context(|| {
                        format!("there is no {student} in this run; its last is {last}")
                    })?
                    .net
            }
        };
        let (dir, eval_augment) = weights(&recipe, &seed, name);
        let path = dir.join("final.safetensors");
        ensure!(
            path.exists(),
            "{} is not there: the run has not come to it; run the same command again",
            path.display()
        );
        let source = Source::open(&recipe.data, started.data.as_deref())?;
        let data = source.draw(which.seed)?;
        let model = net.build(device, data.channels, data.classes.len() as i64);
        model
            .params
            .load(&store::load(&path)?.tensors)
            .with_context(|| path.display().to_string())?;
        let image = data.labeled.set.image(data.labeled.indices[0] as usize)?;
        Ok(Self {
            model,
            feed: Feed { device, normalization: data.normalization, targets: None },
            eval_augment,
            eval_batch: recipe.eval_batch,
            classes: data.classes,
            size: match &recipe.data {
                DataConfig::Folder { size, .. } => size.map(|[width, height]| (width, height)),
                _ => Some((image.width() as u32, image.height() as u32)),
            },
            grey: image.channels() == 1,
            about: format!("{name} of {} (seed {})", recipe.name, which.seed),
        })
    }

    /// Opens a folder of images as the network wants them; files that are no images are skipped and counted.
    ///
    /// With `labeled`, sub-folders are classes, and each must be one that the network knows.
    pub(crate) fn open(&self, dir: &Path, labeled: bool) -> Result<FolderSet> {
        let options = FolderOptions {
            labeled,
            classes: labeled.then(|| self.classes.clone()),
            grey: self.grey,
            size: self.size,
            on_bad: OnBad::Skip,
            ..FolderOptions::default()
        };
        let set = FolderSet::open(dir, &options)?;
        ensure!(
            data_pipeline::dataset::Samples::len(&set) > 0,
            "{}: there is no image",
            dir.display()
        );
        for skipped in set.skipped() {
            eprintln!("skipped: {}: {}", skipped.path.display(), skipped.fault);
        }
        Ok(set)
    }

    /// Class probabilities of all images of a pool.
    pub(crate) fn predict(&self, pool: &Pool) -> Result<Predictions> {
        Look::clean(&self.feed, &self.eval_augment, self.eval_batch, 1).at(&self.model, pool)
    }
}

/// The folder of a network's final weights and what it sees when it is evaluated: those of the resolution fix where a
/// student had one.
fn weights(recipe: &Recipe, seed: &Path, name: &str) -> (PathBuf, Policy) {
    let dir = seed.join(name);
    match &recipe.student.fix_resolution {
        Some(fix) if name != "teacher" => (dir.join("fix-resolution"), fix.eval_augment.clone()),
        _ => (dir, recipe.eval_augment.clone()),
    }
}
