//! Texts to token ids and back.

use super::basic::Basic;
use super::memory::Memory;
use crate::dialog::DialogTokenizer;
use crate::digest::Digest;
use crate::error::DataError;
use std::sync::OnceLock;
use tokenizers::{Model, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper};

/// The ids of the tokens that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specials {
    /// `[PAD]`, which fills up short rows.
    pub pad: u32,
    /// `[UNK]`, in place of a word without pieces.
    pub unk: u32,
    /// `[CLS]`, the first token of a sequence.
    pub cls: u32,
    /// `[SEP]`, behind each segment.
    pub sep: u32,
    /// `[MASK]`, in place of a token to be guessed.
    pub mask: u32,
}

impl Specials {
    /// Whether an id is `[CLS]`, `[SEP]`, `[MASK]` or `[PAD]`. `[UNK]` stands for text.
    pub fn is_special(&self, id: u32) -> bool {
        id == self.cls || id == self.sep || id == self.mask || id == self.pad
    }
}

/// A token of a text, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The token.
    pub id: u32,
    /// The first character of the text that it covers, counted in characters.
    pub start: u32,
    /// The character behind the last one.
    pub end: u32,
}

/// A tokenizer of the BERT kind, by the crate `tokenizers`: text is cleaned, lower-cased if the
/// vocabulary is, split into words, and each word is cut into the longest pieces of the vocabulary.
///
/// Text is text: `[MASK]` in a review becomes the tokens `[`, `mask`, `]`, as in Google's code.
/// [`Tokenizer::ids_with_specials`] reads it as the special token, as transformers does by default.
/// Special tokens without such a role, as `<user>`, are found in texts if the files add them.
///
/// ```
/// use data_pipeline::text::{Casing, Tokenizer};
/// let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ngood\nfilm\n##s\n.\n[\nmask\n]\n";
/// let tokenizer = Tokenizer::from_vocabulary(vocabulary, Casing::default())?;
/// assert_eq!(tokenizer.ids("A good film, films.")?, [5, 6, 7, 1, 7, 8, 9]);
/// assert_eq!(tokenizer.ids("[MASK]")?, [10, 11, 12]);
/// assert_eq!(tokenizer.ids_with_specials("[MASK]")?, [4]);
/// assert!(tokenizer.check_fits(12).is_err());
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// A copy that reads the names of special tokens as these tokens.
    knowing: OnceLock<Box<tokenizers::Tokenizer>>,
    /// How words are found, where that can be done without the library.
    basic: Option<Basic>,
    specials: Specials,
    size: usize,
    /// What the files say of the longest sequence.
    pub(super) longest: Option<usize>,
    /// Whether the files say that texts that are too long lose their beginning.
    pub(super) cuts_start: bool,
    digest: Digest,
}

/// What fails in a tokenizer names no file, since texts come from anywhere.
fn fault(error: impl std::fmt::Display) -> DataError {
    DataError::Request(format!("the tokenizer failed: {error} (check its files)"))
}

