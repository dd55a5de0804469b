//! Words as BERT's basic tokenizer finds them, before any word pieces: what word replacement works
//! on.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The words of a text: control characters removed, lower-cased, accents stripped, split at white
/// space, before and after each punctuation mark and each CJK character.
///
/// Control characters are those of BERT's code, categories Cc and Cf; transformers' tokenizer also
/// removes unassigned and private ones.
///
/// ```
/// use augment::text::words::words;
/// assert_eq!(words("Où est-il, né?"), ["ou", "est", "-", "il", ",", "ne", "?"]);
/// ```
pub fn words(text: &str) -> Vec<String> {
    places(text).into_iter().map(|(word, _)| word).collect()
}

/// The same words, and the bytes of the text that each is made of: how it is spelled there.
///
/// ```
/// use augment::text::words::places;
/// let text = "Où est-il?";
/// let found: Vec<(String, &str)> =
///     places(text).into_iter().map(|(word, place)| (word, &text[place])).collect();
/// assert_eq!(found[0], ("ou".to_owned(), "Où"));
/// assert_eq!(found[3], ("il".to_owned(), "il"));
/// ```
pub fn places(text: &str) -> Vec<(String, Range<usize>)> {
    let mut words = Vec::new();
    let mut chunk = Chunk::default();
    for (at, c) in text.char_indices() {
        if is_space(c) {
            chunk.end(&mut words);
        } else if c == '\u{0}' || c == '\u{fffd}' || is_control(c) {
        } else if c.is_whitespace() {
            chunk.end(&mut words);
        } else if is_cjk(c) {
            chunk.end(&mut words);
            chunk.push(c, at);
            chunk.end(&mut words);
        } else {
            chunk.push(c, at);
        }
    }
    chunk.end(&mut words);
    words
}

/// Characters between white space.
#[derive(Default)]
struct Chunk {
    text: String,
    /// Where each character stands, and how many lower-case ones it becomes.
    characters: Vec<(Range<usize>, usize)>,
}

impl Chunk {
    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        let lower = if c.is_ascii() { 1 } else { c.to_lowercase().count() };
        self.characters.push((at..at + c.len_utf8(), lower));
    }

    /// Adds its words, and empties it.
    fn end(&mut self, words: &mut Vec<(String, Range<usize>)>) {
        if self.characters.is_empty() {
            return;
        }
        // As a whole: how a sigma is written depends on what stands around it.
        let lower = self.text.to_lowercase();
        let mut letters = lower.chars();
        let (mut word, mut place) = (String::new(), 0..0);
        for (range, count) in &self.characters {
            for letter in letters.by_ref().take(*count).nfd() {
                if letter.general_category() == GeneralCategory::NonspacingMark {
                    // It belongs to the letter before it.
                    if !word.is_empty() {
                        place.end = range.end;
                    }
                } else if is_punctuation(letter) {
                    if !word.is_empty() {
                        words.push((std::mem::take(&mut word), place.clone()));
                    }
                    words.push((letter.into(), range.clone()));
                } else {
                    if word.is_empty() {
                        place.start = range.start;
                    }
                    place.end = range.end;
                    word.push(letter);
                }
            }
        }
        if !word.is_empty() {
            words.push((word, place));
        }
        self.text.clear();
        self.characters.clear();
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r') || c.general_category() == GeneralCategory::SpaceSeparator
}

fn is_control(c: char) -> bool {
    matches!(c.general_category(), GeneralCategory::Control | GeneralCategory::Format)
}

/// Unicode's punctuation, and all of ASCII that is neither letter, digit, space nor control.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || c.general_category_group() == GeneralCategoryGroup::Punctuation
}

fn is_cjk(c: char) -> bool {
    matches!(c as u32, 0x4e00..=0x9fff | 0x3400..=0x4dbf | 0x20000..=0x2a6df | 0x2a700..=0x2b73f
        | 0x2b740..=0x2b81f | 0x2b820..=0x2ceaf | 0xf900..=0xfaff | 0x2f800..=0x2fa1f)
}
