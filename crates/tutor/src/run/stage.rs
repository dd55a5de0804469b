//! One training of anything: a task in a folder of its own. The only caller of the training loop.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use metrics::Metric;
use torch::optim::Optimizer;
use torch::precision::Precision;
use torch::{Device, Model, Params, store};
use train::{
    Cadence, Callback, FitOptions, Objective, Outcome, Parallel, Progress, StageDir, Throughput,
    TrainConfig, fit,
};

use super::cost::StageCost;
use super::interrupt::Interrupted;
use super::memory;
use super::note::note;
use super::processes;
use crate::recipe::select::{Select, Weights};

/// What is trained in a stage: a network, a loss, batches and a measure.
pub(crate) trait Task {
    /// What is trained.
    type Net: Trained;

    /// The loss over the network's parameters.
    type Objective: Objective;

    /// Samples of a step, in the unit that a reader thinks in.
    fn throughput(&self) -> Throughput;

    /// The network with its initial weights; the generator is seeded before each call.
    fn build(&self) -> Result<Self::Net>;

    /// What training minimises, around the network from [`build`](Task::build).
    fn objective(&mut self, net: Self::Net) -> Result<Self::Objective>;

    /// The optimiser of its parameters.
    fn optimizer(&self, config: &TrainConfig, params: &Params) -> Optimizer {
        config.optim.build(params)
    }

    /// Whether a step's batch may come in parts (`accumulate`), as this task's batches do then.
    fn accumulates(&self) -> bool {
        false
    }

    /// The batches from a step on: a pure function of the step. In parts, they are counted instead.
    fn batches(&self, from: u64) -> Batches<'_, Self::Objective>;

    /// Measures the weights of the moment. Without a part to measure on it gives nothing.
    fn evaluate(&self, objective: &mut Self::Objective, at: Progress) -> Result<Vec<Metric>>;

    /// The name of a metric of [`evaluate`](Task::evaluate) by which weights can be chosen:
    /// `asked`, or the first; `None` if there is nothing to choose on.
    fn metric(&self, _asked: Option<&str>) -> Result<Option<String>> {
        Ok(None)
    }

    /// The network that the training results in, as [`build`](Task::build) makes it.
    fn finish(&self, objective: Self::Objective) -> Result<Self::Net>;
}

/// A network with named parameters, which are what is kept of it.
pub(crate) trait Trained {
    fn params(&self) -> &Params;
}

impl Trained for Model {
    fn params(&self) -> &Params {
        &self.params
    }
}

/// The batches of an objective, step by step.
pub(crate) type Batches<'a, O> = Box<dyn Iterator<Item = Result<<O as Objective>::Batch>> + 'a>;

/// Where and how a task is trained.
pub(crate) struct Stage<'a> {
    /// The folder of its checkpoints, record and final weights.
    pub(crate) dir: &'a Path,
    /// Seeds the generator of weights and noise.
    pub(crate) key: u64,
    pub(crate) config: &'a TrainConfig,
    pub(crate) cadence: &'a Cadence,
    pub(crate) select: &'a Select,
    pub(crate) precision: Precision,
    pub(crate) device: Device,
    /// Seconds after which the training ends whatever step it is at.
    pub(crate) seconds: Option<f64>,
    /// The resolved recipe, by which a checkpoint is known to belong to this run.
    pub(crate) recipe_text: &'a str,
}

impl Stage<'_> {
    /// Trains, or takes up where an earlier process was stopped, or loads what is finished. Returns
    /// the network that is evaluated.
    pub(crate) fn train<T: Task>(
        &self,
        mut task: T,
        callback: &mut dyn Callback,
    ) -> Result<(T::Net, StageCost)> {
        ensure!(
            self.config.accumulate == 1 || task.accumulates(),
            "train.accumulate is {}: this training takes its batches whole; leave it out",
            self.config.accumulate
        );
        let writes = processes::is_first();
        let stage = if writes { StageDir::open(self.dir)? } else { StageDir::beside(self.dir) };
        torch::rng::seed(self.key);
        let model = task.build()?;
        if let Some(done) = processes::from_first(|| Ok(stage.done()?))? {
            if writes {
                let stored = store::load(&stage.final_path())?;
                model.params().load(&stored.tensors)?;
            }
            processes::broadcast_all(model.params().tensors())?;
            return Ok((model, serde_json::from_value(done.summary)?));
        }
        let mut objective = task.objective(model)?;
        if self.config.steps == 0 {
            // Given weights, taken as they are.
            let model = task.finish(objective)?;
            processes::broadcast_all(model.params().tensors())?;
            let cost = StageCost::default();
            if writes {
                stage.finish(model.params(), &cost)?;
            }
            return Ok((model, cost));
        }
        let best = task.metric(self.select.metric.as_deref())?;
        ensure!(
            best.is_some() || *self.select == Select::default(),
            "select: weights can be chosen on a validation part only, and there is none: give the \
             data one, or leave select.metric out and set select.weights=last"
        );
        if writes {
            note_slow_bfloat16(self.precision, self.device);
        }
        let throughput = task.throughput();
        let per_step = throughput.per_step;
        let group = processes::group();
        let parallel = group.map(|group| Parallel::new(&group, self.config.batch_statistics));
        let options = FitOptions {
            parallel: parallel.as_ref(),
            config: self.config,
            cadence: self.cadence,
            select_by: best.as_deref(),
            precision: self.precision,
            device: self.device,
            throughput,
            time_limit: self.seconds.map(duration),
            recipe: self.recipe_text,
        };
        let mut optimizer = task.optimizer(self.config, objective.params());
        let outcome = memory::guarded(self.config.batch, || {
            let outcome = fit(
                &mut objective,
                &mut optimizer,
                &options,
                &stage,
                |from| task.batches(from),
                |objective: &mut T::Objective, at| task.evaluate(objective, at),
                callback,
            )?;
            Ok(outcome)
        })
        .with_context(|| format!("training in {}", self.dir.display()))?;
        let Outcome::Finished(summary) = outcome else { bail!(Interrupted) };
        if self.select.weights == Weights::Best {
            let way_out = || {
                let (best, dir) = (stage.checkpoints().best_path(), self.dir.display());
                format!("{} cannot be used: delete {dir} to train this stage again", best.display())
            };
            if writes {
                let best = stage.checkpoints().best().with_context(way_out)?;
                best.context("it is missing").with_context(way_out)?.restore(&objective)?;
            }
            processes::broadcast_all(objective.params().tensors())?;
            processes::broadcast_all(objective.state())?;
        }
        let model = task.finish(objective)?;
        let samples = summary.step * per_step;
        let cost = StageCost { samples, seconds: summary.seconds, flops: summary.flops };
        let cost = processes::from_first(|| Ok(cost))?;
        if writes {
            stage.finish(model.params(), &cost)?;
        }
        Ok((model, cost))
    }
}

/// So many seconds: 0 if they are negative, the longest duration if they are too many for one.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// Says once where bfloat16 costs time instead of saving it.
fn note_slow_bfloat16(precision: Precision, device: Device) {
    static SAID: Once = Once::new();
    if precision == Precision::Bfloat16 && Precision::fastest(device) != Precision::Bfloat16 {
        let why = match precision.has_instructions(device) {
            true => "multiplies in it no faster than in float32 (no AMX)",
            false => "has no instructions for it (AVX512-BF16)",
        };
        SAID.call_once(|| {
            note(&format!(
                "note: precision=bfloat16 makes this training slower: the processor {why}; \
                 precision=float32 is faster here"
            ));
        });
    }
}
