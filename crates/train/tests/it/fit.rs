//! The loop: what stops it, what it tells a callback, which settings it refuses.

use std::path::{Path, PathBuf};

use metrics::{Better, Metric};
use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Init, InvalidConfig, Kind, Params, Role, Tensor};
use train::{
    Cadence, Callback, Ema, FitError, FitOptions, Loss, Objective, Outcome, Progress, Schedule,
    StageDir, StepLog, Swa, TrainConfig, fit,
};

use crate::lab::{self, Setup};

#[test]
fn a_loss_that_is_not_a_number_stops_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = lab::setup(20);
    setup.config.lr = Schedule::constant(0.01);
    let batch = |step| if step == 9 { lab::spoiled(step) } else { lab::batch(step) };
    let error = lab::run_with(folder.path(), &setup, batch, &mut ()).unwrap_err();
    let last_good = folder.path().join("checkpoints/step-00000008.ckpt.safetensors");
    let message = error.to_string();
    let expected = format!(
        "step 9: the term `sup` of the loss is NaN at learning rate 0.01. The last good checkpoint is kept: {}",
        last_good.display()
    );
    assert_eq!(message, expected);
    assert!(last_good.exists());
    // With the fault mended, the run resumes from there.
    let (outcome, _) = lab::run(folder.path(), &setup, &mut ()).unwrap();
    assert_eq!(outcome.summary().resumed_from, Some(8));
}

/// The loss √(w₀²) + w₁, whose gradient at w₀ = 0 is not a number while the loss is one.
struct Corner {
    params: Params,
}

impl Corner {
    fn new() -> Self {
        let make = |s: &mut torch::Scope<'_>| s.tensor("w", &[2], Role::Weight, Init::Const(0.0));
        Self { params: Params::build(Device::Cpu, make).1 }
    }
}

impl Objective for Corner {
    type Batch = ();

    fn params(&self) -> &Params {
        &self.params
    }

    fn loss(&mut self, (): (), _at: Progress) -> Loss {
        let w = self.params.get("w").unwrap();
        Loss::new().term("corner", 1.0, w.square().sqrt().sum(Kind::Float))
    }
}

fn fit_corner(folder: &Path, setup: &Setup) -> FitError {
    let mut corner = Corner::new();
    let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(&corner.params);
    let stage = StageDir::open(folder).unwrap();
    let batches = |from| (from..).map(|_: u64| Ok::<_, std::io::Error>(()));
    let evaluate = |_: &mut Corner, _| Ok(vec![]);
    fit(&mut corner, &mut optimizer, &setup.options(), &stage, batches, evaluate, &mut ())
        .unwrap_err()
}

#[test]
fn a_bad_gradient_never_reaches_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::new(5, Schedule::constant(0.1));
    setup.cadence.checkpoint = 1;
    let message = fit_corner(folder.path(), &setup).to_string();
    let start = "step 0: the parameter w after the update is NaN at learning rate 0.1. There is no";
    assert!(message.starts_with(start), "{message}");
    assert!(StageDir::open(folder.path()).unwrap().checkpoints().newest().unwrap().is_none());

    setup.cadence.checkpoint = 0;
    let message = fit_corner(folder.path(), &setup).to_string();
    assert!(message.starts_with("step 1: the term `corner` of the loss is NaN"), "{message}");
    assert!(message.contains("as the parameter w is not finite"), "{message}");
    setup.config.clip_norm = Some(1.0);
    let message = fit_corner(folder.path(), &setup).to_string();
    assert!(message.starts_with("step 0: the norm of the gradient is NaN"), "{message}");
}

#[test]
fn statistics_of_a_single_value_end_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::new(9, Schedule::constant(0.1));
    setup.cadence.evaluate = 3;
    let _alone = torch::rng::exclusive();
    let mut student = lab::Student::new();
    let mut optimizer = student.optimizer();
    let stage = StageDir::open(folder.path()).unwrap();
    // The variance of the third step's one value a channel.
    let batch = |step| if step == 2 { lab::single() } else { lab::batch(step) };
    let batches = |from| (from..).map(move |step| Ok::<_, std::io::Error>(batch(step)));
    let evaluate = |_: &mut lab::Student, _| panic!("it was scored");
    let options = setup.options();
    let fault = fit(&mut student, &mut optimizer, &options, &stage, batches, evaluate, &mut ())
        .unwrap_err();
    let start = "step 2: the buffer norm.running_var is NaN at learning rate 0.1: a batch norm";
    assert!(fault.to_string().starts_with(start), "{fault}");
    let fault = stage.finish(student.params(), &"done").unwrap_err().to_string();
    assert!(fault.contains("norm.running_var of the final weights is NaN"), "{fault}");
    assert!(!stage.final_path().exists());
}

