//! What the benchmarks share: inputs, all from fixed seeds (the same bytes on every machine), and
//! what is measured beside time.
//!
//! How the benchmarks are written: an id names everything that is varied
//! (`loader/digits-8x8x1-affine/batch=200/workers=2`), an iteration does the same work each time,
//! and throughput is in the unit a reader thinks in (images, bytes). Sizes are those of the default
//! runs and one step up, so that a whole benchmark ends within minutes on two cores. Compare
//! numbers only of one machine that does nothing else: `cargo xtask bench -- --save-baseline
//! before`, then `cargo xtask bench -- --baseline before`; one of them alone with `cargo bench -p
//! benches --bench loader`.

use std::sync::Arc;

use augment::Image;
use augment::affine::Affine;
use augment::erase::Cutout;
use augment::levels::Variant;
use augment::policy::{Policy, Step};
use augment::randaugment::RandAugment;
use augment::rng::Rng;
use augment::weak::FlipCrop;
use data_pipeline::dataset::{ArraySet, ImageSamples, digits};
use data_pipeline::loader::{Stream, View, Views};
use data_pipeline::sampler::Order;
use ndarray::Array4;
use ssl_core::{Batch, Method, Ssl};
use torch::precision::Precision;
use torch::{Device, Kind, Tensor};
use train::Ema;
use vision_models::{NetConfig, SmallNetConfig, WideResNetConfig};

/// The seed of everything here.
pub const SEED: u64 = 20;

/// Classes of every data set here.
pub const CLASSES: usize = 10;

/// A square image with smooth colours and a little noise: its histograms are broad, as a
/// photograph's are.
pub fn image(side: usize, channels: usize, seed: u64) -> Image {
    let mut rng = Rng::new(seed);
    let waves: Vec<[f64; 3]> = (0..channels)
        .map(|_| [rng.range(1.0, 9.0), rng.range(1.0, 9.0), rng.range(0.0, 6.0)])
        .collect();
    let mut pixels = Vec::with_capacity(side * side * channels);
    for y in 0..side {
        for x in 0..side {
            for [across, down, phase] in &waves {
                let (x, y) = (x as f64 / side as f64, y as f64 / side as f64);
                let value = 128.0 + 90.0 * (across * x + down * y + phase).sin();
                pixels.push((value + 12.0 * rng.normal()).clamp(0.0, 255.0) as u8);
            }
        }
    }
    Image::new(side, side, channels, pixels)
}

/// Many such images `side`×`side`×3, labelled in turn.
pub fn photos(n: usize, side: usize) -> Arc<ImageSamples> {
    let pixels = (0..n as u64).flat_map(|i| image(side, 3, SEED + i).into_pixels()).collect();
    let images = Array4::from_shape_vec((n, side, side, 3), pixels).expect("n images of one size");
    let labels = (0..n).map(|i| (i % CLASSES) as u32).collect();
    let classes = (0..CLASSES).map(|class| class.to_string()).collect();
    Arc::new(ArraySet::new("photos", images, Some(labels), classes).expect("labels of classes"))
}

/// The embedded digits, 1,797 images of 8×8×1.
pub fn handwritten() -> Arc<ImageSamples> {
    Arc::new(digits::load())
}

/// A random affine transformation, the strong view of digits in these benchmarks. No recipe has it:
/// the default run's student has RandAugment.
pub fn affine() -> Policy {
    let (degrees, translate, scale, shear) = (15.0, 0.12, [0.85, 1.15], 0.15);
    Step::Affine(Affine { degrees, translate, scale, shear, ..Affine::default() }).into()
}

/// FixMatch's strong augmentation: flip and crop, RandAugment, cutout.
pub fn fixmatch() -> Policy {
    Policy(vec![
        Step::FlipCrop(FlipCrop::default()),
        Step::RandAugment(RandAugment::of(Variant::Fixmatch)),
        Step::Cutout(Cutout::default()),
    ])
}

