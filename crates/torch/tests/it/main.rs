//! Integration tests, most against arrays of PyTorch, timm and numpy (golden/README.md).

use std::collections::BTreeMap;
use std::path::Path;

use torch::{Kind, Tensor, store};

mod adafactor;
mod autocast;
mod determinism;
mod device;
mod grad;
mod group;
mod layers;
mod layout;
mod loss;
mod optim;
mod params;
mod rng;
mod store_files;

/// The arrays of a golden file and its description of the cases.
fn golden(name: &str) -> (BTreeMap<String, Tensor>, serde_json::Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let stored = store::load(&folder.join(format!("{name}.safetensors"))).unwrap();
    let cases = serde_json::from_str(&stored.meta["cases"]).unwrap();
    (stored.tensors, cases)
}

/// The largest difference of two tensors of one shape.
#[track_caller]
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

/// The same images `[n, c, h, w]` with their channels last in memory, as loaders deliver them.
fn channels_last(images: &Tensor) -> Tensor {
    images.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}
