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
    let (interpolation, squash) = (Interpolation::Bicubic, false);
    let expected = Preprocess { size: 224, crop: 0.875, squash, interpolation, mean, std };
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

/// What a folder of weights with one file of JSON beside them says.
fn beside(file: &str, json: &str) -> meta::Meta {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::copy(golden::path("shard_a.safetensors"), at("model.safetensors")).expect("copied");
    fs::write(at(file), json).expect("written");
    open(folder.path()).expect("it").meta
}

#[test]
fn image_processors_are_read_as_transformers_applies_them() {
    let read = |json: &str| {
        let meta = beside("preprocessor_config.json", json);
        meta::preprocess(&meta).expect("fine").expect("there")
    };
    let means = r#""resample": 3, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]"#;
    let shown = |rest: &str| {
        let it = read(&format!("{{{rest}, {means}}}"));
        (it.size, it.shorter_side(), it.squash)
    };
    for (rest, expected) in [
        // ConvNeXT: below 384 pixels the square is cut, from there on nothing is.
        (
            r#""feature_extractor_type": "ConvNextFeatureExtractor",
            "size": 64, "crop_pct": 0.875"#,
            (64, 73, false),
        ),
        (
            r#""image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}"#,
            (224, 256, false),
        ),
        (
            r#""image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}"#,
            (384, 384, true),
        ),
        // ViT brings both sides to their length, whichever way that is written.
        (
            r#""image_processor_type": "ViTImageProcessor", "size": {"height": 64, "width": 64}"#,
            (64, 64, true),
        ),
        (r#""feature_extractor_type": "ViTFeatureExtractor", "size": 64"#, (64, 64, true)),
        (r#""size": 64"#, (64, 64, true)),
        (
            r#""image_processor_type": "DeiTImageProcessor", "do_center_crop": true,
            "size": {"height": 256, "width": 256}, "crop_size": {"height": 224, "width": 224}"#,
            (224, 256, true),
        ),
        (
            r#""feature_extractor_type": "CLIPFeatureExtractor", "do_center_crop": true,
            "size": 256, "crop_size": 224"#,
            (224, 256, false),
        ),
    ] {
        assert_eq!(shown(rest), expected, "{rest}");
    }
    let normal = |rest: &str| {
        let it = read(&format!(r#"{{"size": 64, {means}, {rest}}}"#));
        (it.mean, it.std)
    };
    assert_eq!(normal(r#""do_normalize": false"#), (vec![0.0; 3], vec![1.0; 3]));
    let (mean, std) = normal(r#""do_rescale": false"#);
    assert!((mean[0] - 0.5 / 255.0).abs() < 1e-9 && (std[0] - 0.2 / 255.0).abs() < 1e-9);
    assert_eq!(normal(r#""do_rescale": true"#).0, [0.5, 0.4, 0.3]);
}

#[test]
fn names_of_classes_are_those_of_the_configuration() {
    let named = |json: &str| meta::classes(&beside("config.json", json)).expect("fine");
    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    for (json, expected) in [
        (
            r#"{"label_names": ["dog", "cat"], "id2label": {"0": "x", "1": "y"}}"#,
            names(&["dog", "cat"]),
        ),
        (r#"{"pretrained_cfg": {"label_names": ["dog", "cat"]}}"#, names(&["dog", "cat"])),
        // By number, not in the order of texts or of the file.
        (
            r#"{"id2label": {"10": "k", "0": "a", "1": "b", "2": "c", "3": "d", "4": "e", "5": "f",
             "6": "g", "7": "h", "8": "i", "9": "j"}}"#,
            names(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]),
        ),
        (
            r#"{"id2label": {"0": "crane", "1": "cat", "2": "crane"}}"#,
            names(&["crane (0)", "cat", "crane (2)"]),
        ),
        (r#"{"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}"#, None),
        (r#"{"id2label": {"0": "a", "2": "c"}}"#, None),
        ("{}", None),
    ] {
        assert_eq!(named(json), expected, "{json}");
    }
}
