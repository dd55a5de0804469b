//! Several processes that share batches: each method has the losses that one process has. The test
//! starts its own binary several times as the ranks of a group.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ssl_core::methods::{
    FixMatchConfig, MeanTeacherConfig, NoisyStudent, NoisyStudentConfig, PiModelConfig,
    PseudoLabelConfig, SupervisedConfig, UdaConfig,
};
use ssl_core::parts::{AlignTo, Alignment};
use ssl_core::{Batch, Method, MethodSettings, Ssl, TaskInfo};
use torch::group::{Group, Launch, Rendezvous};
use torch::nn::{
    BatchNorm, Conv2d, ConvConfig, Linear, dropout, global_average_pool, stochastic_depth,
};
use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Features, Kind, Mode, Model, Scope, Tensor};
use train::{
    BatchStatistics, Cadence, Ema, FitOptions, Objective, Parallel, Schedule, StageDir, TrainConfig,
};

const CASE: &str = "SSL_TEST_CASE";
const FOLDER: &str = "SSL_TEST_FOLDER";

const STEPS: u64 = 20;
const CLASSES: i64 = 4;
/// Labelled and unlabelled images of a step.
const BATCH: [i64; 2] = [8, 24];

/// Two convolutions, the second a residual branch, with all kinds of noise and batch norm.
struct Net {
    conv: [Conv2d; 2],
    norm: [BatchNorm; 2],
    fc: Linear,
}

impl Net {
    fn new(scope: &mut Scope<'_>) -> Self {
        let mut conv =
            |name: &str, inputs| Conv2d::new(&mut scope.sub(name), ConvConfig::new(inputs, 8, 3));
        let conv = [conv("conv1", 1), conv("conv2", 8)];
        let mut norm = |name: &str| BatchNorm::new(&mut scope.sub(name), 8, 0.1, 1e-3);
        let norm = [norm("norm1"), norm("norm2")];
        Self { conv, norm, fc: Linear::new(&mut scope.sub("fc"), 8, CLASSES) }
    }
}

impl Features for Net {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.norm[0].forward_relu(&self.conv[0].forward(x), 0.1, mode);
        let branch = self.norm[1].forward(&self.conv[1].forward(&x), mode);
        let x = (x + stochastic_depth(&branch, 0.2, mode)).relu();
        dropout(&global_average_pool(&x), 0.1, mode)
    }

    fn classifier(&self) -> &Linear {
        &self.fc
    }
}

fn model() -> Model {
    Model::build(Device::Cpu, Net::new)
}

/// The batch of a step: a pure function of it, without libtorch's generator.
fn batch(step: u64) -> Batch {
    let options = (Kind::Float, Device::Cpu);
    let images = |of: i64, rows: i64, noise: f64| {
        let y = (Tensor::arange(rows, (Kind::Int64, Device::Cpu)) * 7 + step as i64 * 3 + of)
            .remainder(CLASSES);
        let at = Tensor::arange(rows * 64, options) + (step * 977 + of as u64 * 131) as f64;
        let random = (at * 12.9898).sin() * 43_758.547;
        let random = (&random - random.floor()).view([rows, 1, 8, 8]) - 0.5;
        let place = Tensor::arange(64, options).view([1, 1, 8, 8]) * 0.1;
        let wave = (place * (&y + 1).to_kind(Kind::Float).view([rows, 1, 1, 1])).sin();
        (wave + random * noise, y)
    };
    let (x, y) = images(0, BATCH[0], 1.0);
    let (weak, hidden) = images(1, BATCH[1], 0.5);
    let (strong, _) = images(1, BATCH[1], 2.0);
    let targets = hidden.one_hot(CLASSES).to_kind(Kind::Float) * 0.8 + 0.05;
    Batch { u: vec![weak, strong], targets: Some(targets), ..Batch::labeled(x, y) }
}

/// One process's share of a batch.
fn share(batch: Batch, rank: usize, size: usize) -> Batch {
    let own = |t: &Tensor| {
        let own = train::parallel::equal_shard(t.size()[0] as usize, rank, size);
        let own = own.expect("a multiple");
        t.narrow(0, own.start as i64, own.len() as i64)
    };
    Batch {
        u: batch.u.iter().map(own).collect(),
        targets: batch.targets.as_ref().map(own),
        ..Batch::labeled(own(&batch.x), own(&batch.y))
    }
}

const CASES: [&str; 11] = [
    "supervised",
    "uda",
    "uda-2019",
    "uda-aligned",
    "fixmatch",
    "fixmatch-aligned",
    "mean-teacher",
    "pi-model",
    "pseudo-label",
    "noisy-student",
    "noisy-student-in-loop",
];

fn aligned(to: AlignTo, decay: f64) -> Option<Alignment> {
    Some(Alignment { to, decay, start: Vec::new() })
}

