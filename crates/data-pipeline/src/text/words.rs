//! Words of a text, as vocabularies are counted by.

/// What a word is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

/// The classes of the characters of ASCII.
const ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'\t'..=b'\r' | b' ' => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Number,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

fn class(c: char) -> Class {
    match ASCII.get(c as usize) {
        Some(&class) => class,
        None if c.is_whitespace() => Class::Space,
        None if c.is_alphabetic() => Class::Letter,
        None if c.is_numeric() => Class::Number,
        None => Class::Other,
    }
}

/// The words of a text, each with the space before it: letters, numbers and other characters apart,
/// and any other white space for itself. Nothing is lost.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_ascii_are_those_of_all_characters() {
        for c in '\0'..='\x7f' {
            let whole = (c.is_whitespace(), c.is_alphabetic(), c.is_numeric());
            let own = class(c);
            let parts = (own == Class::Space, own == Class::Letter, own == Class::Number);
            assert_eq!(parts, whole, "{c:?}");
        }
    }
}
