//! The nets against timm's EfficientNet, torchvision's bottlenecks and plain PyTorch nets: logits,
//! gradients, running statistics. `tests/golden/README.md` says what the arrays are and where they
//! come from.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use torch::store::{self, Stored};
use torch::{Device, Kind, Mode, Model, Tensor, loss, no_grad};
use vision_models::NetConfig;

/// Largest absolute difference allowed, in float32; relative to the largest value of a gradient
/// above 1.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Case {
    config: NetConfig,
    weights: String,
    params: Vec<String>,
}

fn read(name: &str) -> Stored {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    store::load(&folder.join(format!("{name}.safetensors"))).unwrap()
}

/// The weights of a file, in float32.
pub(crate) fn weights(name: &str) -> BTreeMap<String, Tensor> {
    let tensors = read(name).tensors.into_iter();
    let value = |name: &str, t: Tensor| {
        if t.kind() != Kind::Uint8 {
            return t.to_kind(Kind::Float);
        }
        let scale = t.dim() == 1 && (name.ends_with("weight") || name.ends_with("running_var"));
        (t.to_kind(Kind::Float) - 128.0) / 256.0 + if scale { 1.0 } else { 0.0 }
    };
    tensors.map(|(name, t)| (name.clone(), value(&name, t))).collect()
}

#[track_caller]
fn close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let largest = |t: &Tensor| t.abs().max().double_value(&[]);
    let difference = largest(&(ours.detach() - theirs));
    assert!(difference < TOLERANCE * largest(theirs).max(1.0), "{what} differs by {difference}");
}

fn check(name: &str) {
    let Stored { tensors: golden, meta } = read(name);
    let case: Case = serde_json::from_str(&meta["case"]).unwrap();
    let Model { net, params, .. } = case.config.build(Device::Cpu, 3, 7);
    params.load(&weights(&case.weights)).unwrap();

    let x = golden["pixels"].to_kind(Kind::Float) / 128.0 - 1.0;
    let logits = no_grad(|| net.forward(&x, Mode::Eval));
    close("logits of evaluation", &logits, &golden["eval_logits"]);

    let logits = net.forward(&x, Mode::TrainWithoutNoise);
    close("logits of training", &logits, &golden["train_logits"]);
    loss::cross_entropy(&logits, &golden["labels"]).mean(Kind::Float).backward();
    for (i, name) in case.params.iter().enumerate() {
        let grad = params.get(name).unwrap().grad();
        let norm = golden["grad_norms"].double_value(&[i as i64]);
        assert_eq!(grad.defined(), norm >= 0.0, "whether {name} has a gradient");
        if grad.defined() {
            let ours = grad.norm().double_value(&[]);
            assert!((ours - norm).abs() < TOLERANCE * norm.max(1.0), "{name}: {ours}, not {norm}");
        }
    }
    let named = |prefix| golden.iter().filter_map(move |(k, v)| Some((k.strip_prefix(prefix)?, v)));
    let compared: usize = named("grad.")
        .map(|(name, theirs)| close(name, &params.get(name).unwrap().grad(), theirs))
        .count();
    assert!(compared >= 7, "{compared} gradients");
    let mut statistics = 0;
    for (name, theirs) in named("after.") {
        close(name, params.get(name).unwrap(), theirs);
        statistics += 1;
    }
    assert_eq!(statistics, params.iter().filter(|p| p.role == torch::Role::Buffer).count());
}

#[test]
fn efficientnet_is_timms() {
    check("efficientnet");
}

#[test]
fn efficientnet_for_small_images_is_timms_with_other_strides() {
    check("efficientnet_small_image");
}

#[test]
fn efficientnet_lite_is_timms() {
    check("efficientnet_lite");
}

#[test]
fn vit_is_timms() {
    check("vit");
}

/// The same weights, positions resized.
#[test]
fn vit_takes_images_of_other_sizes() {
    check("vit_wide");
    check("vit_tall");
}

#[test]
fn vit_has_registers_and_the_patches_mean() {
    check("vit_registers");
}

#[test]
fn resnet_is_torchvisions() {
    check("resnet");
}

#[test]
fn resnext_is_torchvisions() {
    check("resnext");
}

#[test]
fn conv_large_is_vats() {
    check("conv_large");
}

#[test]
fn conv_large_has_biases_and_normalised_logits() {
    check("conv_large_svhn");
}

#[test]
fn shake_shake_is_udas() {
    check("shake_shake");
}

#[test]
fn pyramidnet_is_udas() {
    check("pyramidnet");
}

#[test]
fn wide_resnet_is_fixmatchs() {
    check("wide_resnet_default");
}

/// With width 1 the first block has no convolution on its shortcut, which is activated
/// nevertheless.
#[test]
fn wide_resnet_activates_the_first_shortcut() {
    check("wide_resnet_identity_first");
}

#[test]
fn wide_resnet_has_kekmodels_quirk_and_padding() {
    check("wide_resnet_kekmodel");
}

#[test]
fn wide_resnet_has_udas_shortcuts_of_2020_and_of_2019() {
    check("wide_resnet_raw");
    check("wide_resnet_pooled");
}

#[test]
fn wide_resnet_has_biases_and_another_slope() {
    check("wide_resnet_bias");
}
