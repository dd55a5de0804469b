//! Checkpoints of google-research's ELECTRA and BERT, which are TensorFlow's, under transformers'
//! names.

use std::collections::BTreeMap;
use std::fs;

use weights::{StateDict, TensorData};

use torch::InvalidConfig;
use torch::hub::HubError;

use super::{Checkpoint, HubConfig};
use crate::{EncoderConfig, Family};

/// Which network of a checkpoint of ELECTRA's; of BERT's there is but one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// The discriminator, or BERT.
    #[default]
    Main,
    /// The generator, with the embeddings that it shares.
    Generator,
}

impl Checkpoint {
    /// A network out of a checkpoint of TensorFlow, and the tensors that are not used: those of
    /// optimisers and of the other network, under TensorFlow's names.
    ///
    /// Sizes follow from the shapes, heads from 64 numbers each; `bert_config.json` beside BERT's
    /// is read for the rest. Kernels are turned round, as they are `[in, out]` there.
    ///
    /// # Errors
    /// When it is neither ELECTRA's nor BERT's, or a tensor of the encoder is missing or has a
    /// shape that does not fit the others; the text names it.
    pub fn from_tensorflow(
        read: &StateDict,
        network: Network,
    ) -> Result<(Self, Vec<String>), HubError> {
        let fault = |fault: String| HubError::Config { path: read.source.clone(), fault };
        let family = family(read).map_err(fault)?;
        if (family, network) == (Family::Bert, Network::Generator) {
            return Err(fault("it is BERT's and has no generator".to_owned()));
        }
        let (mut tensors, mut left_out) = (BTreeMap::new(), Vec::new());
        for (name, tensor) in &read.tensors {
            match renamed(name, family, network) {
                Some(new) => {
                    let is_kernel = name.ends_with("/kernel");
                    let tensor = if is_kernel { turned(tensor) } else { Some(tensor.clone()) };
                    let shape = || format!("{name} has the shape {:?}", read.tensors[name].shape());
                    tensors.insert(new, tensor.ok_or_else(|| fault(shape()))?);
                }
                None => left_out.push(name.clone()),
            }
        }
        let mut config = config(&tensors, family, network).map_err(fault)?;
        if family == Family::Bert {
            config.encoder = beside(read, config.encoder)?;
        }
        let source = read.source.clone();
        let weights = StateDict { tensors, source, ..StateDict::default() };
        let found = Self { config, weights };
        found.fits()?;
        Ok((found, left_out))
    }
}

fn family(read: &StateDict) -> Result<Family, String> {
    let table = |family: &str| format!("{family}/embeddings/word_embeddings");
    for family in [Family::Electra, Family::Bert] {
        if read.tensors.contains_key(&table(family.prefix())) {
            return Ok(family);
        }
    }
    Err(format!(
        "a checkpoint of TensorFlow, but neither ELECTRA's nor BERT's: it has neither {} nor {}",
        table("electra"),
        table("bert")
    ))
}

/// What a tensor is called in transformers; none for what is no part of the network.
fn renamed(name: &str, family: Family, network: Network) -> Option<String> {
    let mut parts: Vec<&str> = name.split('/').collect();
    if parts.last().is_some_and(|last| ["adam_m", "adam_v"].contains(last)) {
        return None;
    }
    match (family, network, parts[0]) {
        (Family::Bert, _, "bert" | "cls") => {}
        (Family::Electra, Network::Main, "electra" | "discriminator_predictions") => {}
        // Embeddings are those of the discriminator, unless it has its own.
        (Family::Electra, Network::Generator, "electra") if parts.get(1) == Some(&"embeddings") => {
        }
        (Family::Electra, Network::Generator, "generator") => parts[0] = "electra",
        (Family::Electra, Network::Generator, "generator_predictions") => {}
        _ => return None,
    }
    let new: Vec<String> = parts
        .iter()
        .map(|part| match *part {
            "kernel" | "gamma" | "output_weights" => "weight".to_owned(),
            "beta" => "bias".to_owned(),
            "dense_1" => "dense_prediction".to_owned(),
            "output_bias" => "bias".to_owned(),
            "word_embeddings" | "position_embeddings" | "token_type_embeddings" => {
                format!("{part}.weight")
            }
            part => part.strip_prefix("layer_").map_or(part.to_owned(), |i| format!("layer.{i}")),
        })
        .collect();
    let new = new.join(".");
    Some(match new.as_str() {
        "generator_predictions.bias" => "generator_lm_head.bias".to_owned(),
        _ => new,
    })
}

