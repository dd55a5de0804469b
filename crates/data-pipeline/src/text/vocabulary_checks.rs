//! Whether a `vocab.txt` is one of BERT's kind, and whether its tokens are cased.

use super::added_tokens::{self, CONFIG};
use crate::error::DataError;
use serde_json::Value;
use std::path::Path;

/// The classes of transformers that read a `vocab.txt` as it is read here, and those that read a
/// `tokenizer.json` and so say nothing about it; each also with `Fast` behind it.
const CLASSES: [&str; 6] = [
    "BertTokenizer",
    "DistilBertTokenizer",
    "ElectraTokenizer",
    "MobileBertTokenizer",
    "PreTrainedTokenizer",
    "TokenizersBackend",
];

/// Refuses a `vocab.txt` whose `tokenizer_class` cuts texts in another way; `config` is the
/// `tokenizer_config.json` beside it, null where there is none. A `config.json` counts if it is
/// that of a network, which has a `model_type`.
pub(super) fn check_class(vocabulary: &Path, config: &Value) -> Result<(), DataError> {
    const NETWORK: &str = "config.json";
    let network = added_tokens::json_beside(vocabulary, NETWORK).unwrap_or_default();
    let network = if network["model_type"].is_string() { network } else { Value::Null };
    let all = [(CONFIG, config), (NETWORK, &network)];
    let mut said =
        all.iter().filter_map(|(file, json)| Some((file, json["tokenizer_class"].as_str()?)));
    let Some((file, class)) = said.next() else { return Ok(()) };
    if CLASSES.contains(&class.strip_suffix("Fast").unwrap_or(class)) {
        return Ok(());
    }
    Err(DataError::Missing {
        path: vocabulary.with_file_name(file),
        fault: format!(
            "`tokenizer_class` is {class}, which cuts texts otherwise than the tokenizers of BERT \
             and ELECTRA"
        ),
        way_out: "save the tokenizer as a tokenizer.json, or name another network",
    })
}

/// A vocabulary of fewer tokens may be one of letters or of codes.
const FEW: usize = 100;

/// Refuses a vocabulary of whole words: none of its tokens continues a word.
pub(super) fn check_pieces<'a>(
    vocabulary: &Path,
    tokens: impl Iterator<Item = &'a str>,
) -> Result<(), DataError> {
    let mut count = 0;
    for token in tokens {
        if token.starts_with("##") {
            return Ok(());
        }
        count += 1;
    }
    if count <= FEW {
        return Ok(());
    }
    Err(DataError::Missing {
        path: vocabulary.to_path_buf(),
        fault: format!("none of its {count} tokens begins with `##`, as pieces within words do"),
        way_out: "name a vocabulary of the BERT kind, or a tokenizer.json",
    })
}

/// Whether more than one in a hundred tokens change when they are lower-cased; those in brackets
/// are no text.
pub(super) fn is_cased<'a>(tokens: impl Iterator<Item = &'a str>) -> bool {
    let is_text = |token: &&str| !(token.starts_with('[') && token.ends_with(']'));
    let (mut all, mut cased) = (0_usize, 0_usize);
    for token in tokens.filter(is_text) {
        all += 1;
        cased += usize::from(token.to_lowercase() != token);
    }
    100 * cased > all
}

/// Refuses a cased vocabulary of which no file says so.
pub(super) fn casing_unsaid(vocabulary: &Path) -> DataError {
    DataError::Missing {
        path: vocabulary.to_path_buf(),
        fault: "it has tokens with upper case, and no file says whether it is cased".into(),
        way_out: "write {\"do_lower_case\": false} into tokenizer_config.json beside it, or true \
                  if it is not; weights convert and pretrain --vocab take --cased instead",
    }
}

/// Refuses to take a vocabulary as cased that its files lower-case texts for.
pub(super) fn lower_cased(path: &Path) -> DataError {
    DataError::Missing {
        path: path.to_path_buf(),
        fault: "its files say that texts are lower-cased, and it is to be taken as cased".into(),
        way_out: "leave --cased out, or name the files of a cased vocabulary",
    }
}
