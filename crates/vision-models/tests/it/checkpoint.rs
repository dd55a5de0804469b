//! Checkpoints of timm's EfficientNets: names, shapes, and the errors of a file that does not fit.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use torch::{Device, Kind, Params, Tensor};
use vision_models::efficientnet::Variant;
use vision_models::vit::Size;
use vision_models::{EfficientNetConfig, NetConfig, VitConfig};

use crate::golden::weights;

/// Name and shape of each tensor of each size, as timm has them.
fn timm_names() -> BTreeMap<String, BTreeMap<String, Vec<i64>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/timm_names.txt.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut all: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    let mut size = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            size = name.to_owned();
            continue;
        }
        let mut words = line.split(' ');
        let name = words.next().unwrap().to_owned();
        let shape = words.map(|word| word.parse().unwrap()).collect();
        all.entry(size.clone()).or_default().insert(name, shape);
    }
    all
}

#[test]
fn names_and_shapes_are_timms() {
    let timm = timm_names();
    assert_eq!(timm.len(), Variant::ALL.len() + 6);
    for variant in Variant::ALL {
        let size = format!("{variant:?}").to_lowercase();
        let ours = NetConfig::from(EfficientNetConfig::new(variant)).outline(3, 1000);
        let ours: BTreeMap<_, _> = ours.iter().map(|p| (p.name.clone(), p.tensor.size())).collect();
        let mut theirs = timm[&size].clone();
        theirs.retain(|name, _| !name.ends_with("num_batches_tracked"));
        assert_eq!(ours, theirs, "{size}");
    }
}

#[test]
fn names_and_shapes_of_vision_transformers_are_timms() {
    let timm = timm_names();
    for (size, name) in [(Size::Small, "small"), (Size::Base, "base"), (Size::Large, "large")] {
        for (config, kind) in
            [(VitConfig::dinov2(size), ""), (VitConfig::dinov2_registers(size), "reg4_")]
        {
            let ours = NetConfig::from(config).outline(3, 1000);
            let ours: BTreeMap<_, _> =
                ours.iter().map(|p| (p.name.clone(), p.tensor.size())).collect();
            assert_eq!(ours, timm[&format!("vit_{name}_patch14_{kind}dinov2")]);
        }
    }
}

fn narrow() -> Params {
    let config = EfficientNetConfig { width: Some(0.04), depth: Some(1.1), ..Default::default() };
    NetConfig::from(config).build(Device::Cpu, 3, 7).params
}

#[test]
fn every_tensor_that_does_not_fit_is_named_and_nothing_is_changed() {
    let mut tensors = weights("efficientnet_weights");
    assert!(tensors.keys().any(|name| name.ends_with("num_batches_tracked")));
    tensors.retain(|name, _| name != "blocks.1.0.se.conv_reduce.bias" && name != "bn1.running_var");
    tensors.insert(
        "blocks.9.0.conv_pw.weight".to_owned(),
        Tensor::zeros([1], (Kind::Float, Device::Cpu)),
    );
    tensors.insert("classifier.bias".to_owned(), Tensor::zeros([8], (Kind::Float, Device::Cpu)));
    let params = narrow();
    let before = params.get("conv_stem.weight").unwrap().copy();
    let text = params.load(&tensors).unwrap_err().to_string();
    for name in [
        "blocks.1.0.se.conv_reduce.bias",
        "bn1.running_var",
        "blocks.9.0.conv_pw.weight",
        "classifier.bias",
    ] {
        assert!(text.contains(name), "{name} is not in: {text}");
    }
    assert!(!text.contains("conv_stem") && !text.contains("num_batches_tracked"), "{text}");
    assert_eq!(params.get("conv_stem.weight").unwrap(), &before);
    tensors = weights("efficientnet_weights");
    params.load(&tensors).unwrap();
    assert_eq!(params.get("conv_stem.weight").unwrap(), &tensors["conv_stem.weight"]);
}
