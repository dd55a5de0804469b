//! The one check that every method passes: it learns, it can be killed, it survives a teacher who knows nothing.

use std::collections::BTreeMap;
use std::path::Path;

use ssl_core::methods::{Average, NoiseOn, NoisyStudent, NoisyStudentConfig, Supervised, Targets};
use ssl_core::{Method, Ssl};
use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Kind};
use train::{Ema, FitError, Objective, Outcome, Plan, Schedule, StageDir, Watch};

use crate::lab::{self, Rule, bits, generator, student};

const STEPS: u64 = 200;

/// Makes a method whose teacher, if it keeps one, is this one.
type Make = dyn Fn(Rule) -> Box<dyn Method>;

/// How confident a teacher is that knows, and one that does not.
const SURE: f64 = 6.0;
const UNSURE: f64 = 0.0;

/// Losses by step.
#[derive(Default)]
struct Curve(Vec<f64>);

impl Watch for Curve {
    fn reported(&mut self, report: &train::Report) {
        self.0.push(report.loss.total);
    }
}

/// How a run ended.
struct Run {
    curve: Vec<f64>,
    accuracy: f64,
    bits: BTreeMap<String, Vec<u64>>,
}

fn plan(steps: u64, checkpoint_every: u64) -> Plan {
    let lr = Schedule::HalfCosine { from: 0.1, to: 0.0, warmup: 10 };
    Plan { log_every: 1, checkpoint_every, ..Plan::new(steps, lr) }
}

/// Starts or goes on with a run of the two moons, as a program started anew would. It dies before the step `dies`.
fn run(
    make: &Make,
    confidence: f64,
    folder: &Path,
    plan: &Plan,
    dies: Option<u64>,
) -> Result<Run, FitError> {
    torch::device::set_threads(1);
    torch::rng::seed(11);
    let method = make(Rule(confidence));
    let views = method.views();
    let mut ssl = Ssl::new(method, student(), Some((student(), Ema::with_warmup(0.95))));
    let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(ssl.params());
    let stage = StageDir::open(folder).expect("the stage's folder");
    let mut curve = Curve::default();
    let batch = |step| match dies {
        // An error between two checkpoints leaves what a kill would.
        Some(end) if step == end => Err(std::io::Error::other("killed")),
        _ => Ok(lab::batch(&views, &Rule(confidence), step)),
    };
    let outcome = train::fit(
        &mut ssl,
        &mut optimizer,
        plan,
        &stage,
        |from| (from..).map(batch),
        |ssl, _at| Ok(vec![("accuracy".to_owned(), lab::accuracy(ssl.evaluated()))]),
        &mut curve,
    )?;
    let Outcome::Finished(summary) = outcome else { panic!("{outcome:?}") };
    let tensors = ssl.params().tensors().into_iter().chain(ssl.memory()).chain(optimizer.state());
    let mut all: BTreeMap<_, _> = tensors.map(|(name, tensor)| (name, bits(&tensor))).collect();
    all.insert("generator".to_owned(), bits(&torch::rng::state(Device::Cpu)?));
    Ok(Run { curve: curve.0, accuracy: summary.evaluation[0].1, bits: all })
}

/// What every method has to pass. Gives the accuracy after a run whose teacher was nowhere confident.
#[track_caller]
fn check(make: &Make) -> f64 {
    let _alone = generator();
    let folder = || tempfile::tempdir().unwrap();

    let learned = run(make, SURE, folder().path(), &plan(STEPS, 0), None).unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&learned.curve[..10]), mean(&learned.curve[STEPS as usize - 10..]));
    assert!(last < 0.7 * first, "it lowers its loss: from {first} to {last}");
    assert!(learned.accuracy > 0.9, "it tells the moons apart: {}", learned.accuracy);

    let short = plan(20, 6);
    let unbroken = run(make, SURE, folder().path(), &short, None).unwrap();
    let broken = folder();
    for dies in [4, 13, 17] {
        let Err(fault) = run(make, SURE, broken.path(), &short, Some(dies)) else {
            panic!("it lives")
        };
        assert!(fault.to_string().contains("killed"), "{fault}");
    }
    let resumed = run(make, SURE, broken.path(), &short, None).unwrap();
    assert!(resumed.curve.len() < unbroken.curve.len(), "it goes on from a checkpoint");
    assert_eq!(resumed.bits, unbroken.bits, "killed runs end with the same bits");

    let unsure = run(make, UNSURE, folder().path(), &plan(STEPS, 0), None).unwrap();
    assert!(unsure.curve.iter().all(|loss| loss.is_finite()));
    let weights = unsure.bits.iter().filter(|(name, _)| *name != "generator");
    assert!(weights.flat_map(|(_, bits)| bits).all(|bits| f64::from_bits(*bits).is_finite()));
    unsure.accuracy
}

/// The least that 16 labels and a teacher who says nothing have to give; chance is 0.5.
const LABELS_ALONE: f64 = 0.75;

fn offline(config: NoisyStudentConfig) -> impl Fn(Rule) -> Box<dyn Method> {
    move |_| Box::new(NoisyStudent::offline(config.clone()))
}

#[test]
fn supervised() {
    assert!(check(&|_| Box::new(Supervised::default())) > LABELS_ALONE);
}

#[test]
fn noisy_student() {
    assert!(check(&offline(NoisyStudentConfig::default())) > LABELS_ALONE);
}

#[test]
fn noisy_student_sharpened_and_averaged_over_all() {
    let config = NoisyStudentConfig {
        temperature: 0.5,
        average: Average::All,
        noise_on: NoiseOn::Labeled,
        ..NoisyStudentConfig::default()
    };
    assert!(check(&offline(config)) > LABELS_ALONE);
}

#[test]
fn noisy_student_in_the_loop() {
    let make = |teacher| -> Box<dyn Method> {
        Box::new(NoisyStudent::in_loop(NoisyStudentConfig::default(), lab::bare(teacher)))
    };
    assert!(check(&make) > LABELS_ALONE);
}

#[test]
fn noisy_student_from_hard_labels() {
    let config = NoisyStudentConfig { targets: Targets::Hard, ..NoisyStudentConfig::default() };
    // Of equals the first is named, so that a teacher who knows nothing teaches that all is one: what the paper says of
    // hard labels, at its worst.
    assert!(check(&offline(config)) < LABELS_ALONE);
}

#[test]
fn a_target_that_says_nothing_pulls_towards_nothing() {
    // Samples are logits; at equal logits a uniform target has no gradient, however sharpened.
    let u = torch::Tensor::zeros([3, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let mut batch =
        ssl_core::Batch::labeled(u.zeros_like(), torch::Tensor::from_slice(&[0i64, 1, 2]));
    batch.u = vec![u.shallow_clone()];
    batch.targets = Some(u.detach().full_like(0.25));
    for temperature in [1.0, 0.1, 1e-6] {
        let config = NoisyStudentConfig { temperature, ..NoisyStudentConfig::default() };
        let nets = lab::nets(lab::bare(lab::Echo { dropout: 0.0 }));
        NoisyStudent::offline(config).loss(&nets, &batch, lab::START).total().backward();
        assert!(u.grad().abs().max().double_value(&[]) < 1e-7, "{u}");
    }
}
