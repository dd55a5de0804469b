//! Frozen features of EfficientNet-Lite0 at 224 pixels: images a second through the network alone,
//! decoding left out.
//!
//! `plain` is the network as it is trained, in float32 with channels first, as a script gives it;
//! `channels-last` the same with the images as our loader delivers them; `inference` the network
//! for inference (batch norm folded, weights laid out beforehand), in float32 and in bfloat16.
//! `xtask/peers/bench_features.py` times the same network in PyTorch.

use benches::{CLASSES, SEED, image};
use criterion::{BenchmarkId, Criterion, Throughput};
use torch::precision::Precision;
use torch::{Device, Features, Mode, layout, no_grad};
use vision_models::efficientnet::Variant;
use vision_models::{EfficientNetConfig, NetConfig};

fn main() {
    torch::device::retain_freed_memory();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("features");
    group.sample_size(10);
    let variant = Variant::Lite0;
    let (side, classes) = (variant.resolution() as usize, CLASSES as i64);
    let config = NetConfig::from(EfficientNetConfig::new(variant));
    let model = config.build(Device::Cpu, 3, classes);
    let inference = |precision| config.for_inference(&model.params, 3, classes, precision);
    let [float, half] = [Precision::Float32, Precision::Bfloat16].map(inference);
    for batch in [8, 32] {
        let pixels: Vec<u8> =
            (0..batch as u64).flat_map(|i| image(side, 3, SEED + i).into_pixels()).collect();
        let shape = [batch, side, side, 3];
        let last = layout::image_batch(&pixels, shape, &[0.5; 3], &[0.5; 3], Device::Cpu);
        let first = last.contiguous();
        let net = model.net.features().expect("features");
        let cases: [(&str, &dyn Features, _); 4] = [
            ("plain/float32", net, &first),
            ("channels-last/float32", net, &last),
            ("inference/float32", &float, &last),
            ("inference/bfloat16", &half, &last),
        ];
        group.throughput(Throughput::Elements(batch as u64));
        for (name, net, x) in cases {
            let id = BenchmarkId::new("efficientnet-lite0", format!("{name}/batch={batch}"));
            group.bench_function(id, |b| {
                b.iter(|| no_grad(|| net.forward_features(x, Mode::Eval)));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
