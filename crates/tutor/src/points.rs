//! Methods on points of the plane, watched while they learn.

mod picture;
mod shapes;
pub(crate) mod summary;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use ssl_core::{Config, Facts, Method, Ssl};
use torch::{Device, Kind, Mode, Model, Tensor, no_grad};
use train::{Objective, Outcome, Plan, StageDir, fit};

use crate::outcome::{curve, found_before};
use crate::phase::{Interrupted, PhaseCost, VALIDATION};
use crate::progress::Progress;
use crate::recipe::points::{Learner, PointRow, PointsRecipe, Shape};
use crate::report::result::write_atomically;
use crate::report::visuals::Curve;
use shapes::{Cloud, Perceptron, Scene, tensor};

/// What one training found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) shape: Shape,
    /// The row's name.
    pub(crate) row: String,
    /// Percent of new points that fall to their class.
    pub(crate) accuracy: f64,
    pub(crate) curve: Curve,
    pub(crate) cost: PhaseCost,
}

const FILE: &str = "spread.json";

/// Runs one seed of all shapes and rows in `dir`, or reads what an earlier process found there.
pub(crate) fn run(
    recipe: &PointsRecipe,
    recipe_text: &str,
    device: Device,
    seed: u64,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<Vec<Spread>> {
    let mut found = Vec::new();
    for &shape in &recipe.points.shapes {
        let scene = Scene::draw(shape, &recipe.points, seed);
        for row in &recipe.rows {
            let training =
                Training { recipe, recipe_text, device, seed, shape, scene: &scene, row };
            let what = || format!("{} on {}", row.name, shape.name());
            found.push(training.run(&training.dir(dir), progress).with_context(what)?);
        }
        draw(recipe, shape, &scene, dir)?;
    }
    Ok(found)
}

/// The pictures of a shape: every row at some moments below each other, and each row's film.
fn draw(recipe: &PointsRecipe, shape: Shape, scene: &Scene, dir: &Path) -> Result<()> {
    let mut sheet = Vec::new();
    for row in &recipe.rows {
        let pictures = moments(recipe)
            .into_iter()
            .map(|step| {
                Ok(picture::draw(
                    &picture::load(&field(&dir.join(place(shape, row)), step))?,
                    scene,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        write_atomically(&dir.join(film_of(shape, row)), &picture::film(&pictures)?)?;
        sheet.push(chosen(pictures.len()).map(|i| pictures[i].clone()).to_vec());
    }
    write_atomically(&dir.join(sheet_of(shape)), &picture::still(&picture::sheet(&sheet))?)?;
    Ok(())
}

/// The folder of a training below its seed's.
fn place(shape: Shape, row: &PointRow) -> PathBuf {
    Path::new(shape.name()).join(&row.name)
}

/// The file of a film below its seed's folder.
pub(crate) fn film_of(shape: Shape, row: &PointRow) -> PathBuf {
    PathBuf::from(format!("{}-{}.png", shape.name(), row.name))
}

/// The file of all rows' stills below their seed's folder.
pub(crate) fn sheet_of(shape: Shape) -> PathBuf {
    PathBuf::from(format!("{}.png", shape.name()))
}

/// The file of a field of probabilities below its training's folder.
fn field(dir: &Path, step: u64) -> PathBuf {
    dir.join("fields").join(format!("{step:08}.png"))
}

/// After how many steps the boundary is drawn.
pub(crate) fn moments(recipe: &PointsRecipe) -> Vec<u64> {
    let (every, steps) = (recipe.cadence.evaluate, recipe.learner.steps);
    (1..=steps).filter(|step| step % every == 0 || *step == steps).collect()
}

/// Which of `n` moments stand in the table: the first, the last, and some between, earlier ones denser.
pub(crate) fn chosen(n: usize) -> [usize; 5] {
    [0.0, 0.1, 0.25, 0.5, 1.0].map(|part| ((n - 1) as f64 * part).round() as usize)
}

/// One training.
struct Training<'a> {
    recipe: &'a PointsRecipe,
    recipe_text: &'a str,
    device: Device,
    seed: u64,
    shape: Shape,
    scene: &'a Scene,
    row: &'a PointRow,
}

impl Training<'_> {
    fn dir(&self, seed: &Path) -> PathBuf {
        seed.join(place(self.shape, self.row))
    }

    fn run(&self, dir: &Path, progress: &mut Progress<'_>) -> Result<Spread> {
        let file = dir.join(FILE);
        if let Some(found) = found_before(&file) {
            return Ok(found);
        }
        let fields = dir.join("fields");
        fs::create_dir_all(&fields).with_context(|| format!("cannot make {}", fields.display()))?;
        let (model, cost) = self.train(dir, progress)?;
        let found = Spread {
            shape: self.shape,
            row: self.row.name.clone(),
            accuracy: accuracy(&model, &self.scene.test, self.device),
            curve: curve(dir, &format!("{} {}", self.shape.name(), self.row.name), self.seed)?,
            cost,
        };
        write_atomically(&file, serde_json::to_string(&found)?.as_bytes())?;
        Ok(found)
    }

    fn train(&self, dir: &Path, progress: &mut Progress<'_>) -> Result<(Model, PhaseCost)> {
        let Learner { steps, .. } = self.recipe.learner;
        let (learner, cadence) = (&self.recipe.learner, &self.recipe.cadence);
        let stage = StageDir::open(dir)?;
        // Rows share their first weights, so that they differ in the method alone.
        torch::rng::seed(self.seed);
        let build = || Model::build(self.device, |scope| Perceptron::new(scope, &learner.hidden));
        let student = build();
        let twin = learner.ema.map(|ema| (build(), ema));
        let method = self.row.method.build(&Facts {
            classes: 2,
            unlabeled: self.scene.unlabeled.len() as i64,
            device: self.device,
        });
        let views = method.views();
        let mut objective = Ssl::new(method, student, twin);
        let mut optimizer = learner.optim.build(objective.params());
        let seen = self.scene.labeled.len() + learner.batch * views.unlabeled.len().min(1);
        let plan = Plan {
            log_every: cadence.log,
            eval_every: cadence.evaluate,
            checkpoint_every: cadence.checkpoint,
            keep: cadence.keep,
            device: self.device,
            recipe: self.recipe_text.to_owned(),
            batch_samples: seen as u64,
            ..Plan::new(steps, learner.lr.clone())
        };
        let batches = |from| {
            (from..steps).map(|step| Ok(self.scene.batch(step, &views, learner, self.device)))
        };
        let places = tensor(&picture::places(self.scene), self.device);
        let evaluate = |objective: &mut Ssl<Box<dyn Method>>,
                        at: train::Progress|
         -> Result<Vec<(String, f64)>> {
            let model = objective.evaluated();
            picture::save(&field(dir, at.step), &second(model, &places))?;
            let found = accuracy(model, &self.scene.validation, self.device);
            Ok(vec![(VALIDATION.to_owned(), found)])
        };
        let name = format!("{} {}", self.shape.name(), self.row.name);
        let watch = progress.phase(&name);
        let outcome = fit(&mut objective, &mut optimizer, &plan, &stage, batches, evaluate, watch)
            .with_context(|| format!("training in {}", dir.display()))?;
        let Outcome::Finished(summary) = outcome else { bail!(Interrupted) };
        let cost = PhaseCost { images: steps * plan.batch_samples, seconds: summary.seconds };
        let model = objective.into_evaluated();
        stage.finish(&model.params, &cost)?;
        Ok((model, cost))
    }
}

/// The probability of the second class at each of `points`, `[n, 2]`.
fn second(model: &Model, points: &Tensor) -> Vec<f32> {
    let guess = no_grad(|| model.forward(points, Mode::Eval).softmax(-1, Kind::Float));
    Vec::try_from(guess.select(1, 1).contiguous()).expect("a vector of float32")
}

fn accuracy(model: &Model, cloud: &Cloud, device: Device) -> f64 {
    cloud.accuracy(&second(model, &cloud.tensor(device)))
}
