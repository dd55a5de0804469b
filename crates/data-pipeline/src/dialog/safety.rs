//! Which messages are offensive, by a list of words or by whatever else judges texts.

use super::clean;
use crate::error::DataError;
use aho_corasick::AhoCorasick;
use std::borrow::Cow;
use std::path::Path;
use unicode_normalization::UnicodeNormalization;

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
/// has *class* in it holds no *ass*. Characters that are not seen, asterisks and low lines within a
/// word, and letters that only look otherwise (full-width ones) hide none. An entry in writing
/// without spaces (Chinese characters, kana, Thai, Lao, Khmer, Burmese) is found within other words
/// too: nothing says where a word ends. A list knows no context. The one that comes along is small
/// and was written for this crate (`offensive-words.txt`): slurs, sexual and abusive words of
/// English that are offensive nearly wherever they stand. Meena's authors used a classifier of
/// their own.
///
/// ```
/// use data_pipeline::dialog::SafetyWords;
/// let words = SafetyWords::from_text("# a comment\nidiot\nshut up\n");
/// assert!(words.is_unsafe("You IDIOT!") && words.is_unsafe("Oh, shut -- up."));
/// assert!(words.is_unsafe("an id\u{200b}iot") && words.is_unsafe("ｉｄｉｏｔ, *id*iot"));
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
            lines.map(|line| clean::words(&plain(line))).filter(|line| !line.is_empty()).collect();
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
        let text = plain(text);
        let mut found = |text: &str| {
            words.clear();
            words.push(b' ');
            clean::add_words(text, words);
            words.push(b' ');
            finder.is_match(&*words)
        };
        found(&text) || without_marks(&text).is_some_and(|text| found(&text))
    }

    /// Whether a list of ASCII words reads this character as ASCII that belongs to a word, or
    /// passes over it: a word may go on behind it.
    ///
    /// ```
    /// use data_pipeline::dialog::SafetyWords;
    /// assert!("a*ｆﬁ\u{200b}\u{ad}".chars().all(SafetyWords::reads_as_ascii));
    /// assert!(!" é來".chars().any(SafetyWords::reads_as_ascii));
    /// ```
    pub fn reads_as_ascii(c: char) -> bool {
        let is_of_word = |c: char| c.is_ascii() && !c.is_whitespace();
        is_of_word(c) || is_hidden(c) || is_joiner(c) || std::iter::once(c).nfkc().all(is_of_word)
    }
}

/// A text as a reader sees its words: compatibility characters as those that they stand for (NFKC
/// of Unicode's Annex 15), without what is not seen.
fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut seen = String::with_capacity(text.len());
    for c in text.nfkc() {
        // Within Persian words a joiner parts what is compared; within Latin ones it only hides.
        let hides = is_joiner(c) && seen.ends_with(|c: char| c.is_ascii_alphanumeric());
        if !is_hidden(c) && !hides {
            seen.push(c);
        }
    }
    Cow::Owned(seen)
}

/// Whether a character is not seen, without the joiners.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Whether it says that the letters beside it are joined, or are not.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// A text without the asterisks and low lines that stand within its words, as those of Markdown do;
/// nothing if there is none.
fn without_marks(text: &str) -> Option<String> {
    if !text.contains(['*', '_']) {
        return None;
    }
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['*', '_']) {
        let (before, marked) = rest.split_at(at);
        left.push_str(before);
        rest = marked.trim_start_matches(['*', '_']);
        let within =
            left.ends_with(char::is_alphanumeric) && rest.starts_with(char::is_alphanumeric);
        left.push_str(if within { "" } else { " " });
    }
    left.push_str(rest);
    Some(left)
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
    fn words_are_found_however_they_are_hidden() {
        let words = SafetyWords::from_text("idiot\nshut up\nバカ\nابله\n");
        for text in [
            "You id\u{200b}iot",
            "id\u{ad}iot!",
            "id\u{200d}i\u{2060}ot",
            "ｉｄｉｏｔ",
            "𝐢𝐝𝐢𝐨𝐭",
            "*id*iot",
            "an i_d_i_o_t",
            "**shut** up",
            "sh\u{200b}ut\u{a0}up",
            "ﾊﾞｶ",
            "ابله\u{200c}ها",
        ] {
            assert!(words.is_unsafe(text), "{text:?}");
        }
        for text in ["idio*", "an_idea", "i d i o t", "idiotic*", "2*3_4", "می\u{200c}روم"] {
            assert!(!words.is_unsafe(text), "{text:?}");
        }
    }

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
