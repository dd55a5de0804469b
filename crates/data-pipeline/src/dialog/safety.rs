//! A list of words that offensive messages hold.

use super::clean;
use crate::error::DataError;
use std::collections::HashSet;
use std::path::Path;

/// Words, and phrases of several words, each of which makes a message offensive.
///
/// Words are compared as a whole, whatever their case and the punctuation around them: a text that
/// has *class* in it holds no *ass*. A list knows no context. The one that comes along is small and
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
    /// Words in lower case; phrases with one space between words.
    phrases: HashSet<String>,
    /// Words of the longest phrase.
    longest: usize,
}

impl SafetyWords {
    /// The list that comes along.
    pub fn shipped() -> Self {
        Self::from_text(include_str!("offensive-words.txt"))
    }

    /// Of a text with a word or phrase a line; `#` begins a comment.
    pub fn from_text(text: &str) -> Self {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let phrases: HashSet<String> =
            lines.map(clean::words).filter(|phrase| !phrase.is_empty()).collect();
        let longest = phrases.iter().map(|phrase| phrase.split(' ').count()).max().unwrap_or(0);
        Self { phrases, longest }
    }

    /// Of a file like that.
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
        if words.phrases.is_empty() {
            return Err(DataError::format(path, 0, "no word in it"));
        }
        Ok(words)
    }

    /// Whether a text holds one of them.
    pub fn is_unsafe(&self, text: &str) -> bool {
        let words = clean::words(text);
        let words: Vec<&str> = words.split(' ').collect();
        (1..=self.longest).any(|n| {
            words.windows(n).any(|phrase| match phrase {
                [word] => self.phrases.contains(*word),
                words => self.phrases.contains(&words.join(" ")),
            })
        })
    }
}
