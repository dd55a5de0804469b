//! The networks of a pre-training as transformers knows them.

use torch::Tensor;

use super::pretrainer::{Generator, MainHead};
use super::{Pretrainer, Sharing};
use crate::EncoderConfig;
use crate::hub::HubConfig;

/// One of a pre-training's networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tower {
    /// The network that is kept, with its head.
    Main,
    /// The generator, with its own.
    Generator,
}

impl Pretrainer {
    /// A network's description and its tensors under transformers' names, shared with the
    /// training: to be [saved](crate::hub::save), or to be [loaded](crate::hub::Checkpoint) into.
    /// The gate to copy is left out, as transformers has none. `None` where there is no generator.
    pub fn tower(&self, tower: Tower) -> Option<(HubConfig, Vec<(String, Tensor)>)> {
        let generator = self.generator.as_ref();
        let shape: EncoderConfig = match tower {
            Tower::Main => self.config.encoder.clone(),
            Tower::Generator => match &generator?.encoder {
                Some(encoder) => encoder.config().clone(),
                None => self.config.encoder.clone(),
            },
        };
        let architecture = match (tower, &self.head) {
            (Tower::Main, MainHead::Replaced(_)) => "ElectraForPreTraining",
            _ => "ElectraForMaskedLM",
        };
        let tensors = self.params.iter().filter_map(|p| {
            let name = match tower {
                Tower::Main => main_name(&p.name)?,
                Tower::Generator => self.generator_name(generator?, &p.name)?,
            };
            Some((name, p.tensor.shallow_clone()))
        });
        Some((HubConfig::new(shape, architecture), tensors.collect()))
    }

    /// The name in transformers of a tensor of the generator.
    fn generator_name(&self, generator: &Generator, name: &str) -> Option<String> {
        if name.starts_with("generator_predictions.") || name.starts_with("generator_lm_head.") {
            return Some(name.to_owned());
        }
        if let Some(own) = name.strip_prefix("generator.") {
            return Some(format!("electra.{own}"));
        }
        let shared = match self.config.generator.sharing {
            _ if generator.encoder.is_none() => name.starts_with("electra."),
            Sharing::Embeddings => name.starts_with("electra.embeddings."),
            Sharing::Nothing | Sharing::Everything => false,
        };
        shared.then(|| name.to_owned())
    }
}

/// The name in transformers of a tensor of the network that is kept.
fn main_name(name: &str) -> Option<String> {
    if name == "predictions.bias" {
        return Some("generator_lm_head.bias".to_owned());
    }
    if let Some(own) = name.strip_prefix("predictions.") {
        return Some(format!("generator_predictions.{own}"));
    }
    let own = name.starts_with("electra.") || name.starts_with("discriminator_predictions.");
    own.then(|| name.to_owned())
}
