//! Several processes that train together: each test starts its own binary several times as ranks.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use metrics::Metric;
use torch::group::{Ended, Group, Launch, Rendezvous};
use torch::optim::{OptimConfig, RmsProp, Sgd};
use torch::{Device, Kind, Params, Role, Tensor, group};
use train::{
    BatchStatistics, Cadence, Checkpoints, FitOptions, Loss, Objective, OptimizerState, Outcome,
    Parallel, Progress, Schedule, StageDir,
};

use crate::lab;

const CASE: &str = "TRAIN_TEST_CASE";
const FOLDER: &str = "TRAIN_TEST_FOLDER";
const STOP_AT: &str = "TRAIN_TEST_STOP_AT";

fn ranks(case: &str, size: usize, folder: &Path, stop_at: u64) -> Ended {
    let program = std::env::current_exe().expect("this binary");
    let make = |_rank: usize| {
        let mut command = Command::new(&program);
        command
            .args(["--ignored", "--exact", "parallel::child", "--nocapture"])
            .env(CASE, case)
            .env(FOLDER, folder)
            .env(STOP_AT, stop_at.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let limit = Some(Duration::from_secs(200));
    Launch { limit, ..Launch::new(size) }.run(make, || false).expect("processes")
}

fn well(case: &str, size: usize, folder: &Path, stop_at: u64) {
    let ended = ranks(case, size, folder, stop_at);
    for (rank, status) in ended.statuses.iter().enumerate() {
        let said = std::fs::read_to_string(folder.join(format!("said-{rank}"))).unwrap_or_default();
        assert!(status.success(), "{case}, rank {rank} of {size}: {status}: {said}");
    }
}

fn join() -> Group {
    let rendezvous = Rendezvous::from_env().expect("variables").expect("a group");
    Group::join(&Rendezvous { timeout: Duration::from_secs(60), ..rendezvous }).expect("all come")
}

#[test]
#[ignore = "a part of the tests below, which run it in processes of its own"]
fn child() {
    let folder = std::env::var(FOLDER).expect("a folder");
    let stop_at: u64 = std::env::var(STOP_AT).expect("a step").parse().expect("a number");
    let folder = Path::new(&folder);
    let group = join();
    let result = match std::env::var(CASE).expect("a case").as_str() {
        "whole" => train(folder, Some(&group), WHOLE, stop_at).map(|_| ()),
        "rmsprop" => train(folder, Some(&group), RMSPROP, stop_at).map(|_| ()),
        "sharded" => train(folder, Some(&group), SHARDED, stop_at).map(|_| ()),
        "own" => {
            let bits = train(folder, Some(&group), OWN, stop_at);
            bits.map(|bits| {
                // Weights, statistics, average, state: equal everywhere.
                let words: Vec<i64> = bits.into_iter().map(i64::from).collect();
                let all = group.all_gather(&Tensor::from_slice(&words)).expect("all");
                assert!(all.iter().all(|other| *other == all[0]));
            })
        }
        "counts" => {
            counts(&group);
            Ok(())
        }
        "signal" => train(folder, Some(&group), WHOLE, STOPPED_AT).map(|_| ()),
        "uneven" => {
            uneven(&group);
            Ok(())
        }
        "killed" => train_killed(folder, &group).map(|_| ()),
        other => panic!("no case {other}"),
    };
    if let Err(error) = result {
        let said = folder.join(format!("said-{}", group.rank()));
        std::fs::write(said, error.to_string()).expect("written");
        std::process::exit(1);
    }
}

/// How processes train together.
#[derive(Clone, Copy)]
struct Way {
    statistics: BatchStatistics,
    state: OptimizerState,
    rmsprop: bool,
}

const WHOLE: Way =
    Way { statistics: BatchStatistics::Whole, state: OptimizerState::Whole, rmsprop: false };
const OWN: Way = Way { statistics: BatchStatistics::Own, ..WHOLE };
const RMSPROP: Way = Way { rmsprop: true, ..WHOLE };
const SHARDED: Way = Way { state: OptimizerState::Sharded, ..RMSPROP };

fn setup(way: Way) -> lab::Setup {
    let mut setup = lab::Setup::new(STEPS, Schedule::constant(0.05));
    setup.config.optim = OptimConfig::Sgd(Sgd { momentum: 0.9, ..Sgd::default() });
    if way.rmsprop {
        // Two numbers of state a weight.
        setup.config.lr = Schedule::constant(0.005);
        setup.config.optim = OptimConfig::Rmsprop(RmsProp::default());
    }
    setup.config.clip_norm = Some(1.0);
    setup.config.batch_statistics = way.statistics;
    setup.config.optimizer_state = way.state;
    let cadence = Cadence { log: 1, evaluate: 5, checkpoint: 4, keep: 2 };
    lab::Setup { cadence, best: Some("accuracy"), ..setup }
}

const STEPS: u64 = 20;

/// Trains the lab's student, alone or as one of a group, and gives all its bits.
fn train(
    folder: &Path,
    group: Option<&Group>,
    way: Way,
    stop_at: u64,
) -> Result<Vec<u32>, train::FitError> {
    train_on(folder, group, way, stop_at, |_| {})
}

fn train_on(
    folder: &Path,
    group: Option<&Group>,
    way: Way,
    stop_at: u64,
    meanwhile: impl Fn(u64),
) -> Result<Vec<u32>, train::FitError> {
    let _alone = torch::rng::exclusive();
    torch::device::set_threads(1);
    torch::rng::seed(7);
    let setup = setup(way);
    let mut student = lab::Student::new();
    let mut optimizer = setup.config.optim.build(student.params());
    let (rank, size) = group.map_or((0, 1), |group| (group.rank(), group.size()));
    let stage = match rank {
        0 => StageDir::open(folder).expect("the stage's folder"),
        _ => StageDir::beside(Path::new("/nowhere")),
    };
    let parallel = group.map(|group| Parallel::new(group, way.statistics));
    let options = FitOptions { parallel: parallel.as_ref(), ..setup.options() };
    let batch = |step| {
        meanwhile(step);
        Ok::<_, std::io::Error>(lab::batch(step).share(rank, size))
    };
    let evaluate = |student: &mut lab::Student, at: Progress| {
        if at.step == STOPPED_AT && std::env::var(CASE).is_ok_and(|case| case == "signal") {
            train::signals::interrupt();
            return Err(std::io::Error::other("stopped"));
        }
        // Each process measures something else; rank 0's counts.
        let accuracy = student.accuracy() + rank as f64 * at.step as f64;
        Ok(vec![Metric::higher("accuracy", "", accuracy)])
    };
    let outcome = train::fit(
        &mut student,
        &mut optimizer,
        &options,
        &stage,
        |from| (from..).map(batch),
        evaluate,
        &mut lab::StopAt(stop_at),
    )?;
    assert_eq!(matches!(outcome, Outcome::Finished(_)), stop_at > STEPS);
    if let (OptimizerState::Sharded, Some(group)) = (way.state, group) {
        // A part in each process, all of it in none.
        let whole = setup.config.optim.build(student.params()).state_bytes() as i64;
        let own = optimizer.state_bytes() as i64;
        let all = Tensor::from_slice(&[own]);
        group.all_reduce(&all, group::Reduce::Sum)?;
        assert_eq!(all.int64_value(&[0]), whole);
        assert!(own < whole, "{own} of {whole} bytes");
    }
    Ok(student.bits().into_values().flatten().collect())
}

/// The loss of every step.
fn losses(folder: &Path) -> Vec<f64> {
    let rows = lab::record(folder);
    rows.iter().filter_map(|(_, values)| values.get("loss").copied().flatten()).collect()
}

#[track_caller]
fn assert_near(found: &[f64], wanted: &[f64]) {
    assert_eq!((found.len(), wanted.len()), (STEPS as usize, STEPS as usize));
    for (step, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= 1e-5 * b.abs(), "step {step}: {a}, not {b}");
    }
}

const NEVER: u64 = 1000;

/// The step whose evaluation a signal stops.
const STOPPED_AT: u64 = 10;

#[test]
fn an_evaluation_that_a_signal_stopped_is_made_when_the_run_goes_on() {
    let alone = tempfile::tempdir().expect("a folder");
    train(alone.path(), None, WHOLE, NEVER).expect("trained");
    let folder = tempfile::tempdir().expect("a folder");
    well("signal", 2, folder.path(), NEVER);
    let steps = || {
        let checkpoints = Checkpoints::open(&folder.path().join("checkpoints"));
        checkpoints.expect("checkpoints").steps().expect("their steps")
    };
    assert_eq!(steps().into_iter().max(), Some(8), "none of the step that was not evaluated");
    well("whole", 2, folder.path(), NEVER);
    assert_near(&losses(folder.path()), &losses(alone.path()));
    let evaluations = |at: &Path| {
        let rows = lab::record(at);
        rows.iter().filter(|(_, values)| values.contains_key("eval/accuracy")).count()
    };
    assert_eq!(evaluations(folder.path()), evaluations(alone.path()));
}

#[test]
fn any_number_of_processes_has_the_losses_of_one() {
    let alone = tempfile::tempdir().expect("a folder");
    train(alone.path(), None, WHOLE, NEVER).expect("trained");
    let wanted = losses(alone.path());
    for size in [2, 4] {
        let folder = tempfile::tempdir().expect("a folder");
        well("whole", size, folder.path(), NEVER);
        assert_near(&losses(folder.path()), &wanted);
        let best = |at: &Path| {
            let folder = Checkpoints::open(&at.join("checkpoints")).expect("checkpoints");
            folder.best().expect("whole").expect("one").run.best.expect("a best").step
        };
        assert_eq!(best(folder.path()), best(alone.path()));
    }
}

#[test]
fn a_checkpoint_is_one_for_any_number_of_processes() {
    let alone = tempfile::tempdir().expect("a folder");
    train(alone.path(), None, WHOLE, NEVER).expect("trained");
    let folder = tempfile::tempdir().expect("a folder");
    well("whole", 4, folder.path(), 7);
    well("whole", 2, folder.path(), 13);
    train(folder.path(), None, WHOLE, NEVER).expect("trained");
    assert_near(&losses(folder.path()), &losses(alone.path()));
}

/// The tensors of the newest checkpoint's optimiser, bit by bit.
fn optimizer_bits(folder: &Path) -> Vec<(String, Vec<f64>)> {
    let folder = Checkpoints::open(&folder.join("checkpoints")).expect("checkpoints");
    let newest = folder.newest().expect("whole").expect("one");
    let values = |t: Tensor| Vec::<f64>::try_from(t.reshape([-1]).to_kind(Kind::Double));
    let all = newest.part("optim.").into_iter();
    all.map(|(name, t)| (name, values(t).expect("numbers"))).collect()
}

#[test]
fn an_optimizer_kept_in_parts_steps_as_a_whole_one_bit_by_bit() {
    for size in [2, 4] {
        let [whole, sharded] = ["rmsprop", "sharded"].map(|case| {
            let folder = tempfile::tempdir().expect("a folder");
            well(case, size, folder.path(), NEVER);
            folder
        });
        assert_eq!(losses(sharded.path()), losses(whole.path()));
        assert_eq!(losses(whole.path()).len(), STEPS as usize);
        assert_eq!(optimizer_bits(sharded.path()), optimizer_bits(whole.path()));
    }
}

#[test]
fn a_checkpoint_of_an_optimizer_kept_in_parts_is_one_for_any_number_of_processes() {
    let alone = tempfile::tempdir().expect("a folder");
    train(alone.path(), None, RMSPROP, NEVER).expect("trained");
    let folder = tempfile::tempdir().expect("a folder");
    well("sharded", 4, folder.path(), 7);
    well("sharded", 2, folder.path(), 11);
    well("rmsprop", 2, folder.path(), 15);
    train(folder.path(), None, RMSPROP, NEVER).expect("trained");
    assert_near(&losses(folder.path()), &losses(alone.path()));
}

#[test]
fn with_statistics_of_their_own_all_stay_equal() {
    let folder = tempfile::tempdir().expect("a folder");
    well("own", 2, folder.path(), NEVER);
    let alone = tempfile::tempdir().expect("a folder");
    train(alone.path(), None, WHOLE, NEVER).expect("trained");
    // Not those of one process: batch norm sees other batches.
    assert_ne!(losses(folder.path()), losses(alone.path()));
}

/// Tokens of which each process has another number.
struct Tokens {
    weight: Tensor,
    params: Params,
    /// Whether their number is a factor of the one part of a step, or within the loss.
    by_parts: bool,
    seen: u64,
}

impl Objective for Tokens {
    type Batch = Tensor;

    fn params(&self) -> &Params {
        &self.params
    }

    fn parts(&self, nll: Tensor) -> Vec<(f64, Tensor)> {
        let count = nll.numel() as f64;
        let mean = || group::mean(&Tensor::from(count)).double_value(&[]);
        vec![(if self.by_parts { count / mean() } else { 1.0 }, nll)]
    }

    fn loss(&mut self, nll: Tensor, _at: Progress) -> Loss {
        self.seen += nll.numel() as u64;
        let weighted = &nll * &self.weight;
        let count = Tensor::from(nll.numel() as f32);
        let loss = match self.by_parts {
            true => weighted.mean(Kind::Float),
            false => weighted.sum(Kind::Float) / group::mean(&count),
        };
        Loss::new().term("nll", 1.0, loss)
    }

    fn flops(&self) -> u64 {
        self.seen
    }
}

/// Trains a weight of 1 by plain SGD with rate 1 on a process's own tokens; its value in the end,
/// and in rank 0 what was recorded of each step.
fn steps_on(
    group: &Group,
    own: &[f32],
    by_parts: bool,
    steps: u64,
) -> (f64, Vec<[Option<f64>; 2]>) {
    let make = |scope: &mut torch::Scope<'_>| {
        scope.tensor("w", &[], Role::Weight, torch::Init::Const(1.0))
    };
    let (weight, params) = Params::build(Device::Cpu, make);
    let mut tokens = Tokens { weight, params, by_parts, seen: 0 };
    let sgd = OptimConfig::Sgd(Sgd { momentum: 0.0, weight_decay: 0.0, ..Sgd::default() });
    let cadence = Cadence { log: 1, ..Cadence::default() };
    let setup = lab::Setup { cadence, ..lab::Setup::new(steps, Schedule::constant(1.0)) };
    let mut optimizer = sgd.build(&tokens.params);
    let folder = tempfile::tempdir().expect("a folder");
    let stage = StageDir::open(folder.path()).expect("a stage");
    let parallel = Parallel::new(group, BatchStatistics::Whole);
    let options = FitOptions { parallel: Some(&parallel), ..setup.options() };
    let batch = |_| Ok::<_, std::io::Error>(Tensor::from_slice(own));
    let none = |_: &mut Tokens, _| Ok(Vec::new());
    let batches = |from: u64| (from..).map(batch);
    train::fit(&mut tokens, &mut optimizer, &options, &stage, batches, none, &mut ()).expect("one");
    let rows = if group.is_first() { lab::record(folder.path()) } else { Vec::new() };
    let told = rows.iter().filter(|(_, values)| values.contains_key("loss"));
    let told = told.map(|(_, values)| ["loss", "flop"].map(|name| values[name])).collect();
    (tokens.weight.double_value(&[]), told)
}