fn method(case: &str) -> Box<dyn Method> {
    let task = TaskInfo { classes: CLASSES, unlabeled: 1000, device: Device::Cpu };
    let own = |config: &dyn MethodSettings| {
        assert!(config.shares_batches(), "{case}");
        config.build(&task)
    };
    match case {
        "supervised" => own(&SupervisedConfig::default()),
        "uda" => own(&UdaConfig { threshold: 0.4, ..UdaConfig::default() }),
        // Training signal annealing divides by the number of released labels.
        "uda-2019" => own(&UdaConfig::october_2019()),
        // Within the step, as recipes for texts have it, and to moving averages of both.
        "uda-aligned" => {
            let alignment = aligned(AlignTo::Uniform, 0.0);
            own(&UdaConfig { threshold: 0.0, alignment, ..UdaConfig::default() })
        }
        "fixmatch-aligned" => {
            let alignment = aligned(AlignTo::Labels, 0.9);
            own(&FixMatchConfig { threshold: 0.3, alignment, ..FixMatchConfig::default() })
        }
        "fixmatch" => own(&FixMatchConfig { threshold: 0.4, ..FixMatchConfig::default() }),
        // By their default weights of up to 50, training at a rate of 0.05 is so unstable that what
        // is rounded otherwise grows to the third digit within the twenty steps.
        "mean-teacher" => own(&MeanTeacherConfig { weight: Schedule::constant(2.0) }),
        "pi-model" => own(&PiModelConfig { weight: Schedule::constant(2.0) }),
        "pseudo-label" => own(&PseudoLabelConfig { threshold: 0.4, ..Default::default() }),
        "noisy-student" => Box::new(NoisyStudent::offline(NoisyStudentConfig::default())),
        "noisy-student-in-loop" => {
            Box::new(NoisyStudent::in_loop(NoisyStudentConfig::default(), model()))
        }
        other => panic!("no case {other}"),
    }
}

/// Trains by a method, alone or as one of a group.
fn train(case: &str, folder: &Path, group: Option<&Group>) {
    let _alone = torch::rng::exclusive();
    torch::device::set_threads(1);
    torch::rng::seed(11);
    let mut ssl = Ssl::new(method(case), model(), Some((model(), Ema::with_warmup(0.99))));
    let sgd = Sgd { momentum: 0.9, nesterov: true, weight_decay: 5e-4, ..Sgd::default() };
    // At five times this rate what is rounded otherwise grows to the fifth digit on some machines.
    let lr = Schedule::constant(0.01);
    let config = TrainConfig::new(STEPS, BATCH[0] as usize, lr, OptimConfig::Sgd(sgd));
    let mut optimizer = config.optim.build(ssl.params());
    let cadence = Cadence { log: 1, ..Cadence::default() };
    let parallel = group.map(|group| Parallel::new(group, BatchStatistics::Whole));
    let options = FitOptions { parallel: parallel.as_ref(), ..FitOptions::new(&config, &cadence) };
    let (rank, size) = group.map_or((0, 1), |group| (group.rank(), group.size()));
    let stage = match rank {
        0 => StageDir::open(folder).expect("a stage"),
        _ => StageDir::beside(folder),
    };
    let views = ssl.method().views().unlabeled.len();
    let taken = |mut batch: Batch| {
        batch.u.truncate(views);
        share(batch, rank, size)
    };
    let batches = |from| (from..).map(|step| Ok::<_, std::io::Error>(taken(batch(step))));
    let none = |_: &mut Ssl<Box<dyn Method>>, _| Ok(Vec::new());
    train::fit(&mut ssl, &mut optimizer, &options, &stage, batches, none, &mut ()).expect("well");
}

/// What is logged of every step: losses and notes.
fn logged(folder: &Path) -> Vec<(String, f64)> {
    let rows = train::record::read(&folder.join(train::record::FILE)).expect("a record");
    let values = rows.into_iter().flat_map(|row| {
        row.values.into_iter().map(move |(name, value)| (format!("{name} of {}", row.step), value))
    });
    values.filter_map(|(name, value)| Some((name, value?))).collect()
}

#[test]
#[ignore = "a part of the test below, which runs it in processes of its own"]
fn child() {
    let (case, folder) = (std::env::var(CASE).expect("a case"), std::env::var(FOLDER));
    // Without variables of a launcher it is alone.
    let group = Rendezvous::from_env().expect("variables").map(|rendezvous| {
        let rendezvous = Rendezvous { timeout: Duration::from_secs(60), ..rendezvous };
        Group::join(&rendezvous).expect("all come")
    });
    for case in case.split(',') {
        let folder = Path::new(folder.as_ref().expect("a folder")).join(case);
        train(case, &folder, group.as_ref());
    }
}

#[test]
fn every_method_that_shares_batches_has_the_losses_of_one_process() {
    let program = std::env::current_exe().expect("this binary");
    // In a process of its own: tests beside this one draw from its generator.
    let make = |folder: &Path| {
        let mut command = Command::new(&program);
        command
            .args(["--ignored", "--exact", "together::child", "--nocapture"])
            .env(CASE, CASES.join(","))
            .env(FOLDER, folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let alone = tempfile::tempdir().expect("a folder");
    assert!(make(alone.path()).status().expect("a process").success());
    for size in [2, 4] {
        let folder = tempfile::tempdir().expect("a folder");
        let limit = Some(Duration::from_secs(300));
        let ended = Launch { limit, ..Launch::new(size) }
            .run(|_| make(folder.path()), || false)
            .expect("processes");
        assert!(ended.first.is_none(), "{ended:?}");
        for case in CASES {
            let found = logged(&folder.path().join(case));
            let wanted = logged(&alone.path().join(case));
            assert_eq!(found.len(), wanted.len());
            for ((name, a), (same, b)) in found.iter().zip(&wanted) {
                assert_eq!(name, same);
                let far = (a - b).abs();
                assert!(far <= 1e-5 * b.abs().max(1e-2), "{case}, {size}: {name} is {a}, not {b}");
            }
        }
    }
}
