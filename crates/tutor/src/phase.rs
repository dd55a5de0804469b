//! One training: a network, a method and streams of images, in a folder of its own.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use augment::policy::Policy;
use augment::rng::Key;
use data_pipeline::loader::{Loader, Stream};
use serde::{Deserialize, Serialize};
use ssl_core::{Method, Ssl};
use torch::optim::OptimConfig;
use torch::precision::Precision;
use torch::{Device, Model, Params, store};
use train::{Ema, Objective, Outcome, Plan, Schedule, StageDir, Swa, Watch, fit};
use vision_models::NetConfig;

use crate::assemble::{Data, Pool};
use crate::evaluate::{Look, Predictions};
use crate::feed::{Feed, Targets};
use crate::feedback::{Fed, Feedback, Learner, PROBE, Probes};
use crate::recipe::Cadence;
use crate::recipe::methods::{Metric, Select, Weights};

/// A training was told to stop and has written its checkpoint.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stopped; a checkpoint is written, and the same command goes on from it")
    }
}

impl std::error::Error for Interrupted {}

/// What all trainings of one seed share.
pub(crate) struct Setting<'a> {
    pub(crate) data: &'a Data,
    pub(crate) device: Device,
    pub(crate) precision: Precision,
    pub(crate) cadence: &'a Cadence,
    pub(crate) eval_batch: usize,
    /// The resolved recipe, by which a checkpoint is known to belong to this run.
    pub(crate) recipe_text: &'a str,
    pub(crate) seed: u64,
}

/// What a training took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PhaseCost {
    /// Labelled and unlabelled images, repetitions counted.
    pub(crate) images: u64,
    /// Wall clock over all the times it was started.
    pub(crate) seconds: f64,
}

impl PhaseCost {
    /// Images a second; 0 when nothing was trained.
    pub(crate) fn images_per_s(self) -> f64 {
        if self.seconds > 0.0 { self.images as f64 / self.seconds } else { 0.0 }
    }
}

impl std::ops::AddAssign for PhaseCost {
    fn add_assign(&mut self, other: Self) {
        self.images += other.images;
        self.seconds += other.seconds;
    }
}

/// One training.
pub(crate) struct Phase<'a> {
    /// The folder of its checkpoints, metrics and final weights.
    pub(crate) dir: PathBuf,
    /// Keys its random numbers together with the run's seed; phases of one name start alike.
    pub(crate) name: &'a str,
    pub(crate) net: &'a NetConfig,
    pub(crate) steps: u64,
    pub(crate) lr: &'a Schedule,
    pub(crate) optim: &'a OptimConfig,
    pub(crate) ema: Option<Ema>,
    pub(crate) swa: Option<Swa>,
    /// Of the strong views; the first stream then has a probe beside each labelled image.
    pub(crate) feedback: Option<Arc<Feedback>>,
    pub(crate) eval_augment: &'a Policy,
    pub(crate) streams: Vec<Stream>,
    pub(crate) targets: Option<Targets>,
    /// Weights to start from.
    pub(crate) start: Option<&'a Params>,
    /// Parameters whose names begin so are not trained.
    pub(crate) frozen: &'a [String],
    /// Images whose accuracy is recorded beside the validation part's, and decides nothing.
    pub(crate) watched: Option<&'a Pool>,
    pub(crate) select: Select,
}