impl Tokenizer {
    /// A tokenizer of a pipeline of `tokenizers` and the special tokens in it. `from` names it in
    /// messages.
    pub(super) fn new(
        mut inner: tokenizers::Tokenizer,
        names: [&str; 5],
        from: &str,
    ) -> Result<Self, DataError> {
        // Some published files say that batches are padded and texts cut.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(fault)?;
        inner.set_encode_special_tokens(true);
        let id = |name: &str| {
            inner.token_to_id(name).ok_or_else(|| {
                if DialogTokenizer::has_specials(&inner) {
                    return DataError::Request(format!(
                        "{from}: a tokenizer of dialogues, which has no `{name}`: open it by \
                         `DialogTokenizer::open`"
                    ));
                }
                DataError::Request(format!(
                    "{from}: no token `{name}` in the vocabulary (a vocabulary of the BERT kind \
                     has [PAD], [UNK], [CLS], [SEP] and [MASK]; other names stand in \
                     tokenizer_config.json)"
                ))
            })
        };
        let [pad, unk, cls, sep, mask] = names;
        let specials = Specials {
            pad: id(pad)?,
            unk: id(unk)?,
            cls: id(cls)?,
            sep: id(sep)?,
            mask: id(mask)?,
        };
        let mut tokens: Vec<(u32, String)> =
            inner.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        tokens.sort_unstable();
        let size = tokens.last().map_or(0, |(id, _)| *id as usize + 1);
        let mut text = serde_json::to_string(&inner.get_normalizer()).map_err(fault)?;
        for (id, token) in &tokens {
            text.push_str(&format!("\n{id} {token}"));
        }
        let added = inner.get_added_tokens_decoder().into_iter();
        let mut found: Vec<_> = added.filter(|(_, token)| !token.special).collect();
        found.sort_unstable_by_key(|(id, _)| *id);
        for (_, token) in found {
            text.push_str(&format!("\n{}", serde_json::to_string(&token).map_err(fault)?));
        }
        let basic = Self::basic_of(&inner);
        let digest = Digest::of(text.as_bytes());
        let (knowing, longest, cuts_start) = (OnceLock::new(), None, false);
        Ok(Self { inner, knowing, basic, specials, size, longest, cuts_start, digest })
    }

