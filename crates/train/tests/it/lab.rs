//! A small objective in which everything matters that a checkpoint keeps: dropout, batch norm, an
//! EMA model, the optimiser's two states, a running confidence.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use metrics::Metric;
use torch::optim::{OptimConfig, Optimizer, RmsProp};
use torch::{Device, Kind, Mode, Net, Params, Scope, Tensor, flops, group, loss, nn, no_grad};
use train::ema::state_of;
use train::{
    Cadence, Callback, Ema, FitError, FitOptions, Loss, Objective, Outcome, Progress, Schedule,
    StageDir, Throughput, TrainConfig,
};

/// A convolution, batch norm, dropout and a linear layer for 6x6 images of three classes.
struct Small {
    conv: nn::Conv2d,
    norm: nn::BatchNorm,
    head: nn::Linear,
}

impl Small {
    fn new(scope: &mut Scope<'_>) -> Self {
        Self {
            conv: nn::Conv2d::new(&mut scope.sub("conv"), nn::ConvConfig::new(1, 6, 3)),
            norm: nn::BatchNorm::new(&mut scope.sub("norm"), 6, 0.1, 1e-3),
            head: nn::Linear::new(&mut scope.sub("head"), 6, 3),
        }
    }
}

impl Net for Small {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.norm.forward(&self.conv.forward(x), mode).relu();
        let x = x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float);
        self.head.forward(&nn::dropout(&x, 0.3, mode))
    }
}

/// Images `[batch, 1, 6, 6]` and class numbers `[batch]`.
pub(crate) struct Batch {
    images: Tensor,
    labels: Tensor,
}

/// A classifier with an EMA model and a running mean of its probabilities.
pub(crate) struct Student {
    net: Small,
    params: Params,
    ema: Small,
    average: Params,
    confidence: Tensor,
    confidence_name: &'static str,
    latest: Tensor,
    flops: u64,
}

impl Student {
    pub(crate) fn new() -> Self {
        let (net, params) = Params::build(Device::Cpu, Small::new);
        let (ema, average) = Params::build(Device::Cpu, Small::new);
        average.copy_from(&params);
        let confidence = Tensor::zeros([3], (Kind::Float, Device::Cpu));
        let latest = confidence.copy();
        let confidence_name = "confidence";
        Self { net, params, ema, average, confidence, confidence_name, latest, flops: 0 }
    }

    pub(crate) fn optimizer(&self) -> Optimizer {
        OptimConfig::Rmsprop(RmsProp::default()).build(&self.params)
    }

    /// Gives the running confidence another name.
    pub(crate) fn rename_confidence(&mut self, name: &'static str) {
        self.confidence_name = name;
    }

    /// Parameters and state, bit by bit.
    pub(crate) fn bits(&self) -> BTreeMap<String, Vec<u32>> {
        let all = self.params.tensors().into_iter().chain(self.state());
        let bits = |t: &Tensor| {
            let values = Vec::<f32>::try_from(t.detach().reshape([-1])).unwrap();
            values.into_iter().map(f32::to_bits).collect()
        };
        all.map(|(name, tensor)| (name, bits(&tensor))).collect()
    }

    pub(crate) fn accuracy(&self) -> f64 {
        let Batch { images, labels } = batch(1_000_000);
        let predicted = self.ema.forward(&images, Mode::Eval).argmax(-1, false);
        predicted.eq_tensor(&labels).to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
    }
}

impl Objective for Student {
    type Batch = Batch;

    fn params(&self) -> &Params {
        &self.params
    }

    fn loss(&mut self, batch: Batch, _at: Progress) -> Loss {
        let before = flops::counted();
        let logits = self.net.forward(&batch.images, Mode::Train);
        self.flops += flops::counted() - before;
        // The state decides how classes weigh, so that a lost state shows in the weights.
        let weights: Tensor = 1.0 / (1.0 + &self.confidence);
        let each = loss::cross_entropy(&logits, &batch.labels);
        let each = each * weights.gather(0, &batch.labels, false);
        let probabilities = logits.detach().softmax(-1, Kind::Float);
        let latest = probabilities.mean_dim([0_i64].as_slice(), false, Kind::Float);
        self.latest = group::mean(&latest);
        Loss::new()
            .term("sup", 1.0, each.mean(Kind::Float))
            .term("shrink", 0.01, logits.square().mean(Kind::Float))
            .note("largest", self.latest.max())
    }

    fn after_step(&mut self, at: Progress) {
        Ema::with_warmup(0.9).update(&self.average, &self.params, at);
        let _ = self.confidence.lerp_(&self.latest, 0.2);
    }

    fn flops(&self) -> u64 {
        self.flops
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = state_of("ema.", &self.average);
        state.push((self.confidence_name.to_owned(), self.confidence.shallow_clone()));
        state
    }
}

impl Batch {
    /// One process's share.
    pub(crate) fn share(self, rank: usize, size: usize) -> Batch {
        let own = train::parallel::equal_shard(self.labels.size()[0] as usize, rank, size);
        let own = own.expect("a multiple");
        let narrow = |t: Tensor| t.narrow(0, own.start as i64, own.len() as i64);
        Batch { images: narrow(self.images), labels: narrow(self.labels) }
    }
}