#[test]
fn errors_of_data_and_evaluation_say_when() {
    let mut setup = Setup::new(6, Schedule::constant(0.0));
    setup.cadence.evaluate = 2;
    let run = |stop: u64, setup: &Setup, metric: Result<f64, &'static str>| {
        let folder = tempfile::tempdir().unwrap();
        let _alone = torch::rng::exclusive();
        let mut student = lab::Student::new();
        let mut optimizer = student.optimizer();
        let stage = StageDir::open(folder.path()).unwrap();
        let batches =
            |from| {
                (from..7_u64).map(move |s| {
                    if s == stop { Err("image 17 is broken") } else { Ok(lab::batch(s)) }
                })
            };
        let evaluate = |_: &mut lab::Student, _| Ok(vec![Metric::higher("accuracy", "", metric?)]);
        fit(&mut student, &mut optimizer, &setup.options(), &stage, batches, evaluate, &mut ())
    };
    let message = run(3, &setup, Ok(1.0)).unwrap_err().to_string();
    assert_eq!(message, "step 3: the next batch: image 17 is broken");
    let message = run(9, &setup, Err("no test images")).unwrap_err().to_string();
    assert_eq!(message, "evaluation after 2 steps: no test images");
    let mut long = setup.clone();
    long.config.steps = 9;
    let message = run(9, &long, Ok(1.0)).unwrap_err().to_string();
    assert!(message.starts_with("the batches ended before step 7 of 9"), "{message}");
    let best = Setup { best: Some("f1"), ..setup.clone() };
    let message = run(9, &best, Ok(1.0)).unwrap_err().to_string();
    let expected = "the best checkpoint is to be chosen by `f1`, which the evaluation does not \
                    give; it gives accuracy";
    assert_eq!(message, expected);
    let nan = Setup { best: Some("accuracy"), ..setup };
    let outcome = run(9, &nan, Ok(f64::NAN)).unwrap();
    assert_eq!(outcome.summary().best, None);
    assert!(outcome.summary().evaluation[0].value.is_nan());
}

/// Runs six steps in a folder; the evaluations give these values. Stops before the step `stop`.
fn judged(folder: &Path, values: [f64; 6], metric: fn(f64) -> Metric, stop: u64) -> Outcome {
    let mut setup = Setup { best: Some("it"), ..Setup::new(6, Schedule::constant(0.0)) };
    setup.cadence.evaluate = 1;
    let _alone = torch::rng::exclusive();
    let mut student = lab::Student::new();
    let mut optimizer = student.optimizer();
    let stage = StageDir::open(folder).unwrap();
    let batches = |from| (from..).map(|step| Ok::<_, std::io::Error>(lab::batch(step)));
    let evaluate =
        |_: &mut lab::Student, at: Progress| Ok(vec![metric(values[at.step as usize - 1])]);
    let (options, mut stop) = (setup.options(), lab::StopAt(stop));
    fit(&mut student, &mut optimizer, &options, &stage, batches, evaluate, &mut stop).unwrap()
}

#[test]
fn the_best_is_chosen_by_the_way_the_metric_improves() {
    const NAN: f64 = f64::NAN;
    let lower: fn(f64) -> Metric = |v| Metric::lower("it", "", v);
    let higher: fn(f64) -> Metric = |v| Metric::higher("it", "", v);
    let cases = [
        ([NAN, 9.0, 3.0, NAN, 3.0, 5.0], lower, (3, 3.0, Better::Lower)),
        ([NAN, 9.0, 3.0, NAN, 9.0, 5.0], higher, (2, 9.0, Better::Higher)),
        ([f64::NEG_INFINITY, 7.0, 8.0, NAN, 9.0, 9.5], lower, (2, 7.0, Better::Lower)),
    ];
    for (values, metric, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        // Stopped after an evaluation that is not a number: the latest evaluation survives that.
        let stopped = judged(folder.path(), values, metric, 4);
        assert!(matches!(&stopped, Outcome::Interrupted(s) if s.evaluation[0].value.is_nan()));
        let again = judged(folder.path(), values, metric, 4);
        let found = &again.summary().evaluation[0];
        assert!(found.value.is_nan());
        assert_eq!((&*found.name, found.better), ("it", expected.2));

        let outcome = judged(folder.path(), values, metric, 9);
        let best = outcome.summary().best.unwrap();
        assert_eq!((best.step, best.value, best.better), expected);
        let stage = StageDir::open(folder.path()).unwrap();
        assert_eq!(stage.checkpoints().best().unwrap().unwrap().run.step, expected.0);
    }
}

/// Writes down what it is told.
#[derive(Default)]
struct Diary {
    started: Vec<u64>,
    stepped: Vec<u64>,
    logs: Vec<StepLog>,
    evaluated: Vec<(u64, f64)>,
    checkpoints: Vec<(u64, PathBuf)>,
}

