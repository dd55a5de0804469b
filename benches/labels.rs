//! Choosing labels: drawing a label split of 50,000 samples, and filtering and balancing 1.3
//! million pseudo-labels.
//!
//! 50,000 samples of 10 classes are as many as in CIFAR-10's training set, 1.3 million rows of
//! 1,000 classes as in ImageNet's. Classes and confidences are uneven, so that some classes are cut
//! and others are filled with copies. Throughput is in samples and in rows.

use benches::{CLASSES, SEED};
use criterion::{BenchmarkId, Criterion, Throughput};
use data_pipeline::balance::{Rule, Scored, Selection, filter_and_balance};
use data_pipeline::split::{SplitRequest, SplitRule};

use augment::rng::Rng;

const SAMPLES: usize = 50_000;
const ROWS: usize = 1_300_000;
const ROW_CLASSES: usize = 1_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let labels: Vec<u32> = (0..SAMPLES).map(|i| (i % CLASSES) as u32).collect();
    let mut group = criterion.benchmark_group("split");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    for (name, rule, validation) in [
        ("fixmatch", SplitRule::Fixmatch, 5_000),
        ("usb", SplitRule::Usb, 0),
        ("realistic", SplitRule::Realistic, 5_000),
        ("balanced", SplitRule::Balanced, 5_000),
    ] {
        let request =
            SplitRequest { rule, labels: Some(4_000), validation, test: 0, seed: 1, train: None };
        group.bench_function(BenchmarkId::new(name, format!("samples={SAMPLES}")), |b| {
            b.iter(|| request.split(&labels, CLASSES).expect("enough samples"));
        });
    }
    group.finish();

    let mut rng = Rng::new(SEED);
    let rows: Vec<Scored> = (0..ROWS)
        .map(|_| {
            // The product makes classes of different sizes.
            let label = (rng.unit() * rng.unit() * ROW_CLASSES as f64) as u32;
            Scored { label, confidence: rng.unit().sqrt() as f32 }
        })
        .collect();
    let mut group = criterion.benchmark_group("filter-and-balance");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (name, rule, per_class) in [
        ("filter", Rule::ReleasedCode, None),
        ("released-code", Rule::ReleasedCode, Some(1_300)),
        ("paper", Rule::Paper, Some(1_300)),
    ] {
        let selection = Selection { rule, per_class, ..Selection::default() };
        group.bench_function(BenchmarkId::new(name, format!("rows={ROWS}")), |b| {
            b.iter(|| filter_and_balance(&rows, &selection, &mut Rng::new(SEED)));
        });
    }
    group.finish();
    criterion.final_summary();
}
