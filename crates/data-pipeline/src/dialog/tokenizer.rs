//! Tokenizers of dialogues: byte-pair encoding that spells out what it does not know in bytes.

use super::streaming::StreamDecoder;
use crate::digest::Digest;
use crate::error::DataError;
use crate::text::added_tokens::{self, CONFIG};
use crate::text::memory::Memory;
use crate::text::words::{splits_as_library, words};
use serde_json::{Map, Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokenizers::{DecoderWrapper, Model, ModelWrapper};

/// A tokenizer by the crate `tokenizers` that loses nothing: every text comes back from its ids.
///
/// Texts hold no special tokens: `<end>` in a message is five characters or so. Ids of special
/// tokens are given by [`DialogTokenizer::end`] and the like.
///
/// ```
/// use data_pipeline::dialog::{BpeSize, BpeTrainer};
/// let mut trainer = BpeTrainer::default();
/// trainer.count("the cat and the hat");
/// let tokenizer = trainer.tokenizer(BpeSize { tokens: 300, ..BpeSize::default() })?;
/// let ids = tokenizer.ids("the naïve 🐙 hat")?;
/// assert_eq!(tokenizer.decode(&ids), "the naïve 🐙 hat");
/// assert_eq!(tokenizer.token(ids[0]).as_deref(), Some("the"));
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
pub struct DialogTokenizer {
    inner: tokenizers::Tokenizer,
    /// What each id stands for; nothing for special tokens.
    bytes: Vec<Box<[u8]>>,
    pad: Option<u32>,
    end: u32,
    turn: u32,
    digest: Digest,
    /// Whether texts are split as [`words`] does it, where the texts hold no rare characters.
    in_words: bool,
    /// What the threads that encode texts remember, while none of them works with it.
    memories: Mutex<Vec<Memory>>,
}

/// The special tokens of a vocabulary that we make, in the order of their ids from 0.
pub(super) const SPECIALS: [&str; 3] = ["<pad>", "<end>", "<turn>"];
/// The one of GPT-2, which ends turns as well as dialogues.
const END_OF_TEXT: &str = "<|endoftext|>";
/// How GPT-2 splits texts before merging: an option of the library.
const BYTE_LEVEL: &str = "ByteLevel";

fn fault(error: impl std::fmt::Display) -> DataError {
    DataError::Request(format!("the tokenizer failed: {error} (check its files)"))
}

impl DialogTokenizer {
    /// The tokenizer of a folder with a `tokenizer.json`, or with the `vocab.json` and `merges.txt`
    /// of GPT-2 and DialoGPT, and the tokens that `tokenizer_config.json` or `added_tokens.json`
    /// add to these; or of a `tokenizer.json` itself.
    ///
    /// # Errors
    /// When the files are not there or damaged, when a special token is missing, or when the
    /// vocabulary does not hold all 256 bytes.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let read = |path: &Path| {
            let bytes = std::fs::read(path).map_err(DataError::io(path, "check the file"))?;
            String::from_utf8(bytes).map_err(|error| {
                let offset = error.utf8_error().valid_up_to() as u64;
                DataError::format(path, offset, "no UTF-8 text")
            })
        };
        let at_start = |path: &Path| {
            let path = path.to_path_buf();
            move |fault: String| DataError::format(&path, 0, fault)
        };
        let whole = if path.is_dir() { path.join("tokenizer.json") } else { path.to_path_buf() };
        if whole.is_file() {
            return Self::from_json(&read(&whole)?).map_err(at_start(&whole));
        }
        let [vocabulary, merges] = ["vocab.json", "merges.txt"].map(|name| path.join(name));
        if !vocabulary.is_file() || !merges.is_file() {
            return Err(DataError::Missing {
                path: path.to_path_buf(),
                fault: "neither tokenizer.json nor vocab.json with merges.txt".into(),
                way_out: "name the folder of a tokenizer or of a GPT-2",
            });
        }
        let mut tokens: Map<String, Value> = serde_json::from_str(&read(&vocabulary)?)
            .map_err(|error| DataError::format(&vocabulary, 0, error.to_string()))?;
        let config = added_tokens::json_beside(&vocabulary, CONFIG)?;
        let found = added_tokens::beside(&vocabulary, &config)?;
        let known = tokens.iter().filter_map(|(token, id)| Some((token.as_str(), id.as_u64()?)));
        added_tokens::check(&found, known).map_err(at_start(&vocabulary))?;
        tokens.extend(found.iter().map(|one| (one.token.content.clone(), json!(one.id))));
        let merges = read(&merges)?;
        let lines = merges.lines().filter(|line| !line.starts_with("#version"));
        let merges: Vec<Vec<&str>> =
            lines.filter(|line| !line.is_empty()).map(|line| line.split(' ').collect()).collect();
        let level = json!({
            "type": BYTE_LEVEL, "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
        });
        let end = tokens.get(END_OF_TEXT).and_then(Value::as_u64).unwrap_or(50_256);
        let others = found.iter().filter(|one| one.token.content != END_OF_TEXT);
        let mut all: Vec<Value> = others.map(|one| one.entry()).collect();
        all.push(added(end, END_OF_TEXT));
        all.sort_by_key(|one| one["id"].as_u64());
        let json = whole_json(&tokens.into(), &json!(merges), &json!(all), &level, &level);
        Self::from_json(&json.to_string()).map_err(at_start(&vocabulary))
    }

    /// Whether a pipeline has the special tokens of such a tokenizer.
    pub(crate) fn has_specials(inner: &tokenizers::Tokenizer) -> bool {
        let has = |name: &str| inner.token_to_id(name).is_some();
        has(END_OF_TEXT) || SPECIALS[1..].iter().all(|name| has(name))
    }

    /// Reads the text of a `tokenizer.json`; the error is what is wrong with it.
    pub(super) fn from_json(text: &str) -> Result<Self, String> {
        let parsed = catch_unwind(AssertUnwindSafe(|| text.parse::<tokenizers::Tokenizer>()));
        let mut inner = match parsed {
            Ok(parsed) => parsed.map_err(|error| error.to_string())?,
            Err(_) => return Err("no tokenizer that can be used".into()),
        };
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| error.to_string())?;
        inner.set_encode_special_tokens(true);
        let find = |names: &[&str]| {
            names.iter().find_map(|name| inner.token_to_id(name)).ok_or_else(|| {
                format!("none of the special tokens {} is in the vocabulary", names.join(", "))
            })
        };
        let end = find(&[SPECIALS[1], END_OF_TEXT])?;
        let turn = find(&[SPECIALS[2], END_OF_TEXT])?;
        let pad = inner.token_to_id(SPECIALS[0]);
        let byte_level = matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let mut tokens: Vec<(u32, String)> =
            inner.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        tokens.sort_unstable();
        let size = tokens.last().map_or(0, |(id, _)| *id as usize + 1);
        let mut bytes = vec![Box::default(); size];
        let added = inner.get_added_tokens_decoder();
        let mut single = [false; 256];
        let mut text = String::new();
        for (id, token) in &tokens {
            text.push_str(&format!("{id} {token}\n"));
            let added = added.get(id);
            if added.is_some_and(|added| added.special) {
                continue;
            }
            let its = match (byte_level, added) {
                (true, None) => level_bytes(token),
                (true, Some(_)) => token.as_bytes().into(),
                (false, _) => fallback_bytes(token),
            };
            if let [byte] = *its {
                single[usize::from(byte)] |= byte_level || token.len() == 6;
            }
            bytes[*id as usize] = its;
        }
        if let Some(byte) = single.iter().position(|&there| !there) {
            return Err(format!(
                "no token for the byte 0x{byte:02X}: texts with characters that the vocabulary \
                 does not know would lose them"
            ));
        }
        let pipeline = json!([inner.get_normalizer(), inner.get_pre_tokenizer()]);
        let digest = Digest::of(format!("{pipeline}\n{text}").as_bytes());
        let all_special = added.values().all(|token| token.special);
        // Cuts that are drawn anew each time must not be remembered.
        let certain =
            matches!(inner.get_model(), ModelWrapper::BPE(model) if model.dropout.is_none());
        let in_words = pipeline == json!([null, split_of_words()]) && all_special && certain;
        Ok(Self { inner, bytes, pad, end, turn, digest, in_words, memories: Mutex::default() })
    }

    /// This tokenizer for a network that ends responses and turns by the token `end`, as fine-tuned
    /// ones end them by one that was added; none where it is no special token, or where turns do
    /// not end as responses do.
    pub fn ended_by(self, end: u32) -> Option<Self> {
        if end == self.end {
            return Some(self);
        }
        let is_special = |token: &tokenizers::AddedToken| token.special;
        let found = self.inner.get_added_tokens_decoder().get(&end).is_some_and(is_special);
        let digest = Digest::of(format!("{} ended by {end}", self.digest).as_bytes());
        (found && self.turn == self.end).then_some(Self { end, turn: end, digest, ..self })
    }

    /// Writes `tokenizer.json`, as [`DialogTokenizer::open`] and transformers read it.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn save(&self, folder: &Path) -> Result<(), DataError> {
        let way_out = "name a folder that may be written to";
        std::fs::create_dir_all(folder).map_err(DataError::io(folder, way_out))?;
        let mut inner = self.inner.clone();
        inner.set_encode_special_tokens(false);
        let whole = inner.to_string(true).map_err(fault)?;
        atomic_file::write(&folder.join("tokenizer.json"), whole.as_bytes())?;
        Ok(())
    }

    /// The ids of a text, without special tokens.
    ///
    /// # Errors
    /// When the pipeline of a `tokenizer.json` of others lacks something.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, DataError> {
        if !self.in_words || !splits_as_library(text) {
            return Ok(self.inner.encode_fast(text, false).map_err(fault)?.get_ids().to_vec());
        }
        let memories = || self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = memories().pop().unwrap_or_default();
        let (model, mut ids) = (self.inner.get_model(), Vec::with_capacity(text.len() / 3));
        let cut =
            |word: &str| model.tokenize(word).map(|cut| cut.into_iter().map(|token| token.id));
        let done = words(text).try_for_each(|word| memory.push(word, &mut ids, cut));
        memories().push(memory);
        done.map(|()| ids).map_err(fault)
    }

    /// The text of ids. Special tokens give nothing, bytes that are no UTF-8 give U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut decoder = self.stream();
        let mut text: String = ids.iter().map(|&id| decoder.push(id)).collect();
        text.push_str(&decoder.finish());
        text
    }

    /// A decoder that gives text as ids come.
    pub fn stream(&self) -> StreamDecoder<'_> {
        StreamDecoder::new(&self.bytes)
    }

    /// The name of a token.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The number of ids.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The token behind a response, which says that it is complete.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The token behind each turn of a context; GPT-2's is the one behind responses.
    pub fn turn(&self) -> u32 {
        self.turn
    }

    /// A token that fills up short rows, if there is one.
    pub fn pad(&self) -> Option<u32> {
        self.pad
    }

    /// What the ids depend on.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl std::fmt::Debug for DialogTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (size, digest) = (self.size(), self.digest);
        f.debug_struct("DialogTokenizer").field("size", &size).field("digest", &digest).finish()
    }
}

