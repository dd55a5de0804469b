//! `tutor measure images`: seconds of a training step on random images, by any method. Images are
//! on the device before the clock starts, or come from the host's memory in each step; what reading
//! and augmenting them takes is left out.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use serde::Serialize;
use ssl_core::{Batch, Method, MethodConfig, MethodSettings, Ssl, TaskInfo};
use torch::device::tensor_on;
use torch::layout::image_batch;
use torch::optim::{OptimConfig, RmsProp, Sgd};
use torch::precision::{Precision, autocast};
use torch::{Device, Kind, Tensor, flops, no_grad};
use train::{Ema, Objective, Progress};
use vision_models::{EfficientNetConfig, NetConfig, SmallNetConfig, WideResNetConfig};

use super::super::device::DeviceArg;
use super::super::ranges;
use super::super::stdout::say;
use super::cost::{peak_bytes, wait};
use crate::run::files;

/// Which step is measured.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Network.
    #[arg(long, value_enum, default_value_t = Net::Wrn28x2)]
    net: Net,
    /// Method, by its kind in a recipe, with its default settings.
    #[arg(long, value_name = "KIND", default_value = "fixmatch", value_parser = method)]
    method: Named,
    /// Labelled images per step.
    #[arg(long, default_value_t = 64, value_parser = ranges::count::<u16>)]
    labeled: u16,
    /// Unlabelled images per step, for methods that learn from them.
    #[arg(long, default_value_t = 448, value_parser = ranges::count::<u16>)]
    unlabeled: u16,
    /// Height and width of an image in pixels; by default the network's usual size.
    #[arg(long, value_name = "PIXELS", value_parser = ranges::at_least(8_u16))]
    image_size: Option<u16>,
    /// Number format in which the network computes; by default the fastest one on the device.
    #[arg(long, value_name = "FORMAT", value_parser = ["float32", "bfloat16"])]
    precision: Option<String>,
    #[command(flatten)]
    device: DeviceArg,
    /// Steps to time, after as many untimed ones (20 at most).
    #[arg(long, default_value_t = 20, value_parser = ranges::count::<u16>)]
    steps: u16,
    /// Copy the images of each step from the host's memory, as bytes, as a training does.
    #[arg(long)]
    from_host: bool,
    /// Peak of the device in TFLOP/s (989 for an H200 in bfloat16), to show the share that is used.
    #[arg(long, value_name = "TFLOPS", value_parser = ranges::above_0)]
    peak: Option<f64>,
    /// Also write the results to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A network of images.
#[derive(Clone, Copy, ValueEnum)]
enum Net {
    /// WRN-28-2, images of 32 x 32 pixels, 10 classes.
    #[value(name = "wrn-28-2")]
    Wrn28x2,
    /// EfficientNet-B0, images of 224 x 224 pixels, 1,000 classes.
    #[value(name = "efficientnet-b0")]
    EfficientNetB0,
    /// The compact net of the default runs, images of 8 x 8 pixels, 10 classes: to try it on a CPU.
    #[value(name = "small-net")]
    Small,
}

impl Net {
    fn config(self) -> NetConfig {
        match self {
            Net::Wrn28x2 => WideResNetConfig::wrn28_2().into(),
            Net::EfficientNetB0 => EfficientNetConfig::default().into(),
            Net::Small => SmallNetConfig::default().into(),
        }
    }

    /// The side of its images, and its classes.
    fn shape(self) -> (u16, i64) {
        match self {
            Net::Wrn28x2 => (32, 10),
            Net::EfficientNetB0 => (224, 1000),
            Net::Small => (8, 10),
        }
    }

    /// The optimiser that its recipes have.
    fn optim(self) -> OptimConfig {
        match self {
            Net::EfficientNetB0 => OptimConfig::Rmsprop(RmsProp::default()),
            Net::Wrn28x2 | Net::Small => OptimConfig::Sgd(Sgd::default()),
        }
    }
}

/// A method and what it is called.
#[derive(Clone)]
struct Named {
    kind: String,
    config: MethodConfig,
}

/// A method of this kind; the error names all that there are.
fn method(kind: &str) -> Result<Named, String> {
    let table = toml::Table::from_iter([("kind".to_owned(), toml::Value::from(kind))]);
    let config = table.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
    Ok(Named { kind: kind.to_owned(), config })
}

/// What was measured.
#[derive(Serialize)]
struct Found {
    net: String,
    method: String,
    parameters: usize,
    device: String,
    precision: Precision,
    side: u16,
    /// Images of a step: views of one image count once.
    labeled: u16,
    unlabeled: u16,
    /// Images that the network sees in a step, in all views.
    seen: usize,
    from_host: bool,
    /// The mean over `steps`.
    step_seconds: f64,
    /// Labelled and unlabelled ones.
    images_per_second: f64,
    /// Operations of convolutions and linear layers, forwards and backwards.
    step_operations: u64,
    teraflops: f64,
    share_of_peak: Option<f64>,
    steps: u16,
    /// Of tensors on a GPU, or of the process.
    peak_bytes: u64,
}

/// Images and labels of a step, on the host.
struct Host {
    /// Bytes of the labelled images, then of each view of the unlabelled ones.
    pixels: Vec<Vec<u8>>,
    counts: [usize; 2],
    side: usize,
    classes: i64,
}

impl Host {
    fn new(counts: [usize; 2], views: usize, side: usize, classes: i64) -> Self {
        let [labeled, unlabeled] = counts;
        let rows = std::iter::once(labeled).chain(std::iter::repeat_n(unlabeled, views));
        let image = 3 * side * side;
        let bytes = |(view, n): (usize, usize)| {
            (0..n * image).map(|i| ((i * (i % 251) + 97 * view) % 256) as u8).collect()
        };
        Self { pixels: rows.enumerate().map(bytes).collect(), counts, side, classes }
    }

