//! The one check that every method passes: it learns, and a run that is killed ends with the same
//! bits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ssl_core::methods::{
    Average, NoiseOn, NoisyStudent, NoisyStudentConfig, Supervised, SupervisedConfig, Targets,
    UdaConfig,
};
use ssl_core::{Method, MethodConfig, MethodSettings, Ssl, TaskInfo};
use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Kind, no_grad};
use train::{
    Cadence, Callback, Ema, FitError, FitOptions, Objective, Outcome, Schedule, StageDir, StepLog,
    TrainConfig,
};

use crate::lab::{self, Rule, Task, bits, student_of};

const STEPS: u64 = 1000;

const LONG: Length = Length { steps: STEPS, checkpoint: 0 };

/// Makes a method whose teacher, if it keeps one, is this one.
type Make = dyn Fn(Rule) -> Box<dyn Method>;

/// How confident the teacher is: one that knows the moons, and one whose labels are uniform.
const CONFIDENT: f64 = 6.0;
const UNIFORM: f64 = 0.0;

/// Losses by step.
#[derive(Default)]
struct Curve(Vec<f64>);

impl Callback for Curve {
    fn logged(&mut self, log: &StepLog) {
        self.0.push(log.loss.total);
    }
}

/// How a run ended.
struct Run {
    curve: Vec<f64>,
    accuracy: f64,
    bits: BTreeMap<String, Vec<u64>>,
}

/// A number of steps, and of steps between two checkpoints.
#[derive(Clone, Copy)]
struct Length {
    steps: u64,
    checkpoint: u64,
}

/// Starts or resumes a run, as a program started anew would. It fails before the step `dies`.
fn run(
    make: &Make,
    task: Task,
    confidence: f64,
    folder: &Path,
    length: Length,
    dies: Option<u64>,
) -> Result<Run, FitError> {
    torch::device::set_threads(1);
    torch::rng::seed(11);
    let method = make(Rule(confidence));
    let student = || student_of(task);
    let views = method.views();
    let mut ssl = Ssl::new(method, student(), Some((student(), Ema::with_warmup(0.95))));
    let lr = Schedule::HalfCosine { from: 0.1, to: 0.0, warmup: 10 };
    let optim = OptimConfig::Sgd(Sgd::default());
    let config = TrainConfig::new(length.steps, lab::LABELED, lr, optim);
    let cadence = Cadence { log: 1, evaluate: 0, checkpoint: length.checkpoint, keep: 3 };
    let mut optimizer = config.optim.build(ssl.params());
    let stage = StageDir::open(folder).expect("the stage's folder");
    let mut curve = Curve::default();
    let batch = |step| match dies {
        // An error between two checkpoints leaves what a kill would.
        Some(end) if step == end => Err(std::io::Error::other("killed")),
        _ => Ok(lab::batch_of(task, &views, &Rule(confidence), step)),
    };
    let outcome = train::fit(
        &mut ssl,
        &mut optimizer,
        &FitOptions::new(&config, &cadence),
        &stage,
        |from| (from..).map(batch),
        |_, _| Ok(Vec::new()),
        &mut curve,
    )?;
    assert!(matches!(outcome, Outcome::Finished(_)), "{outcome:?}");
    let tensors = ssl.params().tensors().into_iter().chain(ssl.state()).chain(optimizer.state());
    let mut all: BTreeMap<_, _> = tensors.map(|(name, tensor)| (name, bits(&tensor))).collect();
    all.insert("generator".to_owned(), bits(&torch::rng::state(Device::Cpu)?));
    Ok(Run { curve: curve.0, accuracy: lab::accuracy(ssl.evaluated(), task), bits: all })
}

/// What every method has to pass. Gives the accuracy at the end.
#[track_caller]
fn check(task: Task, make: &Make) -> f64 {
    let _alone = torch::rng::exclusive();
    let folder = || tempfile::tempdir().unwrap();

    let learned = run(make, task, CONFIDENT, folder().path(), LONG, None).unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&learned.curve[..10]), mean(&learned.curve[STEPS as usize - 10..]));
    assert!(last.is_finite() && first.is_finite(), "losses from {first} to {last}");

    let short = Length { steps: 20, checkpoint: 6 };
    let unbroken = run(make, task, CONFIDENT, folder().path(), short, None).unwrap();
    let broken = folder();
    for dies in [4, 13, 17] {
        let Err(fault) = run(make, task, CONFIDENT, broken.path(), short, Some(dies)) else {
            panic!("it lives")
        };
        assert!(fault.to_string().contains("killed"), "{fault}");
    }
    let resumed = run(make, task, CONFIDENT, broken.path(), short, None).unwrap();
    assert!(resumed.curve.len() < unbroken.curve.len(), "it goes on from a checkpoint");
    assert_eq!(resumed.bits, unbroken.bits, "killed runs end with the same bits");

    // Without gradients its loss can be measured, as `train::fit` does it.
    let ema = Some((student_of(task), Ema::with_warmup(0.95)));
    let mut measured = Ssl::new(make(Rule(CONFIDENT)), student_of(task), ema);
    let batch = lab::batch_of(task, &measured.method().views(), &Rule(CONFIDENT), 0);
    let loss = no_grad(|| measured.loss(batch, lab::START).total());
    assert!(loss.double_value(&[]).is_finite(), "{loss:?}");

    learned.accuracy
}

/// Makes a method from settings as a recipe has them.
fn of(settings: &str) -> impl Fn(Rule) -> Box<dyn Method> + use<> {
    let config: MethodConfig = serde_json::from_str(settings).unwrap();
    assert_eq!(config.faults(), []);
    let task = TaskInfo { classes: 2, unlabeled: lab::POOL as i64, device: Device::Cpu };
    move |_| config.build(&task)
}

