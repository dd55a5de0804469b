//! The result of a run, loaded for use on other images.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use augment::policy::Policy;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad};
use torch::{Model, store};
use vision_models::NetConfig;

use crate::assemble::Pool;
use crate::evaluate::{Look, Predictions};
use crate::feed::Feed;
use crate::input::Input;
use crate::recipe::methods::MethodsRecipe;
use crate::recipe::{AnyRecipe, Recipe};
use crate::run_folder;

/// A trained network with all that is needed to show it an image.
pub(crate) struct Finished {
    model: Model,
    feed: Feed,
    eval_augment: Policy,
    eval_batch: usize,
    pub(crate) input: Input,
    /// What is loaded, in words.
    pub(crate) about: String,
}

/// Which network of which run.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// The folder of a run, as `runs/noisy-student/latest`.
    run: PathBuf,
    /// Which of its networks: `teacher`, `student-1`, ..., or the name of a row; the last of them by default.
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
        let seed = which.run.join(format!("seed-{}", which.seed));
        ensure!(
            seed.is_dir(),
            "{} has no seed {}; its seeds are {:?}",
            which.run.display(),
            which.seed,
            started.seeds
        );
        let Place { name, net, dir, input, eval_augment, eval_batch } = match &recipe {
            AnyRecipe::NoisyStudent(recipe) => Place::of_student(recipe, which, &seed)?,
            AnyRecipe::Methods(recipe) => Place::of_row(recipe, which, &seed)?,
            AnyRecipe::Points(recipe) => {
                bail!("{}: its networks know points of the plane, not images", recipe.name)
            }
        };
        let path = dir.join("final.safetensors");
        ensure!(
            path.exists(),
            "{} is not there: the run has not come to it; run the same command again",
            path.display()
        );
        let input = Input::load(&input)?;
        let model = net.build(device, input.channels as i64, input.classes.len() as i64);
        model
            .params
            .load(&store::load(&path)?.tensors)
            .with_context(|| path.display().to_string())?;
        let normalization = input.normalization.clone();
        Ok(Self {
            model,
            feed: Feed { device, normalization, classes: input.classes.len(), targets: None },
            eval_augment,
            eval_batch,
            input,
            about: format!("{name} of {} (seed {})", recipe.name(), which.seed),
        })
    }

    /// Opens a folder of images as the network wants them; files that are no images are skipped and counted.
    ///
    /// With `labeled`, sub-folders are classes, and each must be one that the network knows.
    pub(crate) fn open(&self, dir: &Path, labeled: bool) -> Result<FolderSet> {
        let options = FolderOptions {
            labeled,
            classes: labeled.then(|| self.input.classes.clone()),
            grey: self.input.channels == 1,
            size: self.input.size,
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

/// Where a network lies and what it is shown.
struct Place {
    name: String,
    net: NetConfig,
    dir: PathBuf,
    /// The folder that says what images it was trained on.
    input: PathBuf,
    eval_augment: Policy,
    eval_batch: usize,
}

impl Place {
    fn of_student(recipe: &Recipe, which: &Which, seed: &Path) -> Result<Self> {
        let last = format!("student-{}", recipe.generations.len());
        let name = which.model.as_deref().unwrap_or(&last);
        let (recipe, net, dir) = match (name, name.strip_prefix("student-")) {
            ("teacher", _) => (recipe.clone(), recipe.teacher.net.clone(), seed.join(name)),
            (_, Some(number)) => {
                let number = number.parse::<usize>().ok();
                let generation = number.and_then(|n| recipe.generations.get(n.wrapping_sub(1)));
                let generation = generation.with_context(|| {
                    format!("there is no {name} in this run; its last is {last}")
                })?;
                (recipe.clone(), generation.net.clone(), seed.join(name))
            }
            (row, None) => {
                let recipe = recipe.row(row)?;
                let net = recipe.generations[0].net.clone();
                (recipe, net, seed.join("rows").join(row))
            }
        };
        // Those of the resolution fix where a student had one.
        let (dir, eval_augment) = match &recipe.student.fix_resolution {
            _ if name == "teacher" => (dir, recipe.eval_augment.clone()),
            Some(fix) => (dir.join("fix-resolution"), fix.eval_augment.clone()),
            None => (dir, recipe.student_eval().clone()),
        };
        let (input, eval_batch) = (seed.to_owned(), recipe.eval_batch);
        Ok(Self { name: name.to_owned(), net, dir, input, eval_augment, eval_batch })
    }

    fn of_row(recipe: &MethodsRecipe, which: &Which, seed: &Path) -> Result<Self> {
        let trainings = recipe.trainings()?;
        let names = || trainings.iter().map(|t| t.0.as_str()).collect::<Vec<_>>().join(", ");
        let found = match &which.model {
            Some(name) => trainings.iter().find(|t| t.0 == *name),
            None => trainings.last(),
        };
        let (name, _, train) = found.with_context(|| {
            format!(
                "there is no {} in this run; its rows are {}",
                which.model.as_deref().unwrap_or("row"),
                names()
            )
        })?;
        let dir = seed.join(name);
        Ok(Self {
            name: name.clone(),
            net: train.net.clone(),
            input: dir.clone(),
            dir,
            eval_augment: recipe.eval_augment.clone(),
            eval_batch: recipe.eval_batch,
        })
    }
}