    /// On a device, as a training brings them there.
    fn batch(&self, device: Device) -> Batch {
        let side = self.side;
        let images = |pixels: &Vec<u8>| {
            let shape = [pixels.len() / (3 * side * side), side, side, 3];
            image_batch(pixels, shape, &[0.5; 3], &[0.25; 3], device)
        };
        let numbers = |count: usize, below: i64| {
            let numbers: Vec<i64> = (0..count as i64).map(|i| i % below).collect();
            tensor_on(&numbers, device)
        };
        let [labeled, unlabeled] = self.counts;
        let mut tensors: Vec<Tensor> = self.pixels.iter().map(images).collect();
        let u = tensors.split_off(1);
        let unlabeled_indices = (!u.is_empty()).then(|| numbers(unlabeled, unlabeled as i64));
        let labels = numbers(labeled, self.classes);
        Batch { u, unlabeled_indices, ..Batch::labeled(tensors.swap_remove(0), labels) }
    }
}

/// Measures and prints.
pub(super) fn run(args: &Args) -> Result<()> {
    let device = args.device.chosen()?;
    let precision = match args.precision.as_deref() {
        Some("bfloat16") => Precision::Bfloat16,
        Some(_) => Precision::Float32,
        None => Precision::fastest(device),
    };
    let (usual, classes) = args.net.shape();
    let (side, net) = (args.image_size.unwrap_or(usual), args.net.config());
    let name = args.net.to_possible_value().expect("no net is skipped").get_name().to_owned();
    torch::rng::seed(1);
    let build = || net.build(device, 3, classes);
    let config = &args.method.config;
    let task = TaskInfo { classes, unlabeled: i64::from(args.unlabeled), device };
    let method = config.build(&task);
    let views = method.views().unlabeled.len();
    let unlabeled = if views == 0 { 0 } else { args.unlabeled };
    let model = build();
    let fits = method.fits(model.classifier().inputs());
    fits.map_err(|error| anyhow!("--method {}: {error}", args.method.kind))?;
    let ssl = Ssl::new(method, model, Some((build(), Ema::new(0.999))));
    let counts = [args.labeled, unlabeled].map(usize::from);
    let host = Host::new(counts, views, usize::from(side), classes);
    let mut step = Step::new(ssl, args.net.optim(), precision, device);
    let resident = (!args.from_host).then(|| host.batch(device));
    let mut some = |count: u16| {
        let began = Instant::now();
        let mut operations = 0;
        for _ in 0..count {
            let batch = resident.as_ref().map_or_else(|| host.batch(device), Batch::shallow_clone);
            operations = step.run(batch);
        }
        wait(step.ssl.params());
        (began.elapsed().as_secs_f64() / f64::from(count), operations)
    };
    some(args.steps.min(20));
    let (step_seconds, step_operations) = some(args.steps);
    let teraflops = step_operations as f64 / step_seconds / 1e12;
    let found = Found {
        net: name,
        method: args.method.kind.clone(),
        parameters: step.ssl.params().count(),
        device: torch::device::describe(device),
        precision,
        side,
        labeled: args.labeled,
        unlabeled,
        seen: counts[0] + views * counts[1],
        from_host: args.from_host,
        step_seconds,
        images_per_second: counts.iter().sum::<usize>() as f64 / step_seconds,
        step_operations,
        teraflops,
        share_of_peak: args.peak.map(|peak| teraflops / peak),
        steps: args.steps,
        peak_bytes: peak_bytes(device),
    };
    if let Some(path) = &args.json {
        files::keep(path, &found)?;
    }
    let share = found.share_of_peak.map(|share| format!(", {:.0} % of its peak", 100.0 * share));
    say(&format!(
        "{}, {} parameters, random, on {}\ntraining step of {} in {}, {} + {unlabeled} images of \
         {side} x {side}{}: {:.1} ms, {:.0} images/s, {teraflops:.2} TFLOP/s{}\nat most {:.0} MiB",
        found.net,
        found.parameters,
        found.device,
        found.method,
        format!("{precision:?}").to_lowercase(),
        args.labeled,
        if args.from_host { " from the host" } else { "" },
        1e3 * step_seconds,
        found.images_per_second,
        share.unwrap_or_default(),
        found.peak_bytes as f64 / f64::from(1 << 20),
    ))
}

/// A network, its method and its optimiser.
struct Step {
    ssl: Ssl<Box<dyn Method>>,
    optimizer: torch::optim::Optimizer,
    precision: Precision,
    device: Device,
    number: u64,
}

impl Step {
    fn new(
        ssl: Ssl<Box<dyn Method>>,
        optim: OptimConfig,
        precision: Precision,
        device: Device,
    ) -> Self {
        let optimizer = optim.build(ssl.params());
        Self { ssl, optimizer, precision, device, number: 0 }
    }

    /// One step of training, as the training loop makes it; gives its operations.
    fn run(&mut self, batch: Batch) -> u64 {
        let at = Progress { step: self.number, steps: 1 << 20 };
        let before = flops::counted();
        let loss = autocast(self.precision, self.device, || self.ssl.loss(batch, at).total());
        let operations = flops::counted() - before;
        loss.to_kind(Kind::Float).backward();
        self.optimizer.step(1e-3);
        self.optimizer.zero_grad();
        no_grad(|| self.ssl.after_step(at));
        self.number += 1;
        operations
    }
}
