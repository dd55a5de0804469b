//! Writing and reading a checkpoint with everything that a run resumes from: weights, EMA model,
//! optimiser.
//!
//! `save` is a run that is told to stop before its first step and leaves a checkpoint: its digest,
//! the file, and the wait until the disk has it. `load` is the same run started again: the file
//! read, its digest verified, all tensors restored. Throughput is in bytes of the file. The folder
//! is the system's temporary one, which TMPDIR changes: on a RAM disk only the digest and the
//! copying count.

use std::path::Path;

use benches::{learner, small_net, wrn28_2};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use ssl_core::methods::{Supervised, SupervisedConfig};
use ssl_core::{Batch, Ssl};
use torch::optim::{OptimConfig, Optimizer, Sgd};
use train::{
    Cadence, Callback, FitOptions, Objective, Outcome, Progress, Schedule, StageDir, TrainConfig,
    fit,
};

/// Stops before the first step.
struct Stop;

impl Callback for Stop {
    fn stop(&mut self, _at: Progress) -> bool {
        true
    }
}

/// Starts the run in `stage` and stops it at once.
fn start_and_stop(ssl: &mut Ssl<Supervised>, optimizer: &mut Optimizer, stage: &StageDir) {
    let config = TrainConfig::new(1, 1, Schedule::constant(0.1), OptimConfig::default());
    let (cadence, batches) = (Cadence::default(), |_| std::iter::empty::<std::io::Result<Batch>>());
    let options = FitOptions::new(&config, &cadence);
    let ended = fit(ssl, optimizer, &options, stage, batches, |_, _| Ok(Vec::new()), &mut Stop);
    assert!(matches!(ended, Ok(Outcome::Interrupted(_))), "{ended:?}");
}

fn open(folder: &Path) -> StageDir {
    StageDir::open(folder).expect("a folder for the run")
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let nets = [("small-net-w32", small_net(), 1), ("wrn-28-2", wrn28_2(), 3)];
    let mut group = criterion.benchmark_group("checkpoint");
    group.sample_size(20);
    for (name, net, channels) in &nets {
        let mut ssl = learner(Supervised::new(SupervisedConfig::default()), net, *channels);
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
