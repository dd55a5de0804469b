//! One training step of Noisy Student: loss, backward, SGD with Nesterov's momentum, the EMA model.
//!
//! Tensors are ready in memory, so that neither loader nor augmentation count; throughput is images
//! through the student. The small net is the student of the default run: so small that the fixed
//! costs of its many operations matter. WRN-16-2 spends its time in convolutions. Two threads wait
//! for each other after every operation: where other programs run on the machine, they take several
//! times as long as one, and that is what is measured then. The loop in `train` adds to each step a
//! check of the loss, and now and then a row of the record or a checkpoint.

use benches::{batch, learner, small_net, wrn16_2};
use criterion::{BenchmarkId, Criterion, Throughput};
use ssl_core::methods::{NoisyStudent, NoisyStudentConfig};
use torch::no_grad;
use torch::optim::{OptimConfig, Sgd};
use train::{Objective, Progress};

const LR: f64 = 0.01;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let cases =
        [("small-net-w32", small_net(), 1, 8, [50, 150]), ("wrn-16-2", wrn16_2(), 3, 32, [16, 48])];
    let mut group = criterion.benchmark_group("step");
    group.sample_size(20);
    for (name, net, channels, side, [labeled, unlabeled]) in &cases {
        let batch = batch(*channels, *side, *labeled, *unlabeled);
        group.throughput(Throughput::Elements(batch.forward_samples() as u64));
        for threads in [1, 2] {
            torch::device::set_threads(threads);
            let method = NoisyStudent::offline(NoisyStudentConfig::default());
            let mut ssl = learner(method, net, *channels);
            let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(ssl.params());
            let mut at = Progress { step: 0, steps: u64::MAX };
            let size = format!("{side}x{side}x{channels}");
            let id = format!("{size}/labeled={labeled}/unlabeled={unlabeled}/threads={threads}");
            group.bench_function(BenchmarkId::new(*name, id), |b| {
                b.iter(|| {
                    ssl.loss(batch.shallow_clone(), at).total().backward();
                    optimizer.step(LR);
                    optimizer.zero_grad();
                    no_grad(|| ssl.after_step(at));
                    at.step += 1;
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