/// The student of the default run, `noisy-student/digits`.
pub fn small_net() -> NetConfig {
    let noise = SmallNetConfig { dropout: 0.1, stochastic_depth: 0.2, ..SmallNetConfig::digits() };
    SmallNetConfig { width: 32, ..noise }.into()
}

/// FixMatch's net with half its blocks.
pub fn wrn16_2() -> NetConfig {
    WideResNetConfig::wrn16_2().into()
}

/// FixMatch's net for CIFAR-10, as the recipe `fixmatch/cifar10` has it.
pub fn wrn28_2() -> NetConfig {
    WideResNetConfig::wrn28_2().into()
}

/// All samples of a set in random order, through views by policies.
pub fn stream(
    set: &Arc<ImageSamples>,
    views: &[&Policy],
    batch: usize,
    seed: u64,
) -> Stream<Views> {
    let view = |policy: &&Policy| -> View {
        let policy = (*policy).clone();
        Arc::new(move |image, rng, scratch, _| policy.apply_in_place(image, rng, scratch))
    };
    Stream {
        set: set.clone(),
        entries: (0..set.len() as u32).collect(),
        collate: Views(views.iter().map(view).collect()),
        batch,
        seed,
        order: Order::Shuffled,
    }
}

/// Labelled and unlabelled images `[channels, side, side]` of unit variance, with soft targets.
pub fn batch(channels: i64, side: i64, labeled: i64, unlabeled: i64) -> Batch {
    let mut rng = Rng::new(SEED);
    let mut normal = |shape: &[i64]| {
        let n = shape.iter().product::<i64>();
        let values: Vec<f32> = (0..n).map(|_| rng.normal() as f32).collect();
        Tensor::from_slice(&values).view(shape)
    };
    let y: Vec<i64> = (0..labeled).map(|i| i % CLASSES as i64).collect();
    let x = normal(&[labeled, channels, side, side]);
    let u = normal(&[unlabeled, channels, side, side]);
    let targets = (normal(&[unlabeled, CLASSES as i64]) * 3.0).softmax(-1, Kind::Float);
    Batch { u: vec![u], targets: Some(targets), ..Batch::labeled(x, Tensor::from_slice(&y)) }
}

/// A method with a student on the CPU and its EMA model.
pub fn learner<M: Method>(method: M, net: &NetConfig, channels: i64) -> Ssl<M> {
    torch::rng::seed(SEED);
    let build = || net.build(Device::Cpu, channels, CLASSES as i64);
    Ssl::new(method, build(), Some((build(), Ema::with_warmup(0.99))))
}

/// The most memory that this process has had so far, in MiB; 0 where the system does not say.
pub fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// The middle one of some times, of two the later one. Panics if there is none.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Whatever a program of the comparisons stops with.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Settings of threads and memory for programs of the comparisons, and what they are called with.
///
/// # Errors
/// Those of [`torch::device::reexec_with_passive_spin`].
pub fn arguments() -> Result<Vec<String>, Error> {
    torch::device::reexec_with_passive_spin()?;
    torch::device::retain_freed_memory();
    Ok(std::env::args().skip(1).collect())
}

/// `bfloat16`, or else float32.
pub fn precision(name: &str) -> Precision {
    if name == "bfloat16" { Precision::Bfloat16 } else { Precision::Float32 }
}

/// Answers each question, a line of the input, with the number that `answer` gives; `peak` with the
/// most memory so far in MiB.
///
/// # Errors
/// Those of `answer`, and of reading.
#[allow(clippy::print_stdout, reason = "it answers on its output")]
pub fn serve(mut answer: impl FnMut(&str) -> Result<f64, Error>) -> Result<(), Error> {
    for question in std::io::stdin().lines() {
        let number = match question?.trim() {
            "peak" => peak() as f64,
            other => answer(other)?,
        };
        println!("{number}");
    }
    Ok(())
}
