//! RandAugment as the papers' codes have it, then every single operation, on one thread without any
//! loader.
//!
//! An iteration augments 64 images, each with its own key, so that every iteration applies the same
//! wide choice of operations; throughput is in images. Images of 32 pixels are CIFAR-10's size, of
//! 224 ImageNet's. Scratch memory is reused. `copy` only copies the image, which all others do too;
//! `fixmatch-strong` is flip, crop, RandAugment and cutout. An iteration of `operation/...` is one
//! image; docs/results/augment.md has the times of other libraries.

use augment::levels::Variant;
use augment::policy::{Policy, Step};
use augment::randaugment::RandAugment;
use augment::rng::Key;
use augment::scratch::Scratch;
use benches::{SEED, fixmatch, image};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;

#[path = "../crates/augment/examples/timings/cases.rs"]
mod cases;

const IMAGES: u64 = 64;

fn randaugment(variant: Variant) -> Policy {
    Step::RandAugment(RandAugment::of(variant)).into()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let policies = [
        ("copy", Policy::none()),
        ("randaugment-uda", randaugment(Variant::Uda)),
        ("randaugment-fixmatch", randaugment(Variant::Fixmatch)),
        ("randaugment-noisy-student", randaugment(Variant::NoisyStudent)),
        ("fixmatch-strong", fixmatch()),
    ];
    let mut group = criterion.benchmark_group("augment");
    group.throughput(Throughput::Elements(IMAGES));
    for side in [32, 224] {
        let image = image(side, 3, SEED);
        for (name, policy) in &policies {
            policy.check().expect("a policy of a paper");
            let mut scratch = Scratch::new();
            group.bench_function(BenchmarkId::new(*name, format!("{side}x{side}x3")), |b| {
                b.iter(|| {
                    for index in 0..IMAGES {
                        let mut rng = Key { seed: SEED, epoch: 0, index, view: 0 }.rng();
                        let mut seen = image.clone();
                        policy.apply_in_place(&mut seen, &mut rng, &mut scratch);
                        black_box(seen);
                    }
                });
            });
        }
    }
    group.finish();
    let mut group = criterion.benchmark_group("operation");
    group.throughput(Throughput::Elements(1));
    for side in [32, 224] {
        let source = image(side, 3, SEED);
        let (mut seen, mut scratch, mut floats) = (source.clone(), Scratch::new(), Vec::new());
        for case in cases::CASES {
            let work = cases::work(case, side).expect("a case of the list");
            let mut index = 0;
            group.bench_function(BenchmarkId::new(case, format!("{side}x{side}x3")), |b| {
                b.iter(|| {
                    seen.clone_from(&source);
                    work(&mut seen, index, &mut scratch, &mut floats);
                    index += 1;
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
