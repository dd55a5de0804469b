//! Words of a text, as vocabularies are counted by.

/// What a word is made of.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

/// The words of a text, each with the space before it: letters, numbers and other characters apart,
/// and any other white space for itself. Nothing is lost.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let class = |c: char| {
        if c.is_whitespace() {
            Class::Space
        } else if c.is_alphabetic() {
            Class::Letter
        } else if c.is_numeric() {
            Class::Number
        } else {
            Class::Other
        }
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let mut end = first.len_utf8();
        let behind = rest[end..].chars().next().map(class).filter(|&next| next != Class::Space);
        let of = match (class(first), behind) {
            (Class::Space, Some(next)) if first == ' ' => next,
            (Class::Space, _) => {
                let (word, left) = rest.split_at(end);
                rest = left;
                return Some(word);
            }
            (own, _) => own,
        };
        for c in rest[end..].chars() {
            if class(c) != of {
                break;
            }
            end += c.len_utf8();
        }
        let (word, left) = rest.split_at(end);
        rest = left;
        Some(word)
    })
}

/// Whether [`words`] gives what the crate `tokenizers` gives with the pattern of
/// [`BpeTrainer`](crate::dialog::BpeTrainer): in Latin up to U+02AF, general punctuation and
/// currency signs, whose characters are letters, numbers and spaces to both. Beyond, marks are
/// letters to one of them only, and which characters are known depends on versions.
pub(crate) fn splits_as_library(text: &str) -> bool {
    let same =
        |c: char| matches!(c, '\0'..='\u{2af}' | '\u{2000}'..='\u{206f}' | '\u{20a0}'..='\u{20bf}');
    text.is_ascii() || text.chars().all(same)
}
