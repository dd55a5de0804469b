//! `config.json`, as transformers has it for GPT-2.

use std::path::Path;

use serde_json::{Value, json};

use torch::InvalidConfig;
use torch::hub::{HubError, Keys, read_json};

use crate::Gpt2Config;

/// GPT-2's own token that ends a text, in the vocabulary that was published with it.
const END_OF_TEXT: i64 = 50_256;

/// What a `config.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpt2HubConfig {
    /// The network.
    pub network: Gpt2Config,
    /// The token that ends a text, and a turn of a dialogue; the first of several.
    pub end: i64,
}

impl Gpt2HubConfig {
    /// Reads a `config.json`. Keys that are left out have transformers' defaults.
    ///
    /// # Errors
    /// When it cannot be read, is of another kind of network, or asks for what is not there: other
    /// activations, attention on another network, an output table of its own.
    pub fn read(path: &Path) -> Result<Self, HubError> {
        read_json(path, Self::from_json)
    }

    /// Reads the JSON of a `config.json`; the error says what is wrong.
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
        let keys = Keys(json);
        let hidden = keys.whole("n_embd", 768)?;
        keys.only("activation_function", &[json!("gelu_new"), json!("gelu_pytorch_tanh")])?;
        keys.only("n_inner", &[json!(4 * hidden)])?;
        keys.only("add_cross_attention", &[json!(false)])?;
        keys.only("tie_word_embeddings", &[json!(true)])?;
        keys.only("scale_attn_weights", &[json!(true)])?;
        keys.only("scale_attn_by_inverse_layer_idx", &[json!(false)])?;
        let network = Gpt2Config {
            vocabulary: keys.whole("vocab_size", 50_257)?,
            positions: keys.whole("n_positions", keys.whole("n_ctx", 1024)?)?,
            hidden,
            layers: keys.whole("n_layer", 12)?,
            heads: keys.whole("n_head", 12)?,
            dropout: keys.number("resid_pdrop", 0.1)?,
            attention_dropout: keys.number("attn_pdrop", 0.1)?,
            norm_eps: keys.number("layer_norm_epsilon", 1e-5)?,
        };
        InvalidConfig::of(network.faults())
            .map_err(|error| format!("no network can have this: {error}"))?;
        let end = match &json["eos_token_id"] {
            Value::Array(several) => several.first().and_then(Value::as_i64).ok_or_else(|| {
                format!("`eos_token_id` is {}, no whole numbers", json["eos_token_id"])
            })?,
            // Transformers' default does not follow the size of the vocabulary.
            _ => keys.whole("eos_token_id", END_OF_TEXT.min(network.vocabulary - 1))?,
        };
        if !(0..network.vocabulary).contains(&end) {
            let last = network.vocabulary - 1;
            return Err(format!("`eos_token_id` is {end}, and token ids are 0 to {last}"));
        }
        Ok(Self { network, end })
    }
}