/// A matrix with rows for columns; none of what is no matrix.
fn turned(tensor: &TensorData) -> Option<TensorData> {
    let &[rows, columns] = tensor.shape() else { return None };
    let (bytes, width) = (tensor.bytes(), tensor.dtype().width());
    let mut turned = Vec::with_capacity(bytes.len());
    for column in 0..columns {
        for row in 0..rows {
            let at = (row * columns + column) * width;
            turned.extend_from_slice(&bytes[at..at + width]);
        }
    }
    TensorData::new(tensor.dtype(), vec![columns, rows], turned)
}

/// What the shapes say of a network under transformers' names.
fn config(
    tensors: &BTreeMap<String, TensorData>,
    family: Family,
    network: Network,
) -> Result<HubConfig, String> {
    let prefix = family.prefix();
    let matrix = |name: &str| -> Result<[i64; 2], String> {
        let name = format!("{prefix}.{name}.weight");
        match tensors.get(&name).map(TensorData::shape) {
            Some(&[rows, columns]) if rows > 0 && columns > 0 => Ok([rows as i64, columns as i64]),
            Some(other) => Err(format!("{name} has the shape {other:?}, no matrix")),
            None => Err(format!("{name} is missing")),
        }
    };
    let [vocabulary, embedding] = matrix("embeddings.word_embeddings")?;
    let [positions, _] = matrix("embeddings.position_embeddings")?;
    let [segments, _] = matrix("embeddings.token_type_embeddings")?;
    let [feed_forward, hidden] = matrix("encoder.layer.0.intermediate.dense")?;
    let layers = (0_i64..)
        .take_while(|i| matrix(&format!("encoder.layer.{i}.output.dense")).is_ok())
        .count() as i64;
    let encoder = EncoderConfig {
        family,
        vocabulary,
        embedding,
        hidden,
        layers,
        heads: (hidden / 64).max(1),
        feed_forward,
        positions,
        segments,
        ..EncoderConfig::default()
    };
    InvalidConfig::of(encoder.faults())
        .map_err(|error| format!("no encoder can have these shapes: {error}"))?;
    let has = |head: &str| tensors.keys().any(|name| name.starts_with(head));
    let architecture = match (family, network) {
        (Family::Bert, _) => match ["cls.predictions.", "cls.seq_relationship."].map(has) {
            [true, true] => "BertForPreTraining",
            [true, false] => "BertForMaskedLM",
            [false, true] => "BertForNextSentencePrediction",
            [false, false] => "BertModel",
        },
        (_, Network::Main) if has("discriminator_predictions.") => "ElectraForPreTraining",
        (_, Network::Generator) if has("generator_predictions.") => "ElectraForMaskedLM",
        (Family::Electra, _) => "ElectraModel",
    };
    Ok(HubConfig::new(encoder, architecture))
}

/// What `bert_config.json` says beside a checkpoint of BERT's, where there is one; it must have the
/// sizes of the tensors.
fn beside(read: &StateDict, found: EncoderConfig) -> Result<EncoderConfig, HubError> {
    let path = read.source.with_file_name("bert_config.json");
    if !path.is_file() {
        return Ok(found);
    }
    let io = |source| HubError::Io { path: path.clone(), source };
    let text = fs::read_to_string(&path).map_err(io)?;
    let fault = |fault: String| HubError::Config { path: path.clone(), fault };
    let mut json: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| fault(format!("no JSON: {e}")))?;
    let object = json.as_object_mut().ok_or_else(|| fault("no JSON object".to_owned()))?;
    object.insert("model_type".to_owned(), "bert".into());
    let said = HubConfig::from_json(&json).map_err(fault)?.encoder;
    let sizes = |e: &EncoderConfig| {
        [e.vocabulary, e.hidden, e.layers, e.feed_forward, e.positions, e.segments]
    };
    if sizes(&said) != sizes(&found) {
        return Err(fault(format!(
            "it says {:?} (vocabulary, width, layers, inner width, positions, segments), and the \
             tensors have {:?}: it belongs to another checkpoint",
            sizes(&said),
            sizes(&found)
        )));
    }
    Ok(said)
}
