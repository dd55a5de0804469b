//! Marian as opus-mt is published: `config.json`, `generation_config.json` and weights.

use std::path::Path;

use serde_json::{Value, json};
use torch::hub::{self, HubError, Keys, Named, beside, read_json};
use torch::{Device, InvalidConfig, Params};
use weights::find::{Places, find};
use weights::{StateDict, TensorData};

use crate::decode::{Beam, Patience, Special};
use crate::{Marian, MarianActivation, MarianConfig};

/// What a folder says of a Marian and of how it is to translate.
#[derive(Clone, Debug, PartialEq)]
pub struct MarianHubConfig {
    /// The network.
    pub network: MarianConfig,
    /// What ends a translation, and what it never has.
    pub special: Special,
    /// The search that the folder asks for.
    pub beam: Beam,
}

impl MarianHubConfig {
    /// Reads a `config.json`, and the `generation_config.json` beside it if there is one. Keys that
    /// are left out have transformers' defaults.
    ///
    /// # Errors
    /// When one cannot be read, is of another kind of network, or asks for what is not there:
    /// norms before layers, learned positions, other activations, bans of several tokens in a row.
    pub fn read(path: &Path) -> Result<Self, HubError> {
        let generation = path.with_file_name("generation_config.json");
        let generation = match generation.is_file() {
            true => read_json(&generation, |json| Ok(json.clone()))?,
            false => Value::Null,
        };
        read_json(path, |json| Self::from_json(json, &generation))
    }

    /// Reads the JSON of `config.json` and of `generation_config.json`, which may be null. The
    /// error says what is wrong.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn from_json(json: &Value, generation: &Value) -> Result<Self, String> {
        match json["model_type"].as_str() {
            Some("marian") => {}
            Some(other) => return Err(format!("it is of model_type {other}; marian is known")),
            None => return Err("it has no `model_type`; marian is known".to_owned()),
        }
        let keys = Keys(json);
        keys.only("normalize_before", &[json!(false)])?;
        keys.only("normalize_embedding", &[json!(false)])?;
        keys.only("add_final_layer_norm", &[json!(false)])?;
        keys.only("static_position_embeddings", &[json!(true)])?;
        let activations = ["swish", "silu", "relu", "gelu", "gelu_new", "gelu_pytorch_tanh"];
        keys.only("activation_function", &activations.map(|name| json!(name)))?;
        let activation = match json["activation_function"].as_str() {
            Some("swish" | "silu") => MarianActivation::Swish,
            Some("relu") => MarianActivation::Relu,
            Some("gelu_new" | "gelu_pytorch_tanh") => MarianActivation::GeluTanh,
            _ => MarianActivation::Gelu,
        };
        let vocabulary = keys.whole("vocab_size", 58_101)?;
        let pad = keys.whole("pad_token_id", 58_100)?;
        let both = |encoder: &str, decoder: &str, default| {
            Ok::<_, String>([keys.whole(encoder, default)?, keys.whole(decoder, default)?])
        };
        let network = MarianConfig {
            vocabularies: [vocabulary, keys.whole("decoder_vocab_size", vocabulary)?],
            shared: keys.flag("share_encoder_decoder_embeddings", true)?,
            tied: keys.flag("tie_word_embeddings", true)?,
            positions: keys.whole("max_position_embeddings", 1024)?,
            hidden: keys.whole("d_model", 1024)?,
            layers: both("encoder_layers", "decoder_layers", 12)?,
            heads: both("encoder_attention_heads", "decoder_attention_heads", 16)?,
            inner: both("encoder_ffn_dim", "decoder_ffn_dim", 4096)?,
            activation,
            scaled: keys.flag("scale_embedding", false)?,
            start: keys.whole("decoder_start_token_id", pad)?,
            dropout: keys.number("dropout", 0.1)?,
            attention_dropout: keys.number("attention_dropout", 0.0)?,
            inner_dropout: keys.number("activation_dropout", 0.0)?,
        };
        InvalidConfig::of(network.faults())
            .map_err(|error| format!("no network can have this: {error}"))?;
        let (special, beam) = generation_of(json, generation, &network, pad)?;
        Ok(Self { network, special, beam })
    }
}