/// The batch of a step: a pure function of it, without libtorch's generator.
pub(crate) fn batch(step: u64) -> Batch {
    const SAMPLES: usize = 8;
    let mut state = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let labels: Vec<i64> = (0..SAMPLES).map(|_| (next() * 3.0) as i64).collect();
    let pixels: Vec<f32> =
        labels.iter().flat_map(|&y| [y as f32 / 2.0; 36]).map(|p| p + next() - 0.5).collect();
    Batch {
        images: Tensor::from_slice(&pixels).view([SAMPLES as i64, 1, 6, 6]),
        labels: Tensor::from_slice(&labels),
    }
}

/// Everything that a run is told.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) config: TrainConfig,
    pub(crate) cadence: Cadence,
    pub(crate) best: Option<&'static str>,
    pub(crate) recipe: String,
    pub(crate) seconds: Option<f64>,
}

impl Setup {
    /// The default cadence, no best checkpoint, no recipe.
    pub(crate) fn new(steps: u64, lr: Schedule) -> Self {
        let config = TrainConfig::new(steps, 8, lr, OptimConfig::default());
        Self {
            config,
            cadence: Cadence::default(),
            best: None,
            recipe: String::new(),
            seconds: None,
        }
    }

    pub(crate) fn options(&self) -> FitOptions<'_> {
        FitOptions {
            select_by: self.best,
            recipe: &self.recipe,
            time_limit: self.seconds.map(Duration::from_secs_f64),
            throughput: Throughput { unit: "images", per_step: 8 },
            ..FitOptions::new(&self.config, &self.cadence)
        }
    }
}

/// A setup of `steps` steps that logs, evaluates, checkpoints and keeps the best.
pub(crate) fn setup(steps: u64) -> Setup {
    let mut setup = Setup::new(steps, Schedule::HalfCosine { from: 0.02, to: 0.001, warmup: 3 });
    setup.config.clip_norm = Some(5.0);
    Setup {
        cadence: Cadence { log: 2, evaluate: 5, checkpoint: 4, keep: 3 },
        best: Some("accuracy"),
        recipe: "model = 'small'\nseed = 7\n".to_owned(),
        ..setup
    }
}

/// Starts or resumes the run in `folder`, as a program started anew would: returns how it ended and
/// the bits of the final state.
pub(crate) fn run(
    folder: &Path,
    setup: &Setup,
    callback: &mut dyn Callback,
) -> Result<(Outcome, BTreeMap<String, Vec<u32>>), FitError> {
    run_with(folder, setup, batch, callback)
}

/// The same with other batches.
pub(crate) fn run_with(
    folder: &Path,
    setup: &Setup,
    batch: impl Fn(u64) -> Batch,
    callback: &mut dyn Callback,
) -> Result<(Outcome, BTreeMap<String, Vec<u32>>), FitError> {
    let _alone = torch::rng::exclusive();
    torch::device::set_threads(1);
    torch::rng::seed(7);
    let mut student = Student::new();
    let mut optimizer = student.optimizer();
    let stage = StageDir::open(folder).expect("the stage's folder");
    let outcome = train::fit(
        &mut student,
        &mut optimizer,
        &setup.options(),
        &stage,
        |from| (from..).map(|step| Ok::<_, std::io::Error>(batch(step))),
        |student, _at| Ok(vec![Metric::higher("accuracy", "", student.accuracy())]),
        callback,
    )?;
    let mut bits = student.bits();
    for (name, tensor) in optimizer.state() {
        let values = Vec::<f64>::try_from(tensor.reshape([-1]).to_kind(Kind::Double)).unwrap();
        bits.insert(name, values.into_iter().map(|v| (v as f32).to_bits()).collect());
    }
    let generator = torch::rng::state(Device::Cpu)?;
    let generator = Vec::<u8>::try_from(generator).unwrap();
    bits.insert("generator".to_owned(), generator.into_iter().map(u32::from).collect());
    Ok((outcome, bits))
}

/// The record of a run without its clock.
pub(crate) fn record(folder: &Path) -> Vec<(u64, BTreeMap<String, Option<f64>>)> {
    let rows = train::record::read(&folder.join(train::record::FILE)).expect("the record");
    rows.into_iter().map(|row| (row.step, row.values)).collect()
}

/// Stops before some steps.
pub(crate) struct StopAt(pub(crate) u64);

impl Callback for StopAt {
    fn stop(&mut self, at: Progress) -> bool {
        at.step == self.0
    }
}

/// A batch whose images are not numbers.
pub(crate) fn spoiled(step: u64) -> Batch {
    let Batch { images, labels } = batch(step);
    Batch { images: no_grad(|| images * f64::NAN), labels }
}

/// One image of one value a channel where batch norm sees it.
pub(crate) fn single() -> Batch {
    let images = Tensor::ones([1, 1, 1, 1], (Kind::Float, Device::Cpu));
    Batch { images, labels: Tensor::from_slice(&[1_i64]) }
}
