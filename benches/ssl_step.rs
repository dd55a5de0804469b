//! FixMatch's training step, loader and augmentation included, for `cargo xtask bench ssl --peers`:
//! `xtask/peers/bench_ssl.py` does the same in PyTorch. The nets are those of the recipes
//! `fixmatch/cifar10` and `noisy-student/digits`.
//!
//! ```text
//! ssl_step make DIR                         writes the images that all sides learn from
//! ssl_step serve CASE THREADS PRECISION     trains while it is asked
//! ```
//!
//! Each line of its input is a question: `steps N` is answered with the median seconds of the next
//! N steps, `peak` with the most memory so far in MiB, `losses N` with the seconds that the losses,
//! their gradients and the EMA model take alone.
#![allow(clippy::print_stdout, reason = "it answers on its output")]

use std::io::{BufRead, stdin};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use augment::policy::{Policy, Step};
use augment::weak::FlipCrop;
use benches::{
    CLASSES, Error, SEED, affine, arguments, fixmatch, handwritten, learner, median, peak, photos,
    precision, small_net, stream, wrn28_2,
};
use data_pipeline::dataset::ImageSamples;
use data_pipeline::loader::{HostBatch, Loader};
use ndarray::Array4;
use ssl_core::methods::FixMatchConfig;
use ssl_core::{Batch, Method, MethodSettings, Ssl, TaskInfo};
use torch::layout::image_batch;
use torch::optim::{OptimConfig, Sgd};
use torch::precision::Precision;
use torch::{Device, Kind, Mode, Model, Net, Tensor, no_grad};
use train::{
    Cadence, Ema, FitOptions, Objective, Progress, Schedule, StageDir, Throughput, TrainConfig, fit,
};
use vision_models::{FastNetConfig, NetConfig};

/// What is trained on what.
struct Case {
    set: Arc<ImageSamples>,
    net: NetConfig,
    weak: Policy,
    strong: Policy,
    labeled: usize,
    unlabeled: usize,
}

fn case(name: &str) -> Case {
    let flip_crop = |pad, flip| Step::FlipCrop(FlipCrop { pad, flip });
    match name {
        "wrn-28-2" => Case {
            set: photos(2_000, 32),
            net: wrn28_2(),
            weak: flip_crop(4, true).into(),
            strong: fixmatch(),
            labeled: 16,
            unlabeled: 112,
        },
        "fast-net" => Case {
            set: photos(2_000, 32),
            net: FastNetConfig::default().into(),
            weak: flip_crop(4, true).into(),
            strong: fixmatch(),
            labeled: 64,
            unlabeled: 96,
        },
        "digits" => Case {
            set: handwritten(),
            net: small_net(),
            weak: flip_crop(1, false).into(),
            strong: affine(),
            labeled: 20,
            unlabeled: 100,
        },
        _ => panic!("there is no case {name}"),
    }
}

fn method(case: &Case) -> Box<dyn Method> {
    let unlabeled = case.set.len() as i64;
    let task = TaskInfo { classes: CLASSES as i64, unlabeled, device: Device::Cpu };
    FixMatchConfig::default().build(&task)
}

fn images(view: &Array4<u8>) -> Tensor {
    let (n, h, w, c) = view.dim();
    let pixels = view.as_slice().expect("one piece");
    image_batch(pixels, [n, h, w, c], &vec![0.5; c], &vec![0.25; c], Device::Cpu)
}

fn batch([labeled, unlabeled]: [&HostBatch<Vec<Array4<u8>>>; 2]) -> Batch {
    let labels: Vec<i64> = labeled.labels.iter().map(|&l| i64::from(l)).collect();
    let x = Batch::labeled(images(&labeled.data[0]), Tensor::from_slice(&labels));
    Batch { u: unlabeled.data.iter().map(images).collect(), ..x }
}

/// Answers questions between the steps that it hands out.
struct Questions<I> {
    batches: I,
    wanted: usize,
    began: Option<Instant>,
    times: Vec<f64>,
    losses: Box<dyn FnMut(usize) -> f64>,
}