/// An entry of `added_tokens` for a special token.
pub(super) fn added(id: u64, name: &str) -> Value {
    json!({
        "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    })
}

/// A `tokenizer.json` with a byte-pair model.
pub(super) fn whole_json(
    vocabulary: &Value,
    merges: &Value,
    added_tokens: &Value,
    pre_tokenizer: &Value,
    decoder: &Value,
) -> Value {
    let byte_fallback = pre_tokenizer["type"] != BYTE_LEVEL;
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added_tokens,
        "normalizer": null, "pre_tokenizer": pre_tokenizer, "post_processor": null,
        "decoder": decoder,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": byte_fallback,
            "ignore_merges": false, "vocab": vocabulary, "merges": merges,
        },
    })
}

/// How the library splits a text into words for a vocabulary that we make, each with the space
/// before it; nothing is lost. They are counted by [`words`], whose letters are a few more.
pub(super) fn split_of_words() -> Value {
    json!({
        "type": "Split", "pattern": { "Regex": r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s" },
        "behavior": "Isolated", "invert": false,
    })
}

/// The name of the token for a byte.
pub(super) fn byte_name(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// The bytes of a token of a vocabulary with tokens for bytes.
fn fallback_bytes(token: &str) -> Box<[u8]> {
    let digits = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match digits.filter(|digits| digits.len() == 2).map(|digits| u8::from_str_radix(digits, 16)) {
        Some(Ok(byte)) => [byte].into(),
        _ => token.as_bytes().into(),
    }
}

/// The bytes of a token of GPT-2's kind, in which a character stands for each byte: printable
/// ones for themselves, the others for those from U+0100 on, in order.
fn level_bytes(token: &str) -> Box<[u8]> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let hidden: Vec<u8> = (0..=255).filter(|&byte| !printable(byte)).collect();
    let byte = |c: char| match u8::try_from(u32::from(c)) {
        Ok(byte) => Some(byte).filter(|&byte| printable(byte)),
        Err(_) => hidden.get((u32::from(c) as usize).wrapping_sub(0x100)).copied(),
    };
    let bytes: Option<Vec<u8>> = token.chars().map(byte).collect();
    bytes.unwrap_or_else(|| token.as_bytes().to_vec()).into()
}

#[cfg(test)]
mod tests {
    use crate::dialog::{BpeSize, BpeTrainer};
    use crate::text::words::splits_as_library;
    use proptest::prelude::*;

    fn tokenizer() -> super::DialogTokenizer {
        let mut trainer = BpeTrainer::default();
        trainer.count("the café and the hat, 12 or 123 of them — they're “here”");
        trainer.count("the hat , and  the\tcat\u{a0}and ½ of the café's 12");
        trainer.tokenizer(BpeSize { tokens: 340, ..BpeSize::default() }).expect("a tokenizer")
    }

    /// The ids as the library alone gives them.
    fn library(tokenizer: &super::DialogTokenizer, text: &str) -> Vec<u32> {
        tokenizer.inner.encode_fast(text, false).expect("ids").get_ids().to_vec()
    }

    #[test]
    fn texts_are_cut_as_by_the_library() {
        let tokenizer = tokenizer();
        assert!(tokenizer.in_words, "the tokenizers that we make are known");
        let mut known = 0;
        for c in '\0'..='\u{ffff}' {
            let text = format!("the{c}hat {c} 12{c}{c} {c}12 ,{c}, {c}{c}the {c}");
            if splits_as_library(&text) {
                known += 1;
                assert_eq!(tokenizer.ids(&text).expect("ids"), library(&tokenizer, &text), "{c:?}");
            }
        }
        assert!(known > 700, "{known} characters");
        let cut = "the <end> of <0x41> <turn>";
        assert_eq!(tokenizer.ids(cut).expect("ids"), library(&tokenizer, cut));
    }

    proptest! {
        #[test]
        fn random_texts_are_cut_as_by_the_library(
            text in "([ -~\t\n]|[¡-ʯ]|[\u{2000}-\u{206f}]|the|hat|[a-z]{60}|\\PC){0,40}"
        ) {
            let tokenizer = tokenizer();
            prop_assert_eq!(tokenizer.ids(&text).expect("ids"), library(&tokenizer, &text));
            let again = tokenizer.ids(&text).expect("ids");
            prop_assert_eq!(again, library(&tokenizer, &text));
        }
    }
}
