//! One seed of any task: a training from the given network, and what is measured of it.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::digest::Digest;
use data_pipeline::error::DataError;
use data_pipeline::loader::{Loader, Stream};
use data_pipeline::text::{Pack, Sequence};
use electra::{EncoderConfig, PackedSequences};
use metrics::Metric;
use torch::optim::Optimizer;
use torch::{Device, Params, Scope};
use train::{Loss, Objective, Progress, Throughput, TrainConfig};

use super::recipe::Recipe;
use super::start::Start;
use super::summary::{Measure, Outcome, PREDICTIONS};
use crate::recipe::select::Select;
use crate::run::began::{self, Began};
use crate::run::seeds::{self, SeedRun};
use crate::run::stage::{Batches, Stage, Task, Trained};
use crate::run::{files, processes};
use crate::text::tokens::share_on_device;

/// The folder of the training in that of its seed.
pub(super) const FOLDER: &str = "training";

/// Sequences of a batch of an evaluation.
pub(super) const BATCH: usize = 64;

const FILE: &str = "outcome.json";

/// Fails if another network of a run is asked for than the one that there is.
pub(super) fn check_model(model: Option<&str>) -> Result<()> {
    ensure!(
        model.is_none_or(|model| model == FOLDER),
        "there is one network in this run, {FOLDER}"
    );
    Ok(())
}

/// An encoder with a head that learns from targets.
pub(super) trait Head: Sized {
    /// What is known of a sequence.
    type Target: Clone + Debug;

    /// The loss of a batch, a target for each sequence.
    fn loss(&self, packed: &PackedSequences, targets: &[Self::Target]) -> Loss;
}

/// A task with its data.
pub(super) trait Benchmark {
    type Head: Head;

    /// A head on an encoder, with its tensors.
    fn head(&self, scope: &mut Scope<'_>, encoder: &EncoderConfig) -> Self::Head;

    /// Adds to what a run began with the data that it measures on.
    fn add_to(&self, began: &mut Began);

    /// What is trained on.
    fn examples(&self) -> &Examples<<Self::Head as Head>::Target>;

    /// Measures a network, and writes its predictions into a folder.
    fn measure(&self, head: &Self::Head, folder: &Path, device: Device) -> Result<Vec<Measure>>;
}

/// Sequences with a target each.
pub(super) struct Examples<T> {
    sequences: Arc<Sequences>,
    targets: Vec<T>,
}

impl<T> Examples<T> {
    /// As many targets as sequences.
    pub(super) fn new(name: &str, sequences: Vec<Sequence>, targets: Vec<T>) -> Self {
        assert_eq!(sequences.len(), targets.len(), "targets of {name}");
        Self { sequences: Arc::new(Sequences(name.to_owned(), sequences)), targets }
    }

    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }
}

impl<T: Debug> Examples<T> {
    /// A digest of the sequences in token ids and of their targets.
    pub(super) fn digest(&self) -> Digest {
        let line = |(sequence, target): (&Sequence, &T)| {
            format!("{:?} {} {target:?}", sequence.ids, sequence.first)
        };
        Digest::of_lines(self.sequences.1.iter().zip(&self.targets).map(line))
    }
}

/// Sequences as the loader takes them.
struct Sequences(String, Vec<Sequence>);

impl Samples for Sequences {
    type Item = Sequence;

    fn len(&self) -> usize {
        self.1.len()
    }

    fn item(&self, index: usize) -> Result<Sequence, DataError> {
        Ok(self.1[index].clone())
    }

    fn label(&self, _: usize) -> Option<u32> {
        None
    }

    fn id(&self, index: usize) -> String {
        format!("{}/{index}", self.0)
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn size(&self, index: usize) -> u32 {
        self.1[index].len() as u32
    }
}

/// A network in training.
pub(super) struct Net<H> {
    head: H,
    params: Params,
}

impl<H> Trained for Net<H> {
    fn params(&self) -> &Params {
        &self.params
    }
}

impl<H: Head> Objective for Net<H> {
    type Batch = (PackedSequences, Vec<H::Target>);

    fn params(&self) -> &Params {
        &self.params
    }

