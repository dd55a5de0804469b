//! A classifier of texts with its tensors, and how it learns from labelled ones.

use anyhow::{Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{EncodedSet, Sequence};
use electra::heads::{Classifier, ClassifierConfig};
use electra::{Family, PackedSequences};
use torch::{Device, Kind, Mode, Model, Params, Tensor, loss, no_grad};
use train::{Loss, Objective, Progress};

use super::tokens::in_batches;
use crate::run::interrupt;
use crate::run::predictions::{Predictions, all_numbers};
use crate::run::stage::Trained;

/// A classifier of texts.
pub(crate) struct TextClassifier {
    net: Classifier,
    params: Params,
    /// Whether a text has exactly one of the classes.
    exclusive: bool,
}

impl TextClassifier {
    /// One that starts at random.
    pub(crate) fn new(config: &ClassifierConfig, classes: usize, device: Device) -> Self {
        let make = |scope: &mut torch::Scope<'_>| Classifier::new(scope, config, classes as i64);
        let (net, params) = Params::build(device, make);
        Self { net, params, exclusive: true }
    }

    /// The same of classes that are judged each for itself: a text may have several, or none.
    #[must_use]
    pub(crate) fn of_independent_classes(self) -> Self {
        Self { exclusive: false, ..self }
    }

    /// Whether a text has exactly one of the classes.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Takes over the encoder of another network: every tensor of that name, whichever family's
    /// names the other has.
    pub(crate) fn start_from(&self, other: &Params) -> Result<()> {
        let prefix = format!("{}.", self.net.encoder().config().family.prefix());
        let find = |name: &str| {
            let below = name.strip_prefix(&prefix)?;
            let families = [Family::Bert, Family::Electra].map(Family::prefix);
            let mut names = families.iter().map(|family| format!("{family}.{below}"));
            names.find_map(|name| other.get(&name))
        };
        let own = self.params.iter().filter(|p| p.name.starts_with(&prefix));
        for param in own {
            // The pooler stands on the encoder, as heads do.
            let is_head = param.name[prefix.len()..].starts_with("pooler.");
            let found = find(&param.name).filter(|t| t.size() == param.tensor.size());
            ensure!(
                found.is_some() || is_head,
                "the network to start from has no {} like ours",
                param.name
            );
            if let Some(found) = found {
                no_grad(|| param.tensor.shallow_clone().copy_(found));
            }
        }
        Ok(())
    }

    /// The network as methods take it.
    pub(crate) fn into_model(self) -> Model {
        Model::new(self.net, self.params)
    }

    /// What it says of each text, in the order of the set.
    pub(crate) fn predict(
        &self,
        set: &EncodedSet,
        batch: usize,
        device: Device,
    ) -> Result<Predictions> {
        let found = self.probabilities(set.sequences(), batch, device)?;
        Predictions::new(set.classes().len(), found)
    }

    /// The probability of each class for each sequence, row by row.
    pub(crate) fn probabilities(
        &self,
        sequences: &[Sequence],
        batch: usize,
        device: Device,
    ) -> Result<Vec<f32>> {
        let mut found = Vec::new();
        for (places, packed) in in_batches(sequences, batch, device) {
            interrupt::check()?;
            let logits = no_grad(|| self.net.classify(&packed, Mode::Eval));
            let classes = logits.size()[1] as usize;
            found.resize(sequences.len() * classes, 0.0);
            let said = match self.exclusive {
                true => logits.softmax(-1, Kind::Float),
                false => logits.to_kind(Kind::Float).sigmoid(),
            };
            let said = said.to_device(Device::Cpu).contiguous();
            let said = Vec::<f32>::try_from(said.reshape([-1]))?;
            for (place, row) in places.into_iter().zip(said.chunks_exact(classes)) {
                found[place * classes..][..classes].copy_from_slice(row);
            }
        }
        all_numbers(&found)?;
        Ok(found)
    }
}

impl Trained for TextClassifier {
    fn params(&self) -> &Params {
        &self.params
    }
}

/// Labelled texts of a step.
pub(crate) struct LabeledBatch {
    pub(crate) packed: PackedSequences,
    /// int64 `[sequences]`.
    pub(crate) labels: Tensor,
}

impl Objective for TextClassifier {
    type Batch = LabeledBatch;

    fn params(&self) -> &Params {
        &self.params
    }

    fn loss(&mut self, batch: LabeledBatch, _at: Progress) -> Loss {
        let logits = self.net.classify(&batch.packed, Mode::Train);
        let right = logits.argmax(1, false).eq_tensor(&batch.labels).to_kind(Kind::Float);
        let each = loss::cross_entropy(&logits, &batch.labels);
        Loss::new()
            .term("sup", 1.0, each.mean(Kind::Float))
            .note("sup_accuracy", right.mean(Kind::Float))
    }
}
