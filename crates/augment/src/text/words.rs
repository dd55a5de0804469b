//! Words as BERT's basic tokenizer finds them, before any word pieces: what word replacement works
//! on.

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
    let mut words = Vec::new();
    for chunk in spaced(text).split_whitespace() {
        let lower = chunk.to_lowercase();
        let mut word = String::new();
        for letter in
            lower.nfd().filter(|c| c.general_category() != GeneralCategory::NonspacingMark)
        {
            if is_punctuation(letter) {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                words.push(letter.into());
            } else {
                word.push(letter);
            }
        }
        words.extend((!word.is_empty()).then_some(word));
    }
    words
}

/// Without control characters, with plain spaces, also around CJK characters.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_space(c) {
            out.push(' ');
        } else if c == '\u{0}' || c == '\u{fffd}' || is_control(c) {
        } else if is_cjk(c) {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out
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