impl<I: Iterator<Item = Result<Batch, Error>>> Iterator for Questions<I> {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.times.extend(self.began.take().map(|began| began.elapsed().as_secs_f64()));
        while self.times.len() >= self.wanted {
            if self.wanted > 0 {
                println!("{}", median(std::mem::take(&mut self.times)));
                self.wanted = 0;
            }
            let line = stdin().lock().lines().next()?.ok()?;
            match line.split_once(' ') {
                Some(("steps", n)) => self.wanted = n.parse().ok()?,
                Some(("losses", n)) => println!("{}", (self.losses)(n.parse().ok()?)),
                _ => println!("{}", peak()),
            }
        }
        self.began = Some(Instant::now());
        self.batches.next()
    }
}

/// Gives its input as logits.
struct Echo;

impl Net for Echo {
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        x.shallow_clone()
    }
}

/// Seconds of a step in which the network costs nothing: losses, their gradients, and the update of
/// the real EMA model.
fn losses(case: &Case) -> impl FnMut(usize) -> f64 + use<> {
    let logits =
        |rows: usize| Tensor::randn([rows as i64, CLASSES as i64], (Kind::Float, Device::Cpu));
    let y = Tensor::zeros([case.labeled as i64], (Kind::Int64, Device::Cpu));
    let mut batch = Batch::labeled(logits(case.labeled).set_requires_grad(true), y);
    batch.u = (0..2).map(|_| logits(case.unlabeled).set_requires_grad(true)).collect();
    let echo = Model::build(Device::Cpu, |_| Echo);
    let mut bare = Ssl::new(method(case), echo, None);
    let channels = case.set.item(0).expect("an image").channels() as i64;
    let nets = [(); 2].map(|()| case.net.build(Device::Cpu, channels, CLASSES as i64));
    let at = Progress { step: 0, steps: 1 };
    move |n| {
        let times: Vec<f64> = (0..n)
            .map(|_| {
                let began = Instant::now();
                let loss = bare.loss(batch.shallow_clone(), at);
                loss.total().backward();
                no_grad(|| Ema::new(0.999).update(&nets[0].params, &nets[1].params, at));
                began.elapsed().as_secs_f64()
            })
            .collect();
        median(times)
    }
}

fn serve(name: &str, precision: Precision) -> Result<(), Error> {
    let case = case(name);
    let channels = case.set.item(0)?.channels() as i64;
    let mut ssl = learner(method(&case), &case.net, channels);
    let (lr, optim) = (Schedule::constant(0.03), OptimConfig::Sgd(Sgd::default()));
    let config = TrainConfig::new(u64::MAX, case.labeled, lr, optim);
    let mut optimizer = config.optim.build(ssl.params());
    let folder = tempfile::tempdir()?;
    let stage = StageDir::open(folder.path())?;
    let per_step = (case.labeled + 2 * case.unlabeled) as u64;
    let (cadence, throughput) = (Cadence::default(), Throughput { unit: "images", per_step });
    let options = FitOptions { precision, throughput, ..FitOptions::new(&config, &cadence) };
    let streams = vec![
        stream(&case.set, &[&case.weak], case.labeled, SEED),
        stream(&case.set, &[&case.weak, &case.strong], case.unlabeled, SEED + 1),
    ];
    let losses = Box::new(losses(&case));
    let batches = |from| {
        let batches = Loader::builder(streams).steps(from..).workers(1).start().map(|step| {
            step.map_err(Error::from).map(|step| batch([&step.batches[0], &step.batches[1]]))
        });
        Questions { batches, wanted: 0, began: None, times: Vec::new(), losses }
    };
    let evaluate = |_: &mut Ssl<Box<dyn Method>>, _| Ok::<_, Error>(Vec::new());
    match fit(&mut ssl, &mut optimizer, &options, &stage, batches, evaluate, &mut ()) {
        // No more questions.
        Err(train::FitError::OutOfBatches { .. }) => Ok(()),
        other => other.map(drop).map_err(Error::from),
    }
}

fn make(folder: &Path) -> Result<(), Error> {
    for name in ["wrn-28-2", "digits"] {
        let set = case(name).set;
        let mut bytes = Vec::new();
        for i in 0..set.len() {
            bytes.extend_from_slice(set.item(i)?.pixels());
        }
        std::fs::write(folder.join(format!("{name}.raw")), bytes)?;
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    match arguments()?.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", folder] => make(Path::new(folder)),
        ["serve", case, threads, numbers] => {
            torch::device::set_threads(threads.parse()?);
            serve(case, precision(numbers))
        }
        _ => Err("ssl_step make DIR | ssl_step serve CASE THREADS PRECISION".into()),
    }
}
