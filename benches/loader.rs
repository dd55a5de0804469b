//! How many augmented images a second the loader prepares.
//!
//! An iteration takes one step (one labelled and one unlabelled stream, a quarter labelled) from a loader that has been
//! running: what a training loop waits for when it does nothing itself. With 0 workers the loop's own thread prepares; the
//! others show what a worker thread costs and whether two are twice one. Workers are ahead by two steps each, which lends
//! the first few iterations some speed. The loader is worth its threads where a step of training takes longer than a batch.

use std::sync::Arc;

use augment::policy::Policy;
use benches::{SEED, affine, fixmatch, handwritten, photos};
use criterion::{BenchmarkId, Criterion, Throughput};
use data_pipeline::dataset::Samples;
use data_pipeline::loader::{Loader, Stream, View};
use data_pipeline::sampler::Order;

fn stream(set: &Arc<dyn Samples>, policy: &Policy, batch: usize, seed: u64) -> Stream {
    let policy = policy.clone();
    let view: View =
        Arc::new(move |image, rng, scratch, _| policy.apply_in_place(image, rng, scratch));
    Stream {
        set: set.clone(),
        entries: (0..set.len() as u32).collect(),
        views: vec![view],
        batch,
        seed,
        order: Order::Shuffled,
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let cases = [
        ("digits-8x8x1-affine", handwritten(), affine(), [50, 150]),
        ("photos-32x32x3-fixmatch-strong", photos(2_000, 32), fixmatch(), [64, 192]),
    ];
    let mut group = criterion.benchmark_group("loader");
    for (name, set, policy, [labeled, unlabeled]) in &cases {
        let images = labeled + unlabeled;
        group.throughput(Throughput::Elements(images as u64));
        for workers in [0, 1, 2] {
            let id = BenchmarkId::new(*name, format!("batch={images}/workers={workers}"));
            group.bench_function(id, |b| {
                let streams = vec![
                    stream(set, policy, *labeled, SEED),
                    stream(set, policy, *unlabeled, SEED + 1),
                ];
                let mut loader = Loader::start(streams, 0, None, workers);
                b.iter(|| loader.next().expect("an endless loader").expect("a whole step"));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
