//! One training on points, watched while it learns.

use std::path::Path;

use anyhow::{Context, Result};
use data_pipeline::dataset::points::Shape;
use metrics::Metric;
use report::Curve;
use serde::{Deserialize, Serialize};
use ssl_core::{Method, MethodSettings, Ssl, TaskInfo, Views};
use torch::nn::Perceptron;
use torch::{Device, Kind, Mode, Model, Tensor, no_grad};
use train::{Progress, Throughput};

use super::files::{field, place};
use super::picture;
use super::recipe::{Recipe, RowConfig};
use super::shapes::{Cloud, Scene, tensor};
use crate::run::cost::StageCost;
use crate::run::files;
use crate::run::predictions::all_numbers;
use crate::run::seeds::SeedRun;
use crate::run::stage::{Batches, Task};

/// What one training found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Spread {
    pub(super) shape: Shape,
    /// The row's name.
    pub(super) row: String,
    /// Percent of new points that fall to their class.
    pub(super) accuracy: f64,
    pub(super) curve: Curve,
    pub(super) cost: StageCost,
}

const FILE: &str = "spread.json";

/// The metric of the learning curves, in percent.
const VALIDATION: &str = "validation_accuracy";

/// Trains a row on a scene, or reads what an earlier process found.
pub(super) fn run(
    recipe: &Recipe,
    row: &RowConfig,
    scene: &Scene,
    seed: &mut SeedRun<'_, '_>,
) -> Result<Spread> {
    let name = place(scene.shape, row);
    let dir = seed.dir.join(&name);
    files::make_folder(&dir.join("fields"))?;
    files::once(&dir.join(FILE), || {
        // Rows share their first weights, so that they differ in the method alone.
        let device = seed.device;
        let task = PointTask::new(recipe, row, scene, &dir, device);
        let how = (&recipe.train, &recipe.cadence);
        let (model, cost, curve) = seed.train(&name, how, task, VALIDATION)?;
        Ok(Spread {
            shape: scene.shape,
            row: row.name.clone(),
            accuracy: accuracy(&model, &scene.test, device)?,
            curve,
            cost,
        })
    })
    .with_context(|| format!("{} on {}", row.name, scene.shape.name()))
}

/// A perceptron that learns by a row's method.
struct PointTask<'a> {
    recipe: &'a Recipe,
    scene: &'a Scene,
    dir: &'a Path,
    device: Device,
    method: Option<Box<dyn Method>>,
    views: Views,
    /// Where each pixel of the pictures lies in the plane, `[pixels, 2]`.
    places: Tensor,
}

impl<'a> PointTask<'a> {
    fn new(
        recipe: &'a Recipe,
        row: &RowConfig,
        scene: &'a Scene,
        dir: &'a Path,
        device: Device,
    ) -> Self {
        let unlabeled = scene.unlabeled.len() as i64;
        let method = row.method.build(&TaskInfo { classes: 2, unlabeled, device });
        let (views, places) = (method.views(), tensor(&picture::places(scene), device));
        Self { recipe, scene, dir, device, method: Some(method), views, places }
    }
}

impl Task for PointTask<'_> {
    type Net = Model;
    type Objective = Ssl<Box<dyn Method>>;

    fn throughput(&self) -> Throughput {
        let unlabeled = self.recipe.unlabeled_batch * self.views.unlabeled.len().min(1);
        Throughput { unit: "points", per_step: (self.scene.labeled.len() + unlabeled) as u64 }
    }

    fn build(&self) -> Result<Model> {
        let hidden = &self.recipe.net.hidden;
        Ok(Model::build(self.device, |scope| Perceptron::new(scope, 2, hidden, 2)))
    }

    fn objective(&mut self, model: Model) -> Result<Self::Objective> {
        let ema = match self.recipe.train.ema {
            Some(ema) => Some((self.build()?, ema)),
            None => None,
        };
        let method = self.method.take().expect("a task is trained once");
        method.fits(model.classifier().inputs()).map_err(|e| e.within("method"))?;
        Ok(Ssl::new(method, model, ema))
    }

    fn batches(&self, from: u64) -> Batches<'_, Self::Objective> {
        let (shifts, count) = (self.recipe.views, self.recipe.unlabeled_batch);
        let steps = from..self.recipe.train.steps;
        Box::new(
            steps.map(move |step| {
                Ok(self.scene.batch(step, &self.views, (shifts, count), self.device))
            }),
        )
    }

    fn evaluate(&self, objective: &mut Self::Objective, at: Progress) -> Result<Vec<Metric>> {
        let model = objective.evaluated();
        picture::save(&field(self.dir, at.step), &second(model, &self.places)?)?;
        let found = accuracy(model, &self.scene.validation, self.device)?;
        Ok(vec![Metric::higher(VALIDATION, "%", found)])
    }

    fn finish(&self, objective: Self::Objective) -> Result<Model> {
        Ok(objective.into_evaluated())
    }
}

/// The probability of the second class at each of `points`, `[n, 2]`.
fn second(model: &Model, points: &Tensor) -> Result<Vec<f32>> {
    let probs = no_grad(|| model.forward(points, Mode::Eval).softmax(-1, Kind::Float));
    let second = Vec::try_from(probs.select(1, 1).contiguous())?;
    all_numbers(&second)?;
    Ok(second)
}

fn accuracy(model: &Model, cloud: &Cloud, device: Device) -> Result<f64> {
    Ok(cloud.accuracy(&second(model, &cloud.tensor(device))?))
}
