//! How many augmented images per second the loader prepares.
//!
//! An iteration takes one step (one labelled and one unlabelled stream, a quarter labelled) from a
//! loader that has been running: the time a training loop waits for a batch if it does nothing
//! else. With 0 workers the calling thread prepares; the other cases show what a worker thread
//! costs and how the loader scales. Workers prepare up to two steps each in advance, so the first
//! iterations are faster.

use benches::{SEED, affine, fixmatch, handwritten, photos, stream};
use criterion::{BenchmarkId, Criterion, Throughput};
use data_pipeline::loader::Loader;

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
                    stream(set, &[policy], *labeled, SEED),
                    stream(set, &[policy], *unlabeled, SEED + 1),
                ];
                let mut loader = Loader::builder(streams).workers(workers).start();
                b.iter(|| loader.next().expect("an endless loader").expect("a whole step"));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
