//! `config.json`, as transformers has it.

use std::path::Path;

use serde_json::{Map, Value, json};

use torch::InvalidConfig;
use torch::hub::{HubError, Keys, read_json};

use crate::{EncoderConfig, Family};

/// What a `config.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct HubConfig {
    /// The encoder.
    pub encoder: EncoderConfig,
    /// The class in transformers that the weights are of, as `ElectraForPreTraining`.
    pub architecture: Option<String>,
    /// The names of the classes, in the order of the head's outputs; none where they are only
    /// numbered, as `LABEL_0`. What is wrong with `id2label` where it names none: a network that is
    /// trained further does not need the names.
    pub labels: Result<Option<Vec<String>>, String>,
    /// What the outputs of a classifier mean; none where the file does not say it.
    pub problem: Option<ProblemType>,
    /// The token that fills padded input.
    pub pad: i64,
}

/// What the outputs of a classifier mean (`problem_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemType {
    /// A text has one of the classes.
    SingleLabel,
    /// A text may have several of the classes, or none.
    MultiLabel,
    /// Each output is a quantity.
    Regression,
}

impl ProblemType {
    const ALL: [Self; 3] = [Self::SingleLabel, Self::MultiLabel, Self::Regression];

    /// What `config.json` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleLabel => "single_label_classification",
            Self::MultiLabel => "multi_label_classification",
            Self::Regression => "regression",
        }
    }
}

impl HubConfig {
    /// An encoder by itself.
    pub fn new(encoder: EncoderConfig, architecture: &str) -> Self {
        Self {
            encoder,
            architecture: Some(architecture.to_owned()),
            labels: Ok(None),
            problem: None,
            pad: 0,
        }
    }

    /// Reads a `config.json`. Keys that are left out have transformers' defaults.
    ///
    /// # Errors
    /// When it cannot be read, is of another kind of network, or asks for what is not there: other
    /// activations than GELU, relative positions, a decoder.
    pub fn read(path: &Path) -> Result<Self, HubError> {
        read_json(path, Self::from_json)
    }

    /// Reads the JSON of a `config.json`; the error says what is wrong.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let family = match json["model_type"].as_str() {
            Some("electra") => Family::Electra,
            Some("bert") => Family::Bert,
            Some(other) => {
                return Err(format!("it is of model_type {other}; electra and bert are known"));
            }
            None => {
                return Err("it has no `model_type`; electra and bert are known: write \
                            \"model_type\": \"bert\" or \"electra\" into it, as what it is"
                    .to_owned());
            }
        };
        let electra = family == Family::Electra;
        let keys = Keys(json);
        keys.only("hidden_act", &[json!("gelu")])?;
        keys.only("position_embedding_type", &[json!("absolute")])?;
        keys.only("problem_type", &ProblemType::ALL.map(|problem| json!(problem.name())))?;
        keys.only("is_decoder", &[json!(false)])?;
        keys.only("add_cross_attention", &[json!(false)])?;
        let hidden = keys.whole("hidden_size", if electra { 256 } else { 768 })?;
        let encoder = EncoderConfig {
            family,
            vocabulary: keys.whole("vocab_size", 30_522)?,
            // BERT's embeddings are as wide as its layers, whatever the file says.
            embedding: if electra { keys.whole("embedding_size", 128)? } else { hidden },
            hidden,
            layers: keys.whole("num_hidden_layers", 12)?,
            heads: keys.whole("num_attention_heads", if electra { 4 } else { 12 })?,
            feed_forward: keys.whole("intermediate_size", if electra { 1024 } else { 3072 })?,
            positions: keys.whole("max_position_embeddings", 512)?,
            segments: keys.whole("type_vocab_size", 2)?,
            dropout: keys.number("hidden_dropout_prob", 0.1)?,
            attention_dropout: keys.number("attention_probs_dropout_prob", 0.1)?,
            norm_eps: keys.number("layer_norm_eps", 1e-12)?,
            init: keys.number("initializer_range", 0.02)?,
        };
        InvalidConfig::of(encoder.faults())
            .map_err(|error| format!("no encoder can have this: {error}"))?;
        Ok(Self {
            encoder,
            architecture: json["architectures"][0].as_str().map(str::to_owned),
            labels: labels(&json["id2label"]),
            problem: ProblemType::ALL
                .into_iter()
                .find(|problem| json["problem_type"] == problem.name()),
            pad: keys.whole("pad_token_id", 0)?,
        })
    }

    /// The text of a `config.json`.
    pub fn to_json(&self) -> Value {
        let e = &self.encoder;
        let mut json = json!({
            "model_type": e.family.prefix(),
            "vocab_size": e.vocabulary,
            "hidden_size": e.hidden,
            "num_hidden_layers": e.layers,
            "num_attention_heads": e.heads,
            "intermediate_size": e.feed_forward,
            "hidden_act": "gelu",
            "hidden_dropout_prob": e.dropout,
            "attention_probs_dropout_prob": e.attention_dropout,
            "max_position_embeddings": e.positions,
            "type_vocab_size": e.segments,
            "initializer_range": e.init,
            "layer_norm_eps": e.norm_eps,
            "pad_token_id": self.pad,
            "position_embedding_type": "absolute",
            "tie_word_embeddings": true,
        });
        let map = json.as_object_mut().expect("it is one");
        if e.family == Family::Electra {
            map.insert("embedding_size".to_owned(), json!(e.embedding));
        }
        if let Some(architecture) = &self.architecture {
            map.insert("architectures".to_owned(), json!([architecture]));
        }
        if let Some(problem) = self.problem {
            map.insert("problem_type".to_owned(), json!(problem.name()));
        }
        if let Ok(Some(labels)) = &self.labels {
            let numbered = labels.iter().enumerate();
            let names: Map<String, Value> =
                numbered.clone().map(|(i, label)| (i.to_string(), json!(label))).collect();
            let numbers: Map<String, Value> =
                numbered.map(|(i, label)| (label.clone(), json!(i))).collect();
            map.insert("id2label".to_owned(), names.into());
            map.insert("label2id".to_owned(), numbers.into());
        }
        json
    }
}

/// The names of classes, in order; none if they are only numbered.
fn labels(json: &Value) -> Result<Option<Vec<String>>, String> {
    let Some(map) = json.as_object() else { return Ok(None) };
    let mut names = Vec::new();
    for i in 0..map.len() {
        match map.get(&i.to_string()) {
            Some(Value::String(name)) => names.push(name.clone()),
            Some(other) => {
                return Err(format!("`id2label` names no class {i}: \"{i}\": {other} is no text"));
            }
            None => {
                let entries: Vec<String> =
                    map.iter().take(3).map(|(key, name)| format!("\"{key}\": {name}")).collect();
                let entries = entries.join(", ");
                return Err(format!("`id2label` names no class {i}: it begins with {entries}"));
            }
        }
    }
    let numbered = names.iter().enumerate().all(|(i, name)| *name == format!("LABEL_{i}"));
    Ok((!numbered && !names.is_empty()).then_some(names))
}
