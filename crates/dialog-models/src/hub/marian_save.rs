//! A Marian as a folder that transformers reads, and this crate.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use torch::hub::HubError;
use torch::{Params, store};

use super::MarianHubConfig;
use crate::MarianActivation;
use crate::decode::Patience;

impl MarianHubConfig {
    /// The text of a `config.json`. Texts are filled up with the token that they start from, as
    /// opus-mt's are.
    pub fn config_json(&self) -> Value {
        let net = &self.network;
        let activation = match net.activation {
            MarianActivation::Swish => "swish",
            MarianActivation::Relu => "relu",
            MarianActivation::Gelu => "gelu",
            MarianActivation::GeluTanh => "gelu_new",
        };
        json!({
            "model_type": "marian",
            "architectures": ["MarianMTModel"],
            "is_encoder_decoder": true,
            "vocab_size": net.vocabularies[0],
            "decoder_vocab_size": net.vocabularies[1],
            "share_encoder_decoder_embeddings": net.shared,
            "tie_word_embeddings": net.tied,
            "max_position_embeddings": net.positions,
            "d_model": net.hidden,
            "encoder_layers": net.layers[0],
            "decoder_layers": net.layers[1],
            "num_hidden_layers": net.layers[0],
            "encoder_attention_heads": net.heads[0],
            "decoder_attention_heads": net.heads[1],
            "encoder_ffn_dim": net.inner[0],
            "decoder_ffn_dim": net.inner[1],
            "activation_function": activation,
            "scale_embedding": net.scaled,
            "normalize_before": false,
            "normalize_embedding": false,
            "add_final_layer_norm": false,
            "static_position_embeddings": true,
            "dropout": net.dropout,
            "attention_dropout": net.attention_dropout,
            "activation_dropout": net.inner_dropout,
            "pad_token_id": net.start,
            "decoder_start_token_id": net.start,
            "eos_token_id": self.special.end,
            "forced_eos_token_id": self.special.end,
        })
    }

    /// The text of a `generation_config.json`.
    pub fn generation_json(&self) -> Value {
        let (special, beam) = (&self.special, &self.beam);
        let early = match beam.patience {
            Patience::First => json!(true),
            Patience::Present => json!(false),
            Patience::Any => json!("never"),
        };
        let bans: Vec<[i64; 1]> = special.never.iter().map(|&id| [id]).collect();
        json!({
            "bad_words_ids": bans,
            "pad_token_id": self.network.start,
            "decoder_start_token_id": self.network.start,
            "eos_token_id": special.end,
            "forced_eos_token_id": special.end,
            "renormalize_logits": special.renormalized,
            "num_beams": beam.width,
            "length_penalty": beam.length_power,
            "early_stopping": early,
            // The start counts.
            "max_length": beam.max_tokens + 1,
        })
    }

    /// Writes `model.safetensors`, `generation_config.json` and, last, `config.json` into `folder`,
    /// which is made if it is not there; each file whole or not at all. `params` are those of the
    /// network.
    ///
    /// ```
    /// use dialog_models::decode::{Beam, Special};
    /// use dialog_models::hub::{MarianCheckpoint, MarianHubConfig};
    /// use dialog_models::{Marian, MarianConfig};
    /// use torch::{Device, Params};
    /// use weights::find::Places;
    ///
    /// let network = MarianConfig {
    ///     vocabularies: [20; 2], hidden: 16, layers: [1; 2], heads: [2; 2], inner: [32; 2],
    ///     start: 19, ..MarianConfig::default()
    /// };
    /// let (_, params) = Params::build(Device::Cpu, |scope| Marian::new(scope, &network));
    /// let special = Special { never: vec![19], forced: true, ..Special::end(0) };
    /// let beam = Beam { empty: true, ..Beam::default() };
    /// let hub = MarianHubConfig { network, special, beam };
    /// let folder = tempfile::tempdir().unwrap();
    /// hub.save(folder.path(), &params)?;
    /// let read = MarianCheckpoint::open(folder.path().to_str().unwrap(), &Places::of_user())?;
    /// assert_eq!(read.config, hub);
    /// # Ok::<(), torch::hub::HubError>(())
    /// ```
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn save(&self, folder: &Path, params: &Params) -> Result<(), HubError> {
        let io = |source| HubError::Io { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        // Without this key transformers refuses the file.
        let meta = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        store::save(&folder.join("model.safetensors"), &params.tensors(), &meta)?;
        for (name, json) in [
            ("generation_config.json", self.generation_json()),
            ("config.json", self.config_json()),
        ] {
            let text = serde_json::to_string_pretty(&json).expect("plain data") + "\n";
            atomic_file::write(&folder.join(name), text.as_bytes())?;
        }
        Ok(())
    }
}