impl Setting<'_> {
    /// Host arrays to tensors of this data.
    pub(crate) fn feed(&self, targets: Option<Targets>) -> Feed {
        Feed {
            device: self.device,
            normalization: self.data.input.normalization.clone(),
            classes: self.classes(),
            targets,
        }
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.data.input.classes.len()
    }

    /// Makes the network of a phase with its initial weights.
    pub(crate) fn build(&self, net: &NetConfig) -> Model {
        net.build(self.device, self.data.input.channels as i64, self.classes() as i64)
    }

    /// A number for the random choices of something named `name` in this run.
    pub(crate) fn key(&self, name: &str) -> u64 {
        let step = |seed, byte: u8| {
            Key { seed, epoch: 0, index: u64::from(byte), view: 1002 }.rng().next_u64()
        };
        name.bytes().fold(self.seed, step)
    }

    /// What a network says of a pool, without noise.
    fn look(&self, model: &Model, pool: &Pool, policy: &Policy) -> Result<Predictions> {
        let feed = self.feed(None);
        Look::clean(&feed, policy, self.eval_batch, self.cadence.workers).at(model, pool)
    }

    /// Takes batch norm's running statistics of a network anew, over training images without augmentation.
    fn calibrate(&self, model: &Model, policy: &Policy) -> Result<()> {
        let pool = match self.data.unlabeled.len() {
            0 => &self.data.labeled,
            _ => &self.data.unlabeled,
        };
        let pool = pool.spread(CALIBRATION.next_multiple_of(self.eval_batch));
        let feed = self.feed(None);
        Look::clean(&feed, policy, self.eval_batch, self.cadence.workers).calibrate(model, &pool)
    }

    /// Trains, or takes up where an earlier process was stopped, or loads what is finished. Returns the network that is
    /// evaluated.
    pub(crate) fn train(
        &self,
        phase: Phase<'_>,
        method: Box<dyn Method>,
        watch: &mut dyn Watch,
    ) -> Result<(Model, PhaseCost)> {
        let stage = StageDir::open(&phase.dir)?;
        torch::rng::seed(self.key(phase.name));
        let model = self.build(phase.net);
        if let Some(done) = stage.done()? {
            let stored = store::load(&stage.final_path())?;
            model.params.load(&stored.tensors)?;
            return Ok((model, serde_json::from_value(done.summary)?));
        }
        if let Some(start) = phase.start {
            model.params.copy_from(start);
        }
        if phase.steps == 0 {
            // Given weights, taken as they are.
            let cost = PhaseCost::default();
            stage.finish(&model.params, &cost)?;
            return Ok((model, cost));
        }
        ensure!(
            phase.select == Select::default() || self.data.validation.len() > 0,
            "select: weights can be chosen on a validation part only, and there is none: give data.validation or data.validation_share, or set select.weights=last and select.metric=accuracy"
        );
        for prefix in phase.frozen {
            ensure!(
                model.params.trainable().any(|p| p.name.starts_with(prefix)),
                "frozen: no parameter's name begins with {prefix}; the first is {}",
                model.params.names().next().unwrap_or_default()
            );
        }
        for param in model
            .params
            .trainable()
            .filter(|p| phase.frozen.iter().any(|prefix| p.name.starts_with(prefix)))
        {
            let _ = param.tensor.set_requires_grad(false);
        }
        let twin = phase.ema.map(|ema| (self.build(phase.net), ema));
        let mut ssl = Ssl::new(method, model, twin);
        if let Some(swa) = phase.swa {
            ssl = ssl.with_swa(self.build(phase.net), swa);
        }
        let mut objective = Learner::new(ssl, phase.feedback.clone());
        let mut optimizer = phase.optim.build(objective.params());
        let plan = Plan {
            steps: phase.steps,
            lr: phase.lr.clone(),
            log_every: self.cadence.log,
            eval_every: self.cadence.evaluate,
            checkpoint_every: self.cadence.checkpoint,
            keep: self.cadence.keep,
            best: (self.data.validation.len() > 0)
                .then(|| metric_name(phase.select.metric).to_owned()),
            clip_norm: None,
            precision: self.precision,
            device: self.device,
            recipe: self.recipe_text.to_owned(),
            batch_samples: phase.streams.iter().map(|s| s.batch as u64).sum(),
        };
        let feed = self.feed(phase.targets);
        let streams = phase.streams;
        let workers = self.cadence.workers;
        let beginning = objective.beginning();
        let feedback = phase.feedback.clone();
        let batches = |from| {
            beginning(from);
            let labeled = streams[0].seed;
            let mut steps = Loader::start(streams, from, Some(phase.steps), workers);
            if let Some(feedback) = feedback.clone() {
                steps = steps.when_stopped(move || feedback.end());
            }
            steps.map(move |step| {
                let step = step?;
                let probes = feedback.as_ref().map(|feedback| Probes {
                    images: feed.images(&step.batches[0].views[PROBE]),
                    choices: feedback.choices(labeled, &step.batches[0]),
                });
                Ok(Fed { batch: feed.batch(&step)?, probes })
            })
        };
        let evaluate = |objective: &mut Learner, _at| -> Result<Vec<(String, f64)>> {
            if let Some(swa) = objective.ssl.swa() {
                self.calibrate(swa, phase.eval_augment)?;
            }
            let pools = [(VALIDATION, Some(&self.data.validation)), (WATCHED, phase.watched)];
            let mut found = Vec::new();
            for (name, pool) in pools {
                let Some(pool) = pool else { continue };
                let said = self.look(objective.ssl.evaluated(), pool, phase.eval_augment)?;
                let truth = pool.labels();
                found.extend(said.accuracy(&truth).map(|a| (name.to_owned(), a)));
                if name == VALIDATION && phase.select.metric == Metric::BalancedAccuracy {
                    let balanced = said.balanced_accuracy(&truth);
                    found.extend(balanced.map(|a| (BALANCED.to_owned(), a)));
                }
            }
            Ok(found)
        };
        let outcome = fit(&mut objective, &mut optimizer, &plan, &stage, batches, evaluate, watch)
            .with_context(|| format!("training in {}", phase.dir.display()))?;
        let Outcome::Finished(summary) = outcome else { bail!(Interrupted) };
        if phase.select.weights == Weights::Best {
            let best = stage.checkpoints().best()?;
            let missing = || format!("{} is missing", stage.checkpoints().best_path().display());
            best.with_context(missing)?.restore(&objective)?;
        }
        let trained = objective.ssl.into_evaluated();
        // Heads that a method added are no part of the result.
        let evaluated = self.build(phase.net);
        let own = |name: &str| evaluated.params.get(name).is_some();
        evaluated
            .params
            .load(&trained.params.tensors().into_iter().filter(|(name, _)| own(name)).collect())?;
        let cost = PhaseCost { images: phase.steps * plan.batch_samples, seconds: summary.seconds };
        stage.finish(&evaluated.params, &cost)?;
        Ok((evaluated, cost))
    }
}

/// From how many images running statistics are taken anew, at least.
const CALIBRATION: usize = 1024;

/// The metric of the learning curves, in percent.
pub(crate) const VALIDATION: &str = "validation_accuracy";

/// The mean over classes, in percent, where weights are chosen by it.
const BALANCED: &str = "validation_balanced_accuracy";

/// The name of a metric in a training's record.
pub(crate) fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => VALIDATION,
        Metric::BalancedAccuracy => BALANCED,
    }
}

/// The accuracy on [`Phase::watched`], in percent.
pub(crate) const WATCHED: &str = "watched_accuracy";
