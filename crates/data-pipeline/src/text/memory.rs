//! The tokens of words that came up before.

use crate::digest::Digest;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Tokens of words, by which texts of one tokenizer are cut faster. What it holds never changes a
/// result.
#[derive(Debug, Default)]
pub struct Memory {
    /// The tokenizer whose words they are.
    of: Option<Digest>,
    /// Where the tokens of each word lie in `tokens`: short words by their bytes themselves,
    /// which are found without a look elsewhere, and long ones.
    short: HashMap<u128, (u32, u32), RandomState>,
    long: HashMap<Box<str>, (u32, u32), RandomState>,
    tokens: Vec<u32>,
    /// Room in which a word is prepared.
    pub(super) word: String,
}

/// So many words are remembered; then it starts afresh.
const MOST_WORDS: usize = 1 << 17;
/// Longer words are not remembered, in bytes.
const LONGEST_WORD: usize = 48;

impl Memory {
    /// This one if it is of this tokenizer, or an empty one.
    pub(crate) fn of(self, tokenizer: Digest) -> Self {
        if self.of == Some(tokenizer) {
            return self;
        }
        Self { of: Some(tokenizer), ..Self::default() }
    }

    /// Adds the tokens of a word to `ids`: those that are known, or what `cut` gives.
    pub(crate) fn push<E, C: IntoIterator<Item = u32>>(
        &mut self,
        word: &str,
        ids: &mut Vec<u32>,
        cut: impl FnOnce(&str) -> Result<C, E>,
    ) -> Result<(), E> {
        let key = short(word);
        let known = key.map_or_else(|| self.long.get(word), |key| self.short.get(&key));
        if let Some(&(start, end)) = known {
            ids.extend_from_slice(&self.tokens[start as usize..end as usize]);
            return Ok(());
        }
        let start = ids.len();
        ids.extend(cut(word)?);
        if word.len() <= LONGEST_WORD {
            if self.short.len() + self.long.len() >= MOST_WORDS {
                self.short.clear();
                self.long.clear();
                self.tokens.clear();
            }
            let first = self.tokens.len() as u32;
            self.tokens.extend_from_slice(&ids[start..]);
            let place = (first, self.tokens.len() as u32);
            match key {
                Some(key) => self.short.insert(key, place),
                None => self.long.insert(word.into(), place),
            };
        }
        Ok(())
    }
}

/// The bytes of a word of up to 15 of them, and their number.
fn short(word: &str) -> Option<u128> {
    let mut key = [0; 16];
    key.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
    (word.len() < 16).then(|| u128::from_le_bytes(key) | (word.len() as u128) << 120)
}