/// How a folder wants to be used. What `generation_config.json` says goes before `config.json`.
fn generation_of(
    json: &Value,
    generation: &Value,
    network: &MarianConfig,
    pad: i64,
) -> Result<(Special, Beam), String> {
    let of = |key: &str| if generation[key].is_null() { json } else { generation };
    let whole = |key: &str, default| Keys(of(key)).whole(key, default);
    let vocabulary = network.vocabularies[1];
    let token = |key: &str, id: i64| match (0..vocabulary).contains(&id) {
        true => Ok(id),
        false => Err(format!("`{key}` is {id}, and token ids are 0 to {}", vocabulary - 1)),
    };
    let end = token("eos_token_id", whole("eos_token_id", 0)?)?;
    let forced = whole("forced_eos_token_id", end)?;
    if forced != end {
        return Err(format!("`forced_eos_token_id` is {forced}, and texts end with {end}"));
    }
    let mut never = vec![token("pad_token_id", pad)?];
    let bans = &of("bad_words_ids")["bad_words_ids"];
    for ban in bans.as_array().into_iter().flatten() {
        match ban.as_array().map(Vec::as_slice) {
            Some([one]) if one.is_i64() => {
                never.push(token("bad_words_ids", one.as_i64().unwrap_or(-1))?);
            }
            _ => return Err(format!("`bad_words_ids` has {ban}; known here: single tokens")),
        }
    }
    never.retain(|&id| id != end);
    never.sort_unstable();
    never.dedup();
    let renormalized = Keys(of("renormalize_logits")).flag("renormalize_logits", false)?;
    let special = Special { end, never, forced: true, renormalized };
    let early = &of("early_stopping")["early_stopping"];
    let patience = match early {
        Value::Null | Value::Bool(false) => Patience::Present,
        Value::Bool(true) => Patience::First,
        other if other == "never" => Patience::Any,
        other => return Err(format!("`early_stopping` is {other}; known: true, false, \"never\"")),
    };
    // The start counts in `max_length`. Left out it is 512, as opus-mt has it, and not 20, as
    // transformers would take it.
    let most = (whole("max_length", 512)? - 1).clamp(1, network.positions);
    let beam = Beam {
        width: whole("num_beams", 1)?.max(1) as usize,
        max_tokens: most as usize,
        length_power: Keys(of("length_penalty")).number("length_penalty", 1.0)?,
        patience,
        empty: true,
    };
    InvalidConfig::of(beam.faults()).map_err(|error| error.to_string())?;
    Ok((special, beam))
}

/// A Marian that was read, not yet loaded.
#[derive(Clone, Debug)]
pub struct MarianCheckpoint {
    /// What it is.
    pub config: MarianHubConfig,
    /// Its tensors under the names of the file.
    pub weights: StateDict,
}

impl MarianCheckpoint {
    /// Reads a folder, or what a name like `Helsinki-NLP/opus-mt-en-fr` or `ORG/NAME@REVISION`
    /// stands for in the hub's cache. Nothing is downloaded.
    ///
    /// # Errors
    /// When there is nothing of the name, `config.json` is none of Marian, or the weights cannot be
    /// read.
    pub fn open(asked: &str, places: &Places) -> Result<Self, HubError> {
        let found = find(asked, places)?;
        let config = MarianHubConfig::read(&beside(&found.path, "config.json"))?;
        Ok(Self { config, weights: found.open()? })
    }

    /// Makes the network on `device` and loads all its tensors.
    ///
    /// # Errors
    /// When a tensor is missing, unexpected or of another shape, tables that are one differ, or a
    /// tensor holds integers, NaN or infinities. The error names all tensors with both shapes.
    pub fn build(&self, device: Device) -> Result<(Marian, Params), HubError> {
        let make = |scope: &mut torch::Scope<'_>| Marian::new(scope, &self.config.network);
        // Older files leave out a bias of 0.
        let written = self.config.network.vocabularies[1] as usize;
        let zeros = TensorData::from_f32(vec![1, written], &vec![0.0; written]);
        let mut given = self.renamed()?;
        given.entry(BIAS.to_owned()).or_insert((BIAS, &zeros));
        // Before memory is taken for a network that the file does not have.
        hub::check(&self.weights.source, &given, &Params::outline(make))?;
        let (net, params) = Params::build(device, make);
        hub::load(&self.weights.source, &given, &params)?;
        Ok((net, params))
    }

    /// The tensors under this crate's names, with those of the file; positions, which are computed,
    /// and tables that repeat another one are left away.
    fn renamed(&self) -> Result<Named<'_>, HubError> {
        let bare = !self.weights.tensors.keys().any(|name| name.starts_with("model."));
        let mut all = hub::renamed(&self.weights, |name| match name {
            name if name.ends_with("embed_positions.weight") => None,
            name if bare && name != BIAS && !name.starts_with("lm_head.") => {
                Some(format!("model.{name}"))
            }
            name => Some(name.to_owned()),
        })?;
        let network = &self.config.network;
        let (shared, encoder, decoder) = (
            "model.shared.weight",
            "model.encoder.embed_tokens.weight",
            "model.decoder.embed_tokens.weight",
        );
        let mut same = Vec::new();
        if network.shared {
            same.extend([(encoder, shared), (decoder, shared)]);
        }
        if network.tied {
            same.push(("lm_head.weight", if network.shared { shared } else { decoder }));
        }
        for (other, one) in same {
            match (all.get(other).copied(), all.get(one)) {
                (Some((_, repeated)), Some((_, table))) if repeated == *table => {
                    all.remove(other);
                }
                (Some(table), None) => {
                    all.remove(other);
                    all.insert(one.to_owned(), table);
                }
                // Left as it is, it is unexpected.
                _ => {}
            }
        }
        Ok(all)
    }
}

/// The bias of the logits.
const BIAS: &str = "final_logits_bias";
