//! Trained networks as files for other programs: safetensors and ONNX.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use augment::crop::CenterCrop;
use augment::policy::Step;
use augment::resize::Filter;
use torch::graph::Array;
use vision_models::NetConfig;
use weights::meta::{self, Meta};
use weights::{Interpolation, Preprocess, TensorData};

use super::checkpoint::{OWN, Own};
use super::onnx;
use super::trained_model::TrainedModel;
use super::view::Transform;
use crate::run::experiment::Predictor;

impl TrainedModel {
    /// Writes a safetensors file under the names of published checkpoints (timm's, where timm has
    /// the net). Its header has the texts of [`weights::meta`], and under `tutor` the net and what
    /// is done to images in full.
    pub(crate) fn save_safetensors(&self, path: &Path) -> Result<()> {
        let mut tensors = BTreeMap::new();
        for param in self.parts().1.iter() {
            let Array { shape, values } = Array::of(&param.tensor);
            let shape = shape.iter().map(|&n| n as usize).collect();
            tensors.insert(param.name.clone(), TensorData::from_f32(shape, &values));
        }
        Ok(weights::save(path, &tensors, &self.meta(true))?)
    }

    /// Writes an ONNX file ([`onnx`]). Fails for nets that have no [graph](torch::graph), and for
    /// vision transformers that are shown pictures of several sizes.
    pub(crate) fn save_onnx(&self, path: &Path) -> Result<()> {
        let sides = self.sides();
        let graph = self.runner().0.graph(sides).context(match (self.parts().0, sides) {
            (NetConfig::Vit(_), None) => {
                "a vision transformer becomes ONNX for pictures of one size, and this one is shown \
                 them in several; export it as safetensors"
            }
            _ => {
                "ONNX is written for EfficientNet, ResNet, ResNeXt, WideResNet, vision transformers \
                 and the small net; export this one as safetensors"
            }
        })?;
        let bytes = onnx::file(&graph, &self.input().normalization, &self.meta(false))?;
        Ok(atomic_file::write(path, &bytes)?)
    }

    /// Height and width in which it is shown pictures, where that is one size.
    fn sides(&self) -> Option<[i64; 2]> {
        match (self.preprocess(), self.input().size, self.transform()) {
            (Some(preprocess), ..) => Some([preprocess.size.into(); 2]),
            (None, Some((width, height)), Transform::Policy(policy)) if policy.0.is_empty() => {
                Some([height.into(), width.into()])
            }
            _ => None,
        }
    }

    /// What a reader must know.
    fn meta(&self, own: bool) -> Meta {
        let (net, input, transform) =
            (self.parts().0.clone(), self.input().clone(), self.transform().clone());
        let mut meta = Meta::new();
        net.set_meta(&mut meta);
        meta::set_classes(&mut meta, &input.classes);
        if let Some(preprocess) = self.preprocess() {
            meta::set_preprocess(&mut meta, &preprocess);
        }
        let source = format!("tutor {}: {}", env!("CARGO_PKG_VERSION"), self.about());
        meta.insert(meta::SOURCE.to_owned(), source);
        if own {
            let text = serde_json::to_string(&Own { net, input, transform }).expect("plain data");
            meta.insert(OWN.to_owned(), text);
        }
        meta
    }

    /// What is done to images in the words of published weights, where these have them. Images that
    /// are no squares are cut by others where a run stretches them.
    fn preprocess(&self) -> Option<Preprocess> {
        let input = self.input();
        let made = |size: usize, crop, interpolation| Preprocess {
            size: size as u32,
            crop,
            squash: false,
            interpolation,
            mean: input.normalization.mean.clone(),
            std: input.normalization.std.clone(),
        };
        match (self.transform(), input.size) {
            (Transform::Published(preprocess), _) => Some(preprocess.clone()),
            (Transform::Policy(policy), size) => match (&policy.0[..], size) {
                ([], Some((width, height))) if width == height => {
                    Some(made(width as usize, 1.0, Interpolation::Bilinear))
                }
                ([Step::CenterCrop(CenterCrop { size, fraction, filter })], None) => {
                    let crop = fraction.unwrap_or(*size as f64 / (*size + 32) as f64);
                    let interpolation = match filter {
                        Filter::Nearest => Interpolation::Nearest,
                        Filter::Bilinear => Interpolation::Bilinear,
                        Filter::Lanczos => Interpolation::Lanczos,
                        _ => Interpolation::Bicubic,
                    };
                    Some(made(*size, crop, interpolation))
                }
                _ => None,
            },
        }
    }
}