impl Callback for Diary {
    fn started(&mut self, at: Progress) {
        self.started.push(at.step);
    }

    fn stepped(&mut self, at: Progress) {
        self.stepped.push(at.step);
    }

    fn logged(&mut self, log: &StepLog) {
        self.logs.push(log.clone());
    }

    fn evaluated(&mut self, at: Progress, metrics: &[Metric]) {
        self.evaluated.push((at.step, metrics[0].value));
    }

    fn checkpointed(&mut self, at: Progress, path: &Path) {
        self.checkpoints.push((at.step, path.to_owned()));
    }

    fn stop(&mut self, at: Progress) -> bool {
        at.step == 8 && self.started.len() == 1
    }
}

#[test]
fn a_callback_is_told_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup { best: None, ..lab::setup(12) };
    setup.cadence.log = 3;
    let mut diary = Diary::default();
    let (first, _) = lab::run(folder.path(), &setup, &mut diary).unwrap();
    assert!(matches!(first, Outcome::Interrupted(_)), "{first:?}");
    let (second, _) = lab::run(folder.path(), &setup, &mut diary).unwrap();

    assert_eq!(diary.started, [0, 8]);
    assert!(diary.stepped.iter().copied().eq(1..=12));
    let steps = |list: &[StepLog]| list.iter().map(|r| r.at.step).collect::<Vec<_>>();
    assert_eq!(steps(&diary.logs), [3, 6, 9, 12]);
    assert_eq!(diary.evaluated.iter().map(|e| e.0).collect::<Vec<_>>(), [5, 10, 12]);
    assert_eq!(diary.checkpoints.iter().map(|c| c.0).collect::<Vec<_>>(), [4, 8, 12]);
    assert!(diary.checkpoints.iter().all(|c| c.1.exists()));

    let last = diary.logs.last().unwrap();
    assert_eq!((last.at.steps, last.seconds_left), (12, 0.0));
    assert_eq!(last.unit, "images");
    assert!(last.throughput > 0.0 && last.seconds > diary.logs[1].seconds);
    assert!(diary.logs.iter().all(|r| r.grad_norm.is_some_and(|n| n > 0.0)));
    assert_eq!(last.lr, setup.config.lr.at(Progress { step: 11, steps: 12 }));
    let rows = lab::record(folder.path());
    let row = rows.iter().rfind(|r| r.1.contains_key("loss")).unwrap();
    assert_eq!((row.0, row.1["loss"]), (12, Some(last.loss.total)));
    assert_eq!(row.1["note/largest"], Some(last.loss.notes[0].1));
    assert!(second.summary().seconds >= last.seconds);
    assert_eq!(second.summary().evaluation, [Metric::higher("accuracy", "", diary.evaluated[2].1)]);
}

#[test]
fn it_learns() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = lab::setup(150);
    (setup.cadence.evaluate, setup.cadence.checkpoint) = (0, 0);
    let (outcome, _) = lab::run(folder.path(), &setup, &mut ()).unwrap();
    assert_eq!(outcome.summary().evaluation, [Metric::higher("accuracy", "", 1.0)]);
    let losses: Vec<_> = lab::record(folder.path())
        .iter()
        .filter_map(|r| r.1.get("loss").copied().flatten())
        .collect();
    assert!(losses[losses.len() - 1] < 0.5 * losses[0], "{losses:?}");
}

#[test]
fn gradients_are_clipped_and_averages_need_none() {
    let params =
        Params::build(Device::Cpu, |s| s.tensor("w", &[2], Role::Weight, Init::Const(1.0))).1;
    struct Steep(Params);
    impl Objective for Steep {
        type Batch = ();
        fn params(&self) -> &Params {
            &self.0
        }
        fn loss(&mut self, (): (), _at: Progress) -> Loss {
            let slope = Tensor::from_slice(&[300.0_f32, 400.0]);
            Loss::new().term("slope", 1.0, (self.0.get("w").unwrap() * slope).sum(Kind::Float))
        }
        fn after_step(&mut self, _at: Progress) {
            // In place on a leaf that requires a gradient: only allowed without one.
            let _ = self.0.get("w").unwrap().shallow_clone().g_add_scalar_(1.0);
        }
    }
    let mut steep = Steep(params);
    let sgd = Sgd { momentum: 0.0, weight_decay: 0.0, ..Sgd::default() };
    let mut optimizer = OptimConfig::Sgd(sgd).build(&steep.0);
    let folder = tempfile::tempdir().unwrap();
    let stage = StageDir::open(folder.path()).unwrap();
    let mut setup = Setup::new(1, Schedule::constant(0.5));
    setup.config.clip_norm = Some(1.0);
    let batches = |_| [Ok::<_, std::io::Error>(())];
    let (options, evaluate) = (setup.options(), |_: &mut Steep, _| Ok(vec![]));
    fit(&mut steep, &mut optimizer, &options, &stage, batches, evaluate, &mut ()).unwrap();
    let w = Vec::<f32>::try_from(steep.0.get("w").unwrap().detach()).unwrap();
    // 1 − 0.5 · (0.6, 0.8) + 1.
    assert!((w[0] - 1.7).abs() < 1e-6 && (w[1] - 1.6).abs() < 1e-6, "{w:?}");
    let row = &lab::record(folder.path())[0].1;
    assert!((row["grad_norm"].unwrap() - 500.0).abs() < 1e-3);
}