/// Rank 0 has one token of 4, rank 1 three of 1: 1.75, not 2.5, and the gradient alike.
fn counts(group: &Group) {
    let own: &[f32] = if group.rank() == 0 { &[4.0] } else { &[1.0, 1.0, 1.0] };
    let (weight, told) = steps_on(group, own, false, 1);
    assert_eq!(weight, 1.0 - 1.75);
    if group.is_first() {
        assert_eq!(told, [[Some(1.75), Some(4.0)]], "operations of all");
    }
}

/// Ranks with 10, 8, 12 and 10 tokens of 1, 2, 3 and 4, of which some have the factor 1 and others
/// do not: 2.55, and the same collective operations in all of them.
fn uneven(group: &Group) {
    let rank = group.rank();
    let own = vec![rank as f32 + 1.0; [10, 8, 12, 10][rank]];
    let (weight, told) = steps_on(group, &own, true, 2);
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a}, not {b}");
    near(weight, 1.0 - 2.0 * 2.55);
    if group.is_first() {
        let wanted = [(2.55, 40.0), (2.55 * (1.0 - 2.55), 80.0)];
        assert_eq!(told.len(), 2);
        for ([loss, operations], (wanted, of_all)) in told.into_iter().zip(wanted) {
            near(loss.expect("a loss"), wanted);
            assert_eq!(operations, Some(of_all));
        }
    }
}

