//! A vocabulary of byte pairs made from texts.

use super::tokenizer::{DialogTokenizer, SPECIALS, added, byte_name, split_of_words, whole_json};
use crate::error::DataError;
use crate::text::words::words;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokenizers::models::bpe::{BPE, BpeTrainer as Library};

/// How large a vocabulary becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BpeSize {
    /// The number of tokens: 3 special ones, 256 bytes, characters and pieces. There are fewer
    /// where the texts do not have as many pieces.
    pub tokens: usize,
    /// A piece is made of two that stand side by side at least so often.
    pub least_count: u64,
    /// So many characters have a token, the most frequent ones; others are spelled in bytes.
    pub most_characters: usize,
}

impl Default for BpeSize {
    /// 8,192 tokens, pieces that occur twice, 512 characters.
    fn default() -> Self {
        Self { tokens: 8192, least_count: 2, most_characters: 512 }
    }
}

/// Counts words and makes a vocabulary from them by the crate `tokenizers`: from single characters,
/// the most frequent pair of pieces becomes a piece of its own, again and again. Tokens for the 256
/// bytes are put in afterwards, which the library's trainer does not do: with them a character that
/// the texts did not have is spelled in bytes and not lost. The same texts give the same
/// vocabulary, in any order.
#[derive(Debug, Default)]
pub struct BpeTrainer {
    counts: HashMap<String, u64>,
}

impl BpeTrainer {
    /// Counts the words of a text.
    pub fn count(&mut self, text: &str) {
        for word in words(text) {
            match self.counts.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    self.counts.insert(word.to_owned(), 1);
                }
            }
        }
    }

    /// The tokenizer with the vocabulary of all that was counted.
    ///
    /// # Errors
    /// When no text was counted, or when the size leaves no room for the characters.
    pub fn tokenizer(&self, size: BpeSize) -> Result<DialogTokenizer, DataError> {
        let request = |fault: String| DataError::Request(fault);
        let kept = self.characters(size.most_characters);
        if kept.is_empty() {
            return Err(request("no vocabulary can be made: the texts hold no word".into()));
        }
        let bytes = SPECIALS.len() + 256;
        if bytes + kept.len() > size.tokens {
            return Err(request(format!(
                "a vocabulary of {} tokens has no room for {} characters, 256 bytes and {} special \
                 tokens (ask for at least {})",
                size.tokens,
                kept.len(),
                SPECIALS.len(),
                bytes + kept.len()
            )));
        }
        // Characters that are spelled in bytes part words.
        let mut pieces: BTreeMap<&str, u64> = BTreeMap::new();
        for (word, count) in &self.counts {
            for piece in word.split(|c| !kept.contains(&c)).filter(|piece| !piece.is_empty()) {
                *pieces.entry(piece).or_default() += count;
            }
        }
        let library = Library::builder()
            .show_progress(false)
            .min_frequency(size.least_count)
            .vocab_size(size.tokens - bytes)
            .build();
        let failed = |error: &dyn std::fmt::Display| {
            request(format!("the vocabulary cannot be made: {error}"))
        };
        let mut model = BPE::default();
        let counts = pieces.into_iter().map(|(piece, count)| (piece.into(), count)).collect();
        library.do_train(&counts, &mut model).map_err(|error| failed(&error))?;
        let trained = serde_json::to_value(&model).map_err(|error| failed(&error))?;
        let names = (0..=255u8).map(byte_name);
        let mut vocabulary: Map<String, Value> =
            names.enumerate().map(|(i, name)| (name, json!(SPECIALS.len() + i))).collect();
        for (token, id) in trained["vocab"].as_object().into_iter().flatten() {
            vocabulary.insert(token.clone(), json!(bytes as u64 + id.as_u64().unwrap_or(0)));
        }
        let specials = SPECIALS.iter().enumerate();
        for (id, name) in specials.clone() {
            vocabulary.insert((*name).to_owned(), json!(id));
        }
        let specials: Vec<Value> = specials.map(|(id, name)| added(id as u64, name)).collect();
        let decoder = json!({
            "type": "Sequence", "decoders": [{ "type": "ByteFallback" }, { "type": "Fuse" }],
        });
        let whole = whole_json(
            &vocabulary.into(),
            &trained["merges"],
            &specials.into(),
            &split_of_words(),
            &decoder,
        );
        DialogTokenizer::from_json(&whole.to_string()).map_err(|fault| failed(&fault))
    }

    /// The most frequent characters; of equally frequent ones those of the lower code.
    fn characters(&self, most: usize) -> BTreeSet<char> {
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        for (word, count) in &self.counts {
            word.chars().for_each(|c| *counts.entry(c).or_default() += count);
        }
        let mut ranked: Vec<(Reverse<u64>, char)> =
            counts.into_iter().map(|(c, count)| (Reverse(count), c)).collect();
        ranked.sort_unstable();
        ranked.into_iter().take(most).map(|(_, c)| c).collect()
    }
}
