//! The JSON files that the Hugging Face hub has beside weights: what they say about the net, its
//! classes and its images.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Interpolation, Preprocess, StateDict, WeightsError, json, meta};

/// Adds what `config.json` and `preprocessor_config.json` beside the weights say and their own
/// header does not.
pub(crate) fn add(read: &mut StateDict) -> Result<(), WeightsError> {
    let name = read.source.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !name.starts_with("model") && !name.starts_with("pytorch_model") {
        return Ok(());
    }
    let beside = |name: &str| {
        let path = read.source.with_file_name(name);
        if path.is_file() { json::read(&path).map(Some) } else { Ok(None) }
    };
    let (config, images) = (beside("config.json")?, beside("preprocessor_config.json")?);
    let architecture = config.as_ref().and_then(|c| c["architecture"].as_str());
    if let Some(architecture) = architecture
        && !read.meta.contains_key(meta::ARCHITECTURE)
    {
        read.meta.insert(meta::ARCHITECTURE.to_owned(), architecture.to_owned());
    }
    if !read.meta.contains_key(meta::CLASSES)
        && let Some(classes) = config.as_ref().and_then(classes)
    {
        meta::set_classes(&mut read.meta, &classes);
    }
    if !read.meta.contains_key(meta::PREPROCESS) {
        let of_timm = config.as_ref().and_then(of_timm).map(|p| (p, "config.json"));
        let found = of_timm
            .or_else(|| Some((of_transformers(images.as_ref()?)?, "preprocessor_config.json")));
        if let Some((preprocess, file)) = found {
            preprocess.check().map_err(|fault| {
                WeightsError::file(&read.source.with_file_name(file), format!("it has {fault}"))
            })?;
            meta::set_preprocess(&mut read.meta, &preprocess);
            read.applied.push(format!("normalisation and size from {file}"));
        }
    }
    Ok(())
}

/// The names of the classes in the order of the logits: timm's `label_names`, else transformers'
/// `id2label`. None if they are only numbered, as `LABEL_0`, or if a number has no name. Names that
/// several classes have get the number behind them: `crane (134)` and `crane (517)`.
fn classes(config: &Value) -> Option<Vec<String>> {
    let of_timm = [&config["label_names"], &config["pretrained_cfg"]["label_names"]];
    let of_transformers = [&config["id2label"]];
    let mut names = of_timm.into_iter().chain(of_transformers).find_map(in_order)?;
    let is_numbered = |name: &String| {
        let number = name.strip_prefix("LABEL_");
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if names.iter().all(is_numbered) {
        return None;
    }
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for name in &names {
        if !seen.insert(name.clone()) {
            twice.insert(name.clone());
        }
    }
    for (number, name) in names.iter_mut().enumerate() {
        if twice.contains(name) {
            *name = format!("{name} ({number})");
        }
    }
    Some(names)
}

/// The texts of a list, or of an object with the keys 0, 1, ... in the order of these numbers.
fn in_order(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(list) = value.as_array() {
        return list.iter().map(text).collect::<Option<Vec<_>>>().filter(|list| !list.is_empty());
    }
    let object = value.as_object()?;
    let named = object.iter().map(|(key, name)| Some((key.parse::<usize>().ok()?, text(name)?)));
    let named: BTreeMap<usize, String> = named.collect::<Option<_>>()?;
    let whole = named.len() == object.len() && named.keys().copied().eq(0..named.len());
    (whole && !named.is_empty()).then(|| named.into_values().collect())
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(Value::as_f64).collect()
}

fn pixels(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// timm's `pretrained_cfg`, which older files have without that key.
fn of_timm(config: &Value) -> Option<Preprocess> {
    let of = config.get("pretrained_cfg").unwrap_or(config);
    let interpolation = match of["interpolation"].as_str()? {
        "bicubic" => Interpolation::Bicubic,
        "lanczos" => Interpolation::Lanczos,
        "nearest" => Interpolation::Nearest,
        _ => Interpolation::Bilinear,
    };
    Some(Preprocess {
        size: pixels(of["input_size"].get(1)?)?,
        crop: of["crop_pct"].as_f64()?,
        squash: of["crop_mode"] == "squash",
        interpolation,
        mean: numbers(&of["mean"])?,
        std: numbers(&of["std"])?,
    })
}

/// The settings of transformers' image processors. The number of an interpolation is Pillow's.
///
/// Sides of `size` are those to which images are brought whatever their shape, but for a
/// `shortest_edge`, and for a single number where the processor takes it for one. ConvNeXT's
/// (`crop_pct`, models/convnext/image_processing_convnext.py) cuts `shortest_edge` out of images
/// whose shorter side is that by `crop_pct`, and from 384 pixels on does not cut.
fn of_transformers(config: &Value) -> Option<Preprocess> {
    let side = |value: &Value| {
        pixels(value).or_else(|| pixels(&value["shortest_edge"])).or_else(|| {
            let sides = [&value["height"], &value["width"]].map(pixels);
            sides[0].filter(|_| sides[0] == sides[1])
        })
    };
    let processor = config["image_processor_type"]
        .as_str()
        .or_else(|| config["feature_extractor_type"].as_str())
        .unwrap_or_default();
    let given = side(&config["size"])?;
    let cropped = config["do_center_crop"].as_bool().unwrap_or(false);
    let by_kind = match config["crop_pct"].as_f64() {
        None if processor.starts_with("ConvNext") => Some(224.0 / 256.0),
        crop => crop,
    };
    let mut squash = config["size"].get("height").is_some()
        || by_kind.is_none()
            && config["size"].is_u64()
            && match processor {
                "" => !cropped,
                named => ["ViT", "DeiT", "Beit"].iter().any(|kind| named.starts_with(kind)),
            };
    let (size, crop) = match by_kind {
        Some(_) if !cropped && given >= 384 => {
            squash = true;
            (given, 1.0)
        }
        Some(crop) if !cropped => (given, crop),
        crop => {
            let size = cropped.then(|| side(&config["crop_size"])).flatten().unwrap_or(given);
            (size, f64::from(size) / f64::from(given) * crop.unwrap_or(1.0))
        }
    };
    let interpolation = match config["resample"].as_u64()? {
        0 => Interpolation::Nearest,
        1 => Interpolation::Lanczos,
        3 => Interpolation::Bicubic,
        _ => Interpolation::Bilinear,
    };
    let (mean, std) = normalization(config)?;
    Some(Preprocess { size, crop, squash, interpolation, mean, std })
}

/// Mean and deviation of pixels in \[0, 1\]. The processor has them of bytes times its
/// `rescale_factor`, and may leave out either step.
fn normalization(config: &Value) -> Option<(Vec<f64>, Vec<f64>)> {
    let given = [&config["image_mean"], &config["image_std"]].map(numbers);
    let (mean, std) = match (config["do_normalize"].as_bool(), given) {
        (Some(false), [mean, _]) => {
            let channels = mean.map_or(3, |mean| mean.len());
            (vec![0.0; channels], vec![1.0; channels])
        }
        (_, [mean, std]) => (mean?, std?),
    };
    let factor = match config["do_rescale"].as_bool() {
        Some(false) => 1.0,
        _ => config["rescale_factor"].as_f64().unwrap_or(1.0 / 255.0),
    };
    let scale = 255.0 * factor;
    if (scale - 1.0).abs() < 1e-6 || scale <= 0.0 {
        return Some((mean, std));
    }
    let scaled = |values: Vec<f64>| values.into_iter().map(|value| value / scale).collect();
    Some((scaled(mean), scaled(std)))
}
