//! Two-stage training: both networks begin with a masked language model.

use torch::no_grad;
use torch::store::{LoadError, ShapeError};

use super::Pretrainer;

impl Pretrainer {
    /// Takes a masked language model over into both networks: its encoder into the one that is
    /// kept, encoder and head into the generator (section 3.2 of the paper: the generator is
    /// trained by itself, then the discriminator starts from its weights). The discriminator's head
    /// stays as it was started. Give the generator
    /// [nothing to share](super::Sharing::Nothing), the width of the other and, as in the paper,
    /// `train = false`.
    ///
    /// # Errors
    /// When a tensor has no counterpart of its shape: all of them. Nothing is changed then.
    pub fn begin_with(&self, model: &Pretrainer) -> Result<(), LoadError> {
        let mut error = LoadError::default();
        let mut copies = Vec::new();
        for own in self.params.iter() {
            let Some(name) = counterpart(&own.name) else { continue };
            match model.params.get(&name) {
                Some(other) if other.size() == own.tensor.size() => {
                    copies.push((own.tensor.shallow_clone(), other.shallow_clone()));
                }
                Some(other) => error.mismatched.push(ShapeError {
                    name: own.name.clone(),
                    wanted: own.tensor.size(),
                    found: other.size(),
                }),
                None => error.missing.push(own.name.clone()),
            }
        }
        if error != LoadError::default() {
            return Err(error);
        }
        no_grad(|| copies.into_iter().for_each(|(mut own, other)| own.copy_(&other)));
        Ok(())
    }
}

/// What a tensor is called in a masked language model; none for those of the discriminator's head.
fn counterpart(name: &str) -> Option<String> {
    if name.starts_with("electra.") {
        return Some(name.to_owned());
    }
    if name == "generator_lm_head.bias" {
        return Some("predictions.bias".to_owned());
    }
    if let Some(of_head) = name.strip_prefix("generator_predictions.") {
        return Some(format!("predictions.{of_head}"));
    }
    name.strip_prefix("generator.").map(|of_encoder| format!("electra.{of_encoder}"))
}
