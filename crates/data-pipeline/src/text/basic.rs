//! BERT's basic words, the units that word pieces are cut from, as the crate `tokenizers` finds
//! them.

use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
};

/// Splits texts into words.
///
/// Between spaces, tabs and line ends nothing influences anything else. So printable ASCII, most of
/// English text, is lower-cased and split at punctuation here, without memory of its own, and the
/// rest goes through the library piece by piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basic(pub(super) BertNormalizer);

impl Basic {
    /// Calls `each` with every word of a text in order. `word` is scratch memory.
    pub(super) fn words(&self, text: &str, word: &mut String, mut each: impl FnMut(&str)) {
        for chunk in text.split([' ', '\t', '\n', '\r']).filter(|chunk| !chunk.is_empty()) {
            if chunk.bytes().all(|byte| byte.is_ascii_graphic()) {
                self.ascii(chunk, word, &mut each);
            } else {
                self.any(chunk, &mut each);
            }
        }
    }

    fn ascii(&self, chunk: &str, word: &mut String, each: &mut impl FnMut(&str)) {
        word.clear();
        word.push_str(chunk);
        if self.0.lowercase {
            word.make_ascii_lowercase();
        }
        let mut start = 0;
        for (at, byte) in word.bytes().enumerate() {
            if byte.is_ascii_punctuation() {
                if start < at {
                    each(&word[start..at]);
                }
                each(&word[at..at + 1]);
                start = at + 1;
            }
        }
        if start < word.len() {
            each(&word[start..]);
        }
    }

    fn any(&self, chunk: &str, each: &mut impl FnMut(&str)) {
        let mut normalized = NormalizedString::from(chunk);
        // Neither step can fail: both return an error type that only other steps use.
        if self.0.normalize(&mut normalized).is_err() {
            return;
        }
        let mut words = PreTokenizedString::from(normalized);
        if BertPreTokenizer.pre_tokenize(&mut words).is_err() {
            return;
        }
        for (word, ..) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            if !word.is_empty() {
                each(word);
            }
        }
    }
}
