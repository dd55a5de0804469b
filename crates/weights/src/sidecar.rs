//! The JSON files that the Hugging Face hub has beside weights: what they say about the net and its
//! images.

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
        interpolation,
        mean: numbers(&of["mean"])?,
        std: numbers(&of["std"])?,
    })
}

/// The settings of transformers' image processors. The number of an interpolation is Pillow's.
fn of_transformers(config: &Value) -> Option<Preprocess> {
    let side = |value: &Value| {
        pixels(value)
            .or_else(|| pixels(&value["shortest_edge"]))
            .or_else(|| pixels(&value["height"]))
    };
    let shorter = side(&config["size"])?;
    let cropped = config["do_center_crop"].as_bool().unwrap_or(false);
    let size = cropped.then(|| side(&config["crop_size"])).flatten().unwrap_or(shorter);
    let interpolation = match config["resample"].as_u64()? {
        0 => Interpolation::Nearest,
        1 => Interpolation::Lanczos,
        3 => Interpolation::Bicubic,
        _ => Interpolation::Bilinear,
    };
    let crop = f64::from(size) / f64::from(shorter);
    let (mean, std) = (numbers(&config["image_mean"])?, numbers(&config["image_std"])?);
    Some(Preprocess { size, crop, interpolation, mean, std })
}