/// The least accuracy that a few labels have to give, alone or beside a teacher that labels
/// everything uniformly; chance is 0.5.
const LABELS_ALONE: f64 = 0.75;

const SUPERVISED: &str = r#"{"kind": "supervised", "view": "weak", "label_smoothing": 0.0}"#;

/// The accuracy from the labels alone.
fn baseline(task: Task) -> f64 {
    static FOUND: Mutex<BTreeMap<Task, f64>> = Mutex::new(BTreeMap::new());
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    *found.entry(task).or_insert_with(|| check(task, &of(SUPERVISED)))
}

/// Checks a method, which has to do better than the labels alone. Settings are the defaults, except
/// those that depend on the task: how far a sample may be moved, and weights meant for ten classes.
#[track_caller]
fn beats_supervised(task: Task, settings: &str) {
    let alone = baseline(task);
    let learned = check(task, &of(settings));
    assert!(learned > alone, "{settings} reaches {learned} on {task:?}, labels alone {alone}");
}

#[test]
fn supervised() {
    assert!(baseline(Task::Moons) > LABELS_ALONE);
    let learned = check(Task::Moons, &|_| Box::new(Supervised::new(SupervisedConfig::default())));
    assert!(learned > LABELS_ALONE);
}

#[test]
fn uda() {
    beats_supervised(Task::Moons, r#"{"kind": "uda"}"#);
    let october = serde_json::to_value(UdaConfig::october_2019()).unwrap();
    let mut settings = serde_json::json!({"kind": "uda"});
    settings.as_object_mut().unwrap().extend(october.as_object().unwrap().clone());
    beats_supervised(Task::Moons, &settings.to_string());
}

#[test]
fn consistency_of_two_views() {
    beats_supervised(Task::Letters, r#"{"kind": "pi-model"}"#);
    beats_supervised(Task::Moons, r#"{"kind": "temporal-ensembling"}"#);
    beats_supervised(Task::Moons, r#"{"kind": "mean-teacher"}"#);
    beats_supervised(Task::Letters, r#"{"kind": "sntg"}"#);
}

#[test]
fn adversarial_methods() {
    beats_supervised(
        Task::Moons,
        r#"{"kind": "vat", "adversary": {"epsilon": 0.2}, "entropy": 0.3}"#,
    );
    beats_supervised(Task::Moons, r#"{"kind": "lga-vat", "adversary": {"epsilon": 0.2}}"#);
    beats_supervised(Task::Letters, r#"{"kind": "vadd"}"#);
}

#[test]
fn mixtures() {
    let ict = r#"{"kind": "ict", "weight": {"kind": "sigmoid-ramp-up", "value": 10.0}}"#;
    beats_supervised(Task::Moons, ict);
    beats_supervised(Task::Moons, r#"{"kind": "mixmixup"}"#);
    let mixmatch =
        r#"{"kind": "mixmatch", "weight": {"kind": "ramp-up", "value": 10.0, "over": 0.4}}"#;
    beats_supervised(Task::Moons, mixmatch);
    beats_supervised(Task::Moons, r#"{"kind": "remixmatch", "rotation": 0.0}"#);
}

#[test]
fn rotations_recognised() {
    beats_supervised(Task::Letters, r#"{"kind": "remixmatch"}"#);
    beats_supervised(Task::Letters, r#"{"kind": "s4l"}"#);
}

#[test]
fn confident_pseudo_labels() {
    for kind in ["pseudo-label", "fixmatch", "softmatch"] {
        beats_supervised(Task::Letters, &format!(r#"{{"kind": "{kind}"}}"#));
    }
    for kind in ["flexmatch", "freematch", "adamatch"] {
        beats_supervised(Task::Moons, &format!(r#"{{"kind": "{kind}"}}"#));
    }
}

/// The student learns from a teacher that knows. Gives its accuracy after a shorter run whose
/// teacher labels everything uniformly.
#[track_caller]
fn check_student(make: &Make) -> f64 {
    let learned = check(Task::Moons, make);
    assert!(learned > 0.95, "it tells the moons apart: {learned}");
    let _alone = torch::rng::exclusive();
    let folder = tempfile::tempdir().unwrap();
    let length = Length { steps: 300, checkpoint: 0 };
    run(make, Task::Moons, UNIFORM, folder.path(), length, None).unwrap().accuracy
}

fn offline(config: NoisyStudentConfig) -> impl Fn(Rule) -> Box<dyn Method> {
    move |_| Box::new(NoisyStudent::offline(config.clone()))
}

#[test]
fn noisy_student() {
    assert!(check_student(&offline(NoisyStudentConfig::default())) > LABELS_ALONE);
}

#[test]
fn noisy_student_sharpened_and_averaged_over_all() {
    let config = NoisyStudentConfig {
        temperature: 0.5,
        average: Average::All,
        noise_on: NoiseOn::Labeled,
        ..NoisyStudentConfig::default()
    };
    assert!(check_student(&offline(config)) > LABELS_ALONE);
}

#[test]
fn noisy_student_in_the_loop() {
    let make = |teacher| -> Box<dyn Method> {
        Box::new(NoisyStudent::in_loop(NoisyStudentConfig::default(), lab::bare(teacher)))
    };
    assert!(check_student(&make) > LABELS_ALONE);
}

#[test]
fn noisy_student_from_hard_labels() {
    let config = NoisyStudentConfig { targets: Targets::Hard, ..NoisyStudentConfig::default() };
    // The hard label of uniform probabilities is the first class: the student learns that every
    // sample is of it.
    assert!(check_student(&offline(config)) < LABELS_ALONE);
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