    fn loss(&mut self, (packed, targets): Self::Batch, _: Progress) -> Loss {
        self.head.loss(&packed, &targets)
    }
}

struct Training<'a, B> {
    benchmark: &'a B,
    start: &'a Start,
    recipe: &'a Recipe,
    config: &'a TrainConfig,
    seed: u64,
    device: Device,
}

impl<B: Benchmark> Task for Training<'_, B> {
    type Net = Net<B::Head>;
    type Objective = Net<B::Head>;

    fn throughput(&self) -> Throughput {
        Throughput { unit: "sequences", per_step: self.config.batch as u64 }
    }

    fn build(&self) -> Result<Net<B::Head>> {
        let make = |scope: &mut Scope<'_>| self.benchmark.head(scope, self.start.encoder());
        let (head, params) = Params::build(self.device, make);
        Ok(Net { head, params })
    }

    fn objective(&mut self, net: Net<B::Head>) -> Result<Net<B::Head>> {
        self.start.load(&net.params)?;
        Ok(net)
    }

    fn optimizer(&self, config: &TrainConfig, params: &Params) -> Optimizer {
        let (rates, layers) = (self.recipe.finetuning.rates(), self.start.encoder().layers);
        config.optim.build_with_rates(params, |name| rates.of(name, layers))
    }

    fn batches(&self, from: u64) -> Batches<'_, Net<B::Head>> {
        let Examples { sequences, targets } = self.benchmark.examples();
        let seed = seeds::key(self.seed, "stream/finetune");
        let stream = Stream::shuffled(sequences.clone(), Pack, self.config.batch, seed);
        let (workers, share) = (self.recipe.workers, processes::share());
        let end = self.config.steps;
        let steps =
            Loader::builder(vec![stream]).steps(from..end).workers(workers).share(share).start();
        Box::new(steps.map(|step| {
            let step = step?;
            let batch = &step.batches[0];
            let drawn = batch.indices.iter().map(|&index| targets[index as usize].clone());
            Ok((share_on_device(&batch.data, self.device)?, drawn.collect()))
        }))
    }

    fn evaluate(&self, _: &mut Net<B::Head>, _: Progress) -> Result<Vec<Metric>> {
        Ok(Vec::new())
    }

    fn finish(&self, objective: Net<B::Head>) -> Result<Net<B::Head>> {
        Ok(objective)
    }
}

/// Keeps in a run's folder what it begins with, or makes sure that it still is that.
pub(super) fn keep_began<B: Benchmark>(benchmark: &B, start: &Start, run: &Path) -> Result<()> {
    let mut began = Began::default();
    start.add_to(&mut began);
    began.add("training", "examples to learn from", benchmark.examples().digest());
    benchmark.add_to(&mut began);
    began.keep(run, began::FILE)
}

/// Trains and measures a seed, or reads what an earlier process found.
pub(super) fn seed<B: Benchmark>(
    benchmark: &B,
    recipe: &Recipe,
    start: &Start,
    run: &mut SeedRun<'_, '_>,
) -> Result<Outcome> {
    let dir = run.dir.clone();
    files::make_folder(&dir)?;
    files::once(&dir.join(FILE), || {
        let config = recipe.train(benchmark.examples().len());
        let (seed, device) = (run.seed, run.device);
        let task = Training { benchmark, start, recipe, config: &config, seed, device };
        // What was loaded is said of a network that is thrown away: a finished one has no head
        // that is started anew.
        let loaded = start.load(&task.build()?.params)?;
        let stage = Stage {
            dir: &dir.join(FOLDER),
            key: seeds::key(seed, "finetune"),
            config: &config,
            cadence: &recipe.cadence,
            select: &Select::default(),
            precision: recipe.precision,
            device,
            seconds: None,
            recipe_text: run.recipe_text,
        };
        let (net, cost) = stage.train(task, run.stage(recipe.task.name()))?;
        let folder = dir.join(PREDICTIONS);
        files::make_folder(&folder)?;
        let measures = processes::each(|| benchmark.measure(&net.head, &folder, device))?;
        Ok(Outcome { measures, steps: config.steps, loaded, cost })
    })
}
