//! The loop: what stops it, what it reports, what it asks of a plan.

use std::path::{Path, PathBuf};

use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Init, Kind, Params, Role, Tensor};
use train::{
    FitError, Loss, Objective, Outcome, Plan, Progress, Report, Schedule, StageDir, Watch, fit,
};

use crate::lab;

#[test]
fn a_loss_that_is_not_a_number_stops_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { lr: Schedule::constant(0.01), ..lab::plan(20) };
    let batch = |step| if step == 9 { lab::spoiled(step) } else { lab::batch(step) };
    let error = lab::run_with(folder.path(), &plan, batch, &mut ()).unwrap_err();
    let last_good = folder.path().join("checkpoints/step-00000008.ckpt.safetensors");
    let message = error.to_string();
    let expected = format!(
        "step 9: the term `sup` of the loss is NaN at learning rate 0.01. The last good checkpoint is kept: {}",
        last_good.display()
    );
    assert_eq!(message, expected);
    assert!(last_good.exists());
    // With the fault mended, the run goes on from there.
    let (outcome, _) = lab::run(folder.path(), &plan, &mut ()).unwrap();
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

fn fit_corner(folder: &Path, plan: &Plan) -> FitError {
    let mut corner = Corner::new();
    let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(&corner.params);
    let stage = StageDir::open(folder).unwrap();
    let batches = |from| (from..).map(|_: u64| Ok::<_, std::io::Error>(()));
    let evaluate = |_: &mut Corner, _| Ok(vec![]);
    fit(&mut corner, &mut optimizer, plan, &stage, batches, evaluate, &mut ()).unwrap_err()
}

#[test]
fn a_bad_gradient_never_reaches_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { checkpoint_every: 1, ..Plan::new(5, Schedule::constant(0.1)) };
    let message = fit_corner(folder.path(), &plan).to_string();
    let start = "step 0: the parameter w after the update is NaN at learning rate 0.1. There is no";
    assert!(message.starts_with(start), "{message}");
    assert!(StageDir::open(folder.path()).unwrap().checkpoints().newest().unwrap().is_none());

    let message =
        fit_corner(folder.path(), &Plan { checkpoint_every: 0, ..plan.clone() }).to_string();
    assert!(message.starts_with("step 1: the term `corner` of the loss is NaN"), "{message}");
    let message = fit_corner(folder.path(), &Plan { clip_norm: Some(1.0), ..plan }).to_string();
    assert!(message.starts_with("step 0: the norm of the gradient is NaN"), "{message}");
}

#[test]
fn errors_of_data_and_evaluation_say_when() {
    let plan = Plan { eval_every: 2, ..Plan::new(6, Schedule::constant(0.0)) };
    let run = |stop: u64, plan: &Plan, metric: Result<f64, &'static str>| {
        let folder = tempfile::tempdir().unwrap();
        let mut student = lab::Student::new();
        let mut optimizer = student.optimizer();
        let stage = StageDir::open(folder.path()).unwrap();
        let batches =
            |from| {
                (from..7_u64).map(move |s| {
                    if s == stop { Err("image 17 is broken") } else { Ok(lab::batch(s)) }
                })
            };
        let evaluate = |_: &mut lab::Student, _| Ok(vec![("accuracy".to_owned(), metric?)]);
        fit(&mut student, &mut optimizer, plan, &stage, batches, evaluate, &mut ())
    };
    let message = run(3, &plan, Ok(1.0)).unwrap_err().to_string();
    assert_eq!(message, "step 3: the next batch: image 17 is broken");
    let message = run(9, &plan, Err("no test images")).unwrap_err().to_string();
    assert_eq!(message, "evaluation after 2 steps: no test images");
    let message = run(9, &Plan { steps: 9, ..plan.clone() }, Ok(1.0)).unwrap_err().to_string();
    assert!(message.starts_with("the batches ended before step 7 of 9"), "{message}");
    let best = Plan { best: Some("f1".to_owned()), ..plan.clone() };
    let message = run(9, &best, Ok(1.0)).unwrap_err().to_string();
    assert_eq!(message, "best: the evaluation gives no `f1`; it gives accuracy");
    let nan = Plan { best: Some("accuracy".to_owned()), ..plan };
    let outcome = run(9, &nan, Ok(f64::NAN)).unwrap();
    assert_eq!(outcome.summary().best, None);
    assert!(outcome.summary().evaluation[0].1.is_nan());
}

/// Writes down what it is told.
#[derive(Default)]
struct Diary {
    started: Vec<u64>,
    stepped: Vec<u64>,
    reports: Vec<Report>,
    evaluated: Vec<(u64, f64)>,
    checkpoints: Vec<(u64, PathBuf)>,
}

impl Watch for Diary {
    fn started(&mut self, at: Progress) {
        self.started.push(at.step);
    }

    fn stepped(&mut self, at: Progress) {
        self.stepped.push(at.step);
    }

    fn reported(&mut self, report: &Report) {
        self.reports.push(report.clone());
    }