    /// How words are found where the pipeline is BERT's and no added token stands for text.
    fn basic_of(inner: &tokenizers::Tokenizer) -> Option<Basic> {
        let bert = matches!(inner.get_model(), ModelWrapper::WordPiece(_))
            && matches!(inner.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)));
        let plain = inner.get_added_tokens_decoder().values().all(|token| token.special);
        match inner.get_normalizer() {
            Some(NormalizerWrapper::BertNormalizer(normalizer)) if bert && plain => {
                Some(Basic(*normalizer))
            }
            _ => None,
        }
    }

    /// The token ids of a text, without special tokens.
    ///
    /// # Errors
    /// When the pipeline of the file lacks something; not for any text with a `vocab.txt`.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let mut ids = Vec::new();
        Encoder::new(self).push(text, &mut ids)?;
        Ok(ids)
    }

    /// As [`Tokenizer::ids`], but `[MASK]` and the like in the text are the special tokens. For
    /// prompts that we write, never for texts of others. It adds none: `[CLS]` and `[SEP]` come
    /// around a text by [`Sequence::new`](super::Sequence::new).
    ///
    /// ```
    /// use data_pipeline::text::{Casing, Sequence, Tokenizer};
    /// let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nfilm\n";
    /// let tokenizer = Tokenizer::from_vocabulary(vocabulary, Casing::default())?;
    /// let ids = tokenizer.ids_with_specials("a [MASK] film")?;
    /// assert_eq!(ids, [5, 4, 6]);
    /// assert_eq!(Sequence::new(&ids, &[], tokenizer.specials()).ids, [2, 5, 4, 6, 3]);
    /// # Ok::<(), data_pipeline::error::DataError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Tokenizer::ids`].
    pub fn ids_with_specials(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let knowing = self.knowing.get_or_init(|| {
            let mut knowing = self.inner.clone();
            knowing.set_encode_special_tokens(false);
            Box::new(knowing)
        });
        Ok(knowing.encode_fast(text, false).map_err(fault)?.get_ids().to_vec())
    }

    /// The tokens of a text with the characters that each covers.
    ///
    /// # Errors
    /// As [`Tokenizer::ids`].
    pub fn pieces(&self, text: &str) -> Result<Vec<Piece>, DataError> {
        let encoded = self.inner.encode_char_offsets(text, false).map_err(fault)?;
        let places = encoded.get_ids().iter().zip(encoded.get_offsets());
        let piece =
            |(&id, &(start, end)): (&u32, _)| Piece { id, start: start as u32, end: end as u32 };
        Ok(places.map(piece).collect())
    }

    /// The token ids of many texts, worked out on all processors; the result does not depend on
    /// their number.
    ///
    /// # Errors
    /// As [`Tokenizer::ids`].
    pub fn batch(&self, texts: &[impl AsRef<str> + Sync]) -> Result<Vec<Vec<u32>>, DataError> {
        const AT_ONCE: usize = 64;
        let parts = crate::parallel::map(texts.len().div_ceil(AT_ONCE), |part| {
            let texts = &texts[part * AT_ONCE..texts.len().min((part + 1) * AT_ONCE)];
            let mut encoder = Encoder::new(self);
            let ids = |text: &_| {
                let mut ids = Vec::new();
                encoder.push(AsRef::<str>::as_ref(text), &mut ids).map(|_| ids)
            };
            texts.iter().map(ids).collect::<Result<Vec<_>, _>>()
        });
        Ok(parts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The text of token ids, without special tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::ids`].
    pub fn text(&self, ids: &[u32]) -> Result<String, DataError> {
        self.inner.decode(ids, true).map_err(fault)
    }

    /// The token of an id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The special tokens.
    pub fn specials(&self) -> Specials {
        self.specials
    }

    /// The number of ids: the largest one and 1.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many tokens a sequence has at most by `model_max_length` (in older files `max_len`) in
    /// `tokenizer_config.json`, the special ones included; none where that names no number, or one
    /// that stands for none.
    pub fn longest(&self) -> Option<usize> {
        self.longest
    }

    /// Whether a text that is too long loses its beginning instead of its end: by
    /// `truncation_side` in `tokenizer_config.json`, or else the direction of truncation in
    /// `tokenizer.json`.
    pub fn cuts_start(&self) -> bool {
        self.cuts_start
    }

    /// A digest of the vocabulary and of how text is cleaned: two tokenizers with the same digest
    /// give the same ids.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Checks that a model with `rows` rows of word embeddings was made for this vocabulary. Models
    /// may have up to 127 rows more, since some round them up to a multiple.
    ///
    /// # Errors
    /// When they do not fit, with both numbers.
    pub fn check_fits(&self, rows: usize) -> Result<(), DataError> {
        if self.size <= rows && rows - self.size < 128 {
            return Ok(());
        }
        Err(DataError::Request(format!(
            "the vocabulary has {} tokens, the model {rows} rows of word embeddings: they do not \
             belong together (take the vocab.txt or tokenizer.json from the model's own folder)",
            self.size
        )))
    }

    pub(super) fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
    }
}

/// Encodes text after text, and remembers the pieces of words. Each thread has its own; what it
/// remembers never changes a result.
#[derive(Debug)]
pub struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    memory: Memory,
}

impl<'a> Encoder<'a> {
    /// An encoder that remembers nothing yet.
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self::with(tokenizer, Memory::default())
    }

    /// An encoder with the memory of an earlier one ([`Encoder::into_memory`]). That of another
    /// tokenizer is forgotten.
    pub fn with(tokenizer: &'a Tokenizer, memory: Memory) -> Self {
        Self { tokenizer, memory: memory.of(tokenizer.digest) }
    }

    /// What it remembers, for a later one.
    pub fn into_memory(self) -> Memory {
        self.memory
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &'a Tokenizer {
        self.tokenizer
    }

    /// Adds the token ids of a text to `ids` and gives their number.
    ///
    /// # Errors
    /// As [`Tokenizer::ids`]; `ids` then holds a part of them.
    pub fn push(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<usize, DataError> {
        let before = ids.len();
        let Some(basic) = self.tokenizer.basic else {
            let encoded = self.tokenizer.inner.encode_fast(text, false).map_err(fault)?;
            ids.extend_from_slice(encoded.get_ids());
            return Ok(ids.len() - before);
        };
        let model = self.tokenizer.inner.get_model();
        let mut word = std::mem::take(&mut self.memory.word);
        let mut failed = None;
        basic.words(text, &mut word, |word| {
            let cut = |word: &str| {
                model.tokenize(word).map(|tokens| tokens.into_iter().map(|token| token.id))
            };
            if let Err(error) = self.memory.push(word, ids, cut) {
                failed = failed.take().or(Some(error));
            }
        });
        self.memory.word = word;
        match failed {
            Some(error) => Err(fault(error)),
            None => Ok(ids.len() - before),
        }
    }
}
