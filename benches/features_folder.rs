//! Frozen features of a folder of pictures, decoding included, for `cargo xtask bench features
//! --peers`: `xtask/peers/bench_features_folder.py` does the same with PyTorch and Pillow.
//!
//! ```text
//! features_folder DIR THREADS PRECISION
//! ```
//!
//! `folder` is answered with the seconds in which all pictures are read, decoded, resized to 224
//! pixels and shown to EfficientNet-Lite0, from files that the system has in memory; `pictures`
//! with how many there are, `peak` with the most memory so far in MiB.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use benches::{CLASSES, Error, SEED, arguments, precision, serve};
use data_pipeline::dataset::ImageSamples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet};
use data_pipeline::loader::{Loader, Stream, Views, plain};
use data_pipeline::picture::Decode;
use data_pipeline::sampler::Order;
use ndarray::Axis;
use torch::precision::Precision;
use torch::{Device, Features, Mode, layout, no_grad};
use vision_models::efficientnet::Variant;
use vision_models::{EfficientNetConfig, NetConfig};

/// Pictures that the network sees at once.
const BATCH: usize = 32;

fn main() -> Result<(), Error> {
    let arguments = arguments()?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [folder, threads, numbers] = arguments[..] else {
        return Err("features_folder DIR THREADS PRECISION".into());
    };
    torch::device::set_threads(threads.parse()?);
    run(Path::new(folder), threads.parse()?, precision(numbers))
}

fn run(folder: &Path, threads: usize, precision: Precision) -> Result<(), Error> {
    let variant = Variant::Lite0;
    let (side, classes) = (variant.resolution() as u32, CLASSES as i64);
    let decode = Decode { size: Some((side, side)), ..Decode::default() };
    let options = FolderOptions { labeled: false, decode, ..FolderOptions::default() };
    let config = NetConfig::from(EfficientNetConfig::new(variant));
    let model = config.build(Device::Cpu, 3, classes);
    let net = config.for_inference(&model.params, 3, classes, precision);
    let mut pictures = 0;
    serve(|question| match question {
        "folder" => {
            let began = Instant::now();
            let set: Arc<ImageSamples> = Arc::new(FolderSet::open(folder, &options)?);
            pictures = set.len();
            let stream = Stream {
                entries: (0..set.len() as u32).collect(),
                order: Order::Sequential,
                ..Stream::shuffled(set, Views(vec![plain()]), BATCH, SEED)
            };
            let (mut seen, mut features) = (0, Vec::new());
            for step in Loader::pass(stream, threads) {
                let batch = &step?.batches[0].data[0];
                seen += batch.len_of(Axis(0));
                let shape = [batch.len_of(Axis(0)), side as usize, side as usize, 3];
                let pixels = batch.as_slice().ok_or("images that lie one after another")?;
                let x = layout::image_batch(pixels, shape, &[0.5; 3], &[0.5; 3], Device::Cpu);
                features.push(no_grad(|| net.forward_features(&x, Mode::Eval)));
            }
            assert_eq!(seen, pictures);
            Ok(began.elapsed().as_secs_f64())
        }
        "pictures" => Ok(pictures as f64),
        other => Err(format!("no question {other}").into()),
    })
}
