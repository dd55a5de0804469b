//! `config.json`, as transformers has it for GPT-2.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::HubError;
use crate::Gpt2Config;

/// What a `config.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct HubConfig {
    /// The network.
    pub network: Gpt2Config,
    /// The token that ends a text, and a turn of a dialogue.
    pub end: i64,
}

impl HubConfig {
    /// Reads a `config.json`. Keys that are left out have transformers' defaults.
    ///
    /// # Errors
    /// When it cannot be read, is of another kind of network, or asks for what is not there: other
    /// activations, attention on another network, an output table of its own.
    pub fn read(path: &Path) -> Result<Self, HubError> {
        let io = |source| HubError::Io { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(io)?;
        let fault = |fault: String| HubError::Config { path: path.to_owned(), fault };
        let value = serde_json::from_str(&text).map_err(|e| fault(format!("no JSON: {e}")))?;
        Self::from_json(&value).map_err(fault)
    }

    /// The same of JSON that was read; the error says what is wrong.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn from_json(json: &Value) -> Result<Self, String> {
        // DialoGPT's first folders do not say what they are.
        match json["model_type"].as_str() {
            Some("gpt2") => {}
            None if json["n_embd"].is_i64() => {}
            Some(other) => return Err(format!("it is of model_type {other}; gpt2 is known")),
            None => return Err("it has no `model_type`; gpt2 is known".to_owned()),
        }
        let whole = |key: &str, default: i64| match &json[key] {
            Value::Null => Ok(default),
            value => value.as_i64().ok_or_else(|| format!("`{key}` is {value}, no whole number")),
        };
        let number = |key: &str, default: f64| match &json[key] {
            Value::Null => Ok(default),
            value => value.as_f64().ok_or_else(|| format!("`{key}` is {value}, no number")),
        };
        let hidden = whole("n_embd", 768)?;
        let only = |key: &str, known: &[Value]| match &json[key] {
            Value::Null => Ok(()),
            value if known.contains(value) => Ok(()),
            value => {
                let known: Vec<String> = known.iter().map(Value::to_string).collect();
                Err(format!("`{key}` is {value}; known here: {}", known.join(", ")))
            }
        };
        only("activation_function", &[json!("gelu_new"), json!("gelu_pytorch_tanh")])?;
        only("n_inner", &[json!(4 * hidden)])?;
        only("add_cross_attention", &[json!(false)])?;
        only("tie_word_embeddings", &[json!(true)])?;
        only("scale_attn_weights", &[json!(true)])?;
        only("scale_attn_by_inverse_layer_idx", &[json!(false)])?;
        let network = Gpt2Config {
            vocabulary: whole("vocab_size", 50_257)?,
            positions: whole("n_positions", whole("n_ctx", 1024)?)?,
            hidden,
            layers: whole("n_layer", 12)?,
            heads: whole("n_head", 12)?,
            dropout: number("resid_pdrop", 0.1)?,
            attention_dropout: number("attn_pdrop", 0.1)?,
            norm_eps: number("layer_norm_epsilon", 1e-5)?,
        };
        let faults: Vec<String> =
            network.faults().iter().map(|(key, fault)| format!("{key} {fault}")).collect();
        if !faults.is_empty() {
            return Err(format!("no network can have this: {}", faults.join("; ")));
        }
        let end = whole("eos_token_id", network.vocabulary - 1)?;
        if !(0..network.vocabulary).contains(&end) {
            let last = network.vocabulary - 1;
            return Err(format!("`eos_token_id` is {end}, and token ids are 0 to {last}"));
        }
        Ok(Self { network, end })
    }
}
