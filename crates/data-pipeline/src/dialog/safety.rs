//! Which messages are offensive, by a list of words or by whatever else judges texts.

use super::clean;
use crate::error::DataError;
use aho_corasick::AhoCorasick;
use std::path::Path;

/// Says which texts are offensive.
///
/// ```
/// use data_pipeline::dialog::{Safety, SafetyWords};
/// use data_pipeline::error::DataError;
/// /// What a list finds, and whatever shouts.
/// struct Calm(SafetyWords);
/// impl Safety for Calm {
///     fn are_unsafe(&self, texts: &[&str]) -> Result<Vec<bool>, DataError> {
///         let shouts = |text: &str| text.chars().all(|c| !c.is_lowercase());
///         Ok(texts.iter().map(|text| self.0.is_unsafe(text) || shouts(text)).collect())
///     }
/// }
/// let found = Calm(SafetyWords::shipped()).are_unsafe(&["WHAT?", "What?"])?;
/// assert_eq!(found, [true, false]);
/// # Ok::<(), DataError>(())
/// ```
pub trait Safety: Sync {
    /// Whether each of some texts is offensive. Texts come many at a time, as networks like them,
    /// and on several threads; how they are put together must not change what is said of one.
    ///
    /// # Errors
    /// When it cannot judge them: no message passes unjudged.
    fn are_unsafe(&self, texts: &[&str]) -> Result<Vec<bool>, DataError>;
}

impl Safety for SafetyWords {
    fn are_unsafe(&self, texts: &[&str]) -> Result<Vec<bool>, DataError> {
        let mut words = Vec::new();
        Ok(texts.iter().map(|text| self.holds(text, &mut words)).collect())
    }
}

/// Words, and phrases of several words, each of which makes a message offensive.
///
/// Words are compared as a whole, whatever their case and the punctuation around them: a text that
/// has *class* in it holds no *ass*. An entry in writing without spaces (Chinese characters, kana,
/// Thai, Lao, Khmer, Burmese) is found within other words too: nothing says where a word ends. A
/// list knows no context. The one that comes along is small and
/// was written for this crate (`offensive-words.txt`): slurs, sexual and abusive words of English
/// that are offensive nearly wherever they stand. Meena's authors used a classifier of their own.
///
/// ```
/// use data_pipeline::dialog::SafetyWords;
/// let words = SafetyWords::from_text("# a comment\nidiot\nshut up\n");
/// assert!(words.is_unsafe("You IDIOT!") && words.is_unsafe("Oh, shut -- up."));
/// assert!(!words.is_unsafe("an idiotic idea") && !words.is_unsafe("shut it up"));
/// assert!(!SafetyWords::shipped().is_unsafe("What a lovely day it is in Scunthorpe."));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SafetyWords {
    /// Finds each word or phrase in lower case, with a space around it where its writing has
    /// spaces; nothing of no words.
    finder: Option<AhoCorasick>,
    /// Whether any of them is not ASCII.
    beyond_ascii: bool,
}

impl SafetyWords {
    /// The list that comes along.
    pub fn shipped() -> Self {
        Self::from_text(include_str!("offensive-words.txt"))
    }

    /// Reads the list from a text with a word or phrase a line; `#` begins a comment.
    pub fn from_text(text: &str) -> Self {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let phrases: Vec<String> =
            lines.map(clean::words).filter(|phrase| !phrase.is_empty()).collect();
        let patterns = phrases.iter().map(|phrase| match phrase.contains(is_unspaced) {
            true => phrase.clone(),
            false => format!(" {phrase} "),
        });
        let finder = AhoCorasick::new(patterns).expect("a list of fewer than 2^31 bytes");
        let beyond_ascii = !phrases.iter().all(|phrase| phrase.is_ascii());
        Self { finder: (!phrases.is_empty()).then_some(finder), beyond_ascii }
    }

    /// Whether all of them are ASCII, so that they end where writing without spaces begins.
    pub fn is_ascii(&self) -> bool {
        !self.beyond_ascii
    }

    /// Reads the list from a file with a word or phrase a line, as [`from_text`](Self::from_text).
    ///
    /// # Errors
    /// When it cannot be read, is no UTF-8, or holds no word.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let way_out = "name a text file with a word a line";
        let bytes = std::fs::read(path).map_err(DataError::io(path, way_out))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            DataError::format(path, error.valid_up_to() as u64, "no UTF-8 text")
        })?;
        let words = Self::from_text(text.trim_start_matches('\u{feff}'));
        if words.finder.is_none() {
            return Err(DataError::format(path, 0, "no word in it"));
        }
        Ok(words)
    }

    /// Whether a text holds one of them.
    pub fn is_unsafe(&self, text: &str) -> bool {
        self.holds(text, &mut Vec::new())
    }

    /// Whether a text holds one of them; `words` is room for the words of the text.
    fn holds(&self, text: &str, words: &mut Vec<u8>) -> bool {
        let Some(finder) = &self.finder else { return false };
        words.clear();
        words.push(b' ');
        clean::add_words(text, words);
        words.push(b' ');
        finder.is_match(&*words)
    }
}

/// Whether a letter is of a writing that has no spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' | '\u{a9e0}'..='\u{a9ff}' | '\u{aa60}'..='\u{aa7f}' // Burmese
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' // kana
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' // Han
        | '\u{ff66}'..='\u{ff9f}' | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3347f}')
}

#[cfg(test)]
mod tests {
    use super::SafetyWords;

    #[test]
    fn words_are_found_in_writing_without_spaces() {
        let words = SafetyWords::from_text("傻逼\nバカ\nไอ้บ้า\nidiot\ncafe\u{301}\n");
        for text in ["你真是个傻逼！", "お前はバカだ", "นี่มันไอ้บ้าจริงๆ", "You idiot.", "un café"]
        {
            assert!(words.is_unsafe(text), "{text}");
        }
        for text in ["你真是个好人！", "お前はカバだ", "นี่มันบ้านไอ", "idiotic", "cafés"]
        {
            assert!(!words.is_unsafe(text), "{text}");
        }
    }
}