#[test]
fn processes_with_unequal_counts_do_the_same_together() {
    let folder = tempfile::tempdir().expect("a folder");
    well("uneven", 4, folder.path(), NEVER);
}

#[test]
fn a_mean_over_tokens_is_over_those_of_all() {
    let folder = tempfile::tempdir().expect("a folder");
    well("counts", 2, folder.path(), NEVER);
}

/// Rank 2 of 4 is killed while it makes the batch of step 9.
fn train_killed(folder: &Path, group: &Group) -> Result<Vec<u32>, train::FitError> {
    let meanwhile = |step| {
        if step == 9 && group.rank() == 2 {
            let kill = format!("kill -KILL {}", std::process::id());
            let _ = Command::new("sh").args(["-c", &kill]).status();
        }
    };
    train_on(folder, Some(group), WHOLE, NEVER, meanwhile)
}

#[test]
fn a_killed_rank_ends_the_others_and_the_checkpoint_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = ranks("killed", 4, folder.path(), NEVER);
    assert_eq!((ended.first, ended.killed.len()), (Some(2), 0), "{:?}", ended.statuses);
    for rank in [0, 1, 3] {
        assert_eq!(ended.statuses[rank].code(), Some(1));
        let said = std::fs::read_to_string(folder.path().join(format!("said-{rank}")));
        let said = said.expect("an error");
        assert!(said.starts_with(&format!("rank {rank} of 4: ")), "{said}");
        assert!(said.contains("rank 2 is gone"), "{said}");
    }
    well("whole", 2, folder.path(), NEVER);
    let alone = tempfile::tempdir().expect("a folder");
    train(alone.path(), None, WHOLE, NEVER).expect("trained");
    assert_near(&losses(folder.path()), &losses(alone.path()));
}
