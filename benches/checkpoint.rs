//! Writing and reading a checkpoint with everything that a run goes on from: weights, averaged twin, optimiser.
//!
//! `save` is a run that is told to stop before its first step and leaves a checkpoint: its digest, the file, and the wait
//! until the disk has it. `load` is the same run started again: the file read, its digest verified, all tensors put back.
//! Throughput is in bytes of the file. The folder is the system's temporary one: on a RAM disk only the digest and the
//! copying count, and TMPDIR puts it elsewhere.

use std::path::Path;

use benches::{learner, small_net, wrn28_2};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use ssl_core::methods::Supervised;
use ssl_core::{Batch, Ssl};
use torch::optim::{OptimConfig, Optimizer, Sgd};
use train::{Objective, Outcome, Plan, Progress, Schedule, StageDir, Watch, fit};

/// Stops before anything is learned.
struct Stop;

impl Watch for Stop {
    fn stop(&mut self, _at: Progress) -> bool {
        true
    }
}

/// Starts the run in `stage` and stops it at once.
fn start_and_stop(ssl: &mut Ssl<Supervised>, optimizer: &mut Optimizer, stage: &StageDir) {
    let plan = Plan::new(1, Schedule::constant(0.1));
    let batches = |_| std::iter::empty::<std::io::Result<Batch>>();
    let ended = fit(ssl, optimizer, &plan, stage, batches, |_, _| Ok(Vec::new()), &mut Stop);
    assert!(matches!(ended, Ok(Outcome::Interrupted(_))), "{ended:?}");
}

fn open(folder: &Path) -> StageDir {
    StageDir::open(folder).expect("a folder for the run")
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let nets = [("small-net-w24", small_net(), 1), ("wrn-28-2", wrn28_2(), 3)];
    let mut group = criterion.benchmark_group("checkpoint");
    group.sample_size(20);
    for (name, net, channels) in &nets {
        let mut ssl = learner(Supervised::default(), net, *channels);
        let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(ssl.params());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stage = open(folder.path());
        start_and_stop(&mut ssl, &mut optimizer, &stage);
        let file = stage.checkpoints().path(0).metadata().expect("a checkpoint");
        group.throughput(Throughput::Bytes(file.len()));
        group.bench_function(BenchmarkId::new("load", *name), |b| {
            b.iter(|| start_and_stop(&mut ssl, &mut optimizer, &stage));
        });
        group.bench_function(BenchmarkId::new("save", *name), |b| {
            let fresh = || {
                let folder = tempfile::tempdir().expect("a temporary folder");
                (open(folder.path()), folder)
            };
            let save = |(stage, folder)| {
                start_and_stop(&mut ssl, &mut optimizer, &stage);
                (stage, folder)
            };
            b.iter_batched(fresh, save, BatchSize::PerIteration);
        });
    }
    group.finish();
    criterion.final_summary();
}