#[test]
fn a_training_is_a_part_of_a_recipe() {
    let text = "steps = 400\nbatch = 20\nlr = { kind = 'constant', value = 0.1 }\n\
                optim = { kind = 'sgd' }\n";
    let config: TrainConfig = toml::from_str(text).unwrap();
    let sgd = OptimConfig::Sgd(Sgd::default());
    assert_eq!(config, TrainConfig::new(400, 20, Schedule::constant(0.1), sgd));
    assert!(config.faults().is_empty());
    let more = format!("{text}ema = {{ decay = 0.99 }}\nclip_norm = 5\n");
    let more: TrainConfig = toml::from_str(&more).unwrap();
    assert_eq!((more.ema, more.swa, more.clip_norm), (Some(Ema::new(0.99)), None, Some(5.0)));
    for config in [&config, &more] {
        let written = toml::to_string(config).unwrap();
        assert_eq!(&toml::from_str::<TrainConfig>(&written).unwrap(), config);
    }
    let unknown = text.replace("batch", "bacth");
    assert!(toml::from_str::<TrainConfig>(&unknown).unwrap_err().to_string().contains("bacth"));
    let cadence: Cadence = toml::from_str("log = 10\n").unwrap();
    assert_eq!(cadence, Cadence { log: 10, evaluate: 100, checkpoint: 200, keep: 2 });
    assert!(toml::from_str::<Cadence>("lgo = 1").is_err());
}

#[test]
fn every_fault_is_named() {
    let sgd = Sgd { momentum: 1.0, ..Sgd::default() };
    let lr = Schedule::Linear { from: f64::NAN, to: f64::INFINITY, warmup: 0 };
    let config = TrainConfig {
        ema: Some(Ema::new(-0.5)),
        swa: Some(Swa { from: 1.0, every: 0 }),
        clip_norm: Some(0.0),
        ..TrainConfig::new(0, 0, lr, OptimConfig::Sgd(sgd))
    };
    let expected = [
        "batch: at least one sample a step is needed",
        "lr.from: NaN is not finite",
        "lr.to: inf is not finite",
        "optim.momentum: 1 is not in [0, 1)",
        "ema.decay: -0.5 is not in [0, 1)",
        "swa.from: 1 is not in [0, 1)",
        "swa.every: at least one step has to lie between two",
        "clip_norm: a norm above 0 is needed; leave the key out not to clip",
    ];
    let found: Vec<_> = config.faults().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);

    let cadence = Cadence { log: 0, keep: 0, ..Cadence::default() };
    let mut corner = Corner::new();
    let mut optimizer = OptimConfig::default().build(&corner.params);
    let folder = tempfile::tempdir().unwrap();
    let stage = StageDir::open(folder.path()).unwrap();
    let options = FitOptions::new(&config, &cadence);
    let batches = |_| [Ok::<_, std::io::Error>(())];
    let evaluate = |_: &mut Corner, _| Ok(vec![]);
    let refused = fit(&mut corner, &mut optimizer, &options, &stage, batches, evaluate, &mut ());
    let Err(FitError::Config(InvalidConfig { faults })) = refused else { panic!("{refused:?}") };
    let keys: Vec<_> = faults[expected.len()..].iter().map(|f| f.key.as_str()).collect();
    assert_eq!(keys, ["steps", "cadence.log", "cadence.keep"]);
}

#[test]
fn a_run_ends_when_its_time_is_spent_as_after_its_last_step() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { seconds: Some(0.3), ..lab::setup(1_000_000) };
    let (outcome, _) = lab::run(folder.path(), &setup, &mut ()).unwrap();
    let Outcome::Finished(summary) = outcome else { panic!("a signal came") };
    assert!(summary.step > 0 && summary.step < 1_000_000);
    assert!(!summary.evaluation.is_empty(), "the last step is evaluated");
    let stage = StageDir::open(folder.path()).unwrap();
    assert_eq!(stage.checkpoints().newest().unwrap().unwrap().run.step, summary.step);
    drop(stage);
    // Started again, it is at its end.
    let (outcome, _) = lab::run(folder.path(), &setup, &mut ()).unwrap();
    assert_eq!(outcome.summary().step, summary.step);
}
