//! Tokens that the folder of a published network adds to its vocabulary.

use crate::error::DataError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use tokenizers::AddedToken;

/// A token that is added, and its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Added {
    pub(crate) id: u32,
    pub(crate) token: AddedToken,
}

/// The file that says how a tokenizer is used.
pub(crate) const CONFIG: &str = "tokenizer_config.json";

/// The keys that name one special token each.
const NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

impl Added {
    /// Its entry in the list `added_tokens` of a `tokenizer.json`.
    pub(crate) fn entry(&self) -> Value {
        let mut entry = serde_json::to_value(&self.token).unwrap_or_default();
        entry["id"] = self.id.into();
        entry
    }
}

/// What the file `name` beside `path` says, as JSON; null where there is none.
pub(crate) fn json_beside(path: &Path, name: &str) -> Result<Value, DataError> {
    let path = path.with_file_name(name);
    if !path.is_file() {
        return Ok(Value::Null);
    }
    let bytes = std::fs::read(&path).map_err(DataError::io(&path, "check the file"))?;
    let value = serde_json::from_slice(&bytes);
    value.map_err(|error| DataError::format(&path, 0, error.to_string()))
}

/// The tokens that the files beside a vocabulary add to it, by id. As in transformers they are
/// those of [`named`], and without any such list those of `added_tokens.json`, which are special if
/// another key names them so.
pub(crate) fn beside(vocabulary: &Path, config: &Value) -> Result<Vec<Added>, DataError> {
    const FILE: &str = "added_tokens.json";
    if config["added_tokens_decoder"].is_object() {
        return named(vocabulary, config);
    }
    let tokens = json_beside(vocabulary, FILE)?;
    let map = json_beside(vocabulary, "special_tokens_map.json")?;
    let special: BTreeSet<&str> = [config, &map].into_iter().flat_map(special_names).collect();
    let mut found = BTreeMap::new();
    for (content, number) in tokens.as_object().into_iter().flatten() {
        let fault = |fault: String| DataError::format(&vocabulary.with_file_name(FILE), 0, fault);
        let id = id_of(number.as_u64());
        let id = id.ok_or_else(|| fault(format!("the id of `{content}` is {number}")))?;
        let token = AddedToken::from(content.as_str(), special.contains(content.as_str()));
        if let Some(other) = found.insert(id, token) {
            let both = format!("`{}` and `{content}` both have the id {id}", other.content);
            return Err(fault(both));
        }
    }
    Ok(in_order(found))
}

/// The tokens of the list `added_tokens_decoder` in `tokenizer_config.json`, which `config` is, by
/// id.
pub(crate) fn named(vocabulary: &Path, config: &Value) -> Result<Vec<Added>, DataError> {
    let mut found = BTreeMap::new();
    for (id, entry) in config["added_tokens_decoder"].as_object().into_iter().flatten() {
        let (number, content) = (id_of(id.parse().ok()), entry["content"].as_str());
        let (Some(number), Some(content)) = (number, content) else {
            let fault = format!("`added_tokens_decoder` has {entry} with the id {id:?}, no token");
            return Err(DataError::format(&vocabulary.with_file_name(CONFIG), 0, fault));
        };
        let flag = |key: &str| entry[key].as_bool();
        let token = AddedToken::from(content, flag("special").unwrap_or(false));
        let normalized = flag("normalized").unwrap_or(token.normalized);
        let token = token
            .normalized(normalized)
            .single_word(flag("single_word").unwrap_or(false))
            .lstrip(flag("lstrip").unwrap_or(false))
            .rstrip(flag("rstrip").unwrap_or(false));
        found.insert(number, token);
    }
    Ok(in_order(found))
}

/// A number as an id; the largest one of all leaves no room for a number of ids.
fn id_of(number: Option<u64>) -> Option<u32> {
    number.and_then(|id| u32::try_from(id).ok()).filter(|&id| id < u32::MAX)
}

fn in_order(found: BTreeMap<u32, AddedToken>) -> Vec<Added> {
    let tokens = found.into_iter().map(|(id, token)| Added { id, token });
    tokens.filter(|added| !added.token.content.is_empty()).collect()
}

/// The special tokens that a file names by keys, of which each is a text or an object.
fn special_names(json: &Value) -> Vec<&str> {
    let more = json["additional_special_tokens"].as_array().into_iter().flatten();
    let all = NAMES.iter().map(|key| &json[*key]).chain(more);
    all.filter_map(|value| value.as_str().or(value["content"].as_str())).collect()
}

/// Fails where an added token has the id of another token of the vocabulary, or an id that is far
/// beyond all others.
pub(crate) fn check<'a>(
    added: &[Added],
    vocabulary: impl IntoIterator<Item = (&'a str, u64)>,
) -> Result<(), String> {
    if added.is_empty() {
        return Ok(());
    }
    let known: HashMap<u64, &str> = vocabulary.into_iter().map(|(token, id)| (id, token)).collect();
    let largest = known.keys().max().copied().unwrap_or(0) + FARTHEST;
    for Added { id, token: AddedToken { content, .. } } in added {
        let id = u64::from(*id);
        let way_out = "take all files of the tokenizer from one folder";
        if id > largest {
            return Err(format!("the added token `{content}` has the id {id}: {way_out}"));
        }
        if let Some(other) = known.get(&id).filter(|other| *other != content) {
            return Err(format!(
                "the added token `{content}` has the id {id}, which `{other}` has: {way_out}"
            ));
        }
    }
    Ok(())
}

/// An added token may have an id so much larger than that of any other.
const FARTHEST: u64 = 1 << 20;
