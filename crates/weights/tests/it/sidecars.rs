//! What lies beside weights on the Hugging Face hub.

use std::fs;

use weights::{Interpolation, Preprocess, meta, open};

use crate::golden;

#[test]
fn the_hubs_configurations_say_what_images_need() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::copy(golden::path("shard_a.safetensors"), at("model.safetensors")).expect("copied");
    assert_eq!(meta::preprocess(&open(folder.path()).expect("it").meta), Ok(None));

    // transformers: facebook/dinov2-small's.
    fs::write(
        at("preprocessor_config.json"),
        r#"{"do_center_crop": true, "crop_size": {"height": 224, "width": 224}, "resample": 3,
            "size": {"shortest_edge": 256}, "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225]}"#,
    )
    .expect("written");
    let read = open(folder.path()).expect("it");
    let (mean, std) = (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]);
    let interpolation = Interpolation::Bicubic;
    let expected = Preprocess { size: 224, crop: 0.875, interpolation, mean, std };
    assert_eq!(meta::preprocess(&read.meta), Ok(Some(expected)));

    // timm's stands before it.
    fs::write(
        at("config.json"),
        r#"{"architecture": "tf_efficientnet_lite0", "num_classes": 1000, "pretrained_cfg":
            {"input_size": [3, 224, 224], "crop_pct": 0.875, "interpolation": "bilinear",
             "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#,
    )
    .expect("written");
    let read = open(&at("model.safetensors")).expect("it");
    assert_eq!(read.meta[meta::ARCHITECTURE], "tf_efficientnet_lite0");
    let preprocess = meta::preprocess(&read.meta).expect("fine").expect("there");
    assert_eq!((preprocess.mean[0], preprocess.interpolation), (0.5, Interpolation::Bilinear));
    assert_eq!(read.applied, ["normalisation and size from config.json"]);

    fs::write(
        at("config.json"),
        r#"{"pretrained_cfg": {"input_size": [3, 0, 0], "crop_pct": 1,
        "interpolation": "", "mean": [0], "std": [1]}}"#,
    )
    .expect("written");
    let error = open(folder.path()).expect_err("no pixels").to_string();
    assert!(error.contains("config.json: it has a size of 0 pixels"), "{error}");
}