    fn evaluated(&mut self, at: Progress, values: &[(String, f64)]) {
        self.evaluated.push((at.step, values[0].1));
    }

    fn checkpointed(&mut self, at: Progress, path: &Path) {
        self.checkpoints.push((at.step, path.to_owned()));
    }

    fn stop(&mut self, at: Progress) -> bool {
        at.step == 8 && self.started.len() == 1
    }
}

#[test]
fn whoever_watches_sees_everything() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { best: None, log_every: 3, ..lab::plan(12) };
    let mut diary = Diary::default();
    let (first, _) = lab::run(folder.path(), &plan, &mut diary).unwrap();
    assert!(matches!(first, Outcome::Interrupted(_)), "{first:?}");
    let (second, _) = lab::run(folder.path(), &plan, &mut diary).unwrap();

    assert_eq!(diary.started, [0, 8]);
    assert!(diary.stepped.iter().copied().eq(1..=12));
    let steps = |list: &[Report]| list.iter().map(|r| r.at.step).collect::<Vec<_>>();
    assert_eq!(steps(&diary.reports), [3, 6, 9, 12]);
    assert_eq!(diary.evaluated.iter().map(|e| e.0).collect::<Vec<_>>(), [5, 10, 12]);
    assert_eq!(diary.checkpoints.iter().map(|c| c.0).collect::<Vec<_>>(), [4, 8, 12]);
    assert!(diary.checkpoints.iter().all(|c| c.1.exists()));

    let last = diary.reports.last().unwrap();
    assert_eq!((last.at.steps, last.seconds_left), (12, 0.0));
    assert!(last.samples_per_s > 0.0 && last.seconds > diary.reports[1].seconds);
    assert!(diary.reports.iter().all(|r| r.grad_norm.is_some_and(|n| n > 0.0)));
    assert_eq!(last.lr, plan.lr.at(Progress { step: 11, steps: 12 }));
    let rows = lab::record(folder.path());
    let row = rows.iter().rfind(|r| r.1.contains_key("loss")).unwrap();
    assert_eq!((row.0, row.1["loss"]), (12, Some(last.loss.total)));
    assert_eq!(row.1["note/sure"], Some(last.loss.notes[0].1));
    assert!(second.summary().seconds >= last.seconds);
    assert_eq!(second.summary().evaluation, [("accuracy".to_owned(), diary.evaluated[2].1)]);
}

#[test]
fn it_learns() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { eval_every: 0, checkpoint_every: 0, ..lab::plan(150) };
    let (outcome, _) = lab::run(folder.path(), &plan, &mut ()).unwrap();
    assert_eq!(outcome.summary().evaluation, [("accuracy".to_owned(), 1.0)]);
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
    let plan = Plan { clip_norm: Some(1.0), ..Plan::new(1, Schedule::constant(0.5)) };
    let batches = |_| [Ok::<_, std::io::Error>(())];
    fit(&mut steep, &mut optimizer, &plan, &stage, batches, |_, _| Ok(vec![]), &mut ()).unwrap();
    let w = Vec::<f32>::try_from(steep.0.get("w").unwrap().detach()).unwrap();
    // 1 − 0.5 · (0.6, 0.8) + 1.
    assert!((w[0] - 1.7).abs() < 1e-6 && (w[1] - 1.6).abs() < 1e-6, "{w:?}");
    let row = &lab::record(folder.path())[0].1;
    assert!((row["grad_norm"].unwrap() - 500.0).abs() < 1e-3);
}

#[test]
fn a_plan_is_part_of_a_recipe() {
    let text =
        "steps = 400\nlog_every = 10\nbest = 'accuracy'\n[lr]\nkind = 'constant'\nvalue = 0.1";
    let plan: Plan = toml::from_str(text).unwrap();
    let expected = Plan {
        log_every: 10,
        best: Some("accuracy".to_owned()),
        ..Plan::new(400, Schedule::constant(0.1))
    };
    assert_eq!(plan, expected);
    assert_eq!(toml::from_str::<Plan>(&toml::to_string(&plan).unwrap()).unwrap(), plan);
    let unknown = text.replace("log_every", "log_evry");
    assert!(toml::from_str::<Plan>(&unknown).unwrap_err().to_string().contains("log_evry"));
    let fault = |plan: Plan| plan.check().unwrap_err().to_string();
    assert!(fault(Plan { steps: 0, ..plan.clone() }).starts_with("steps: "));
    assert!(fault(Plan { keep: 0, ..plan.clone() }).starts_with("keep: "));
    assert!(fault(Plan { log_every: 0, ..plan.clone() }).starts_with("log_every: "));
    assert!(fault(Plan { clip_norm: Some(0.0), ..plan.clone() }).starts_with("clip_norm: "));
    let lr = Schedule::constant(f64::NAN);
    assert_eq!(fault(Plan { lr, ..plan }), "lr: schedule: value = NaN is not finite");
}
