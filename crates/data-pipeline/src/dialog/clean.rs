//! Texts of messages made comparable: white space, control characters, quotations.

use memchr::memmem;
use std::borrow::Cow;

/// A text on one line: runs of white space become one space, control characters vanish. Borrowed
/// where it is so already.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    if is_one_line(text) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = true;
        } else if !c.is_control() && c != '\u{feff}' {
            if gap && !line.is_empty() {
                line.push(' ');
            }
            gap = false;
            line.push(c);
        }
    }
    Cow::Owned(line)
}

/// Whether [`one_line`] would change nothing.
fn is_one_line(text: &str) -> bool {
    let mut after_space = true;
    let plain = text.bytes().all(|byte| {
        let fine = if byte == b' ' { !after_space } else { byte > b' ' && byte != 0x7f };
        after_space = byte == b' ';
        fine
    });
    let odd = |c: char| !c.is_ascii() && (c.is_whitespace() || c.is_control() || c == '\u{feff}');
    let ended = text.is_empty() || !after_space;
    plain && ended && (text.is_ascii() || !text.contains(odd))
}

/// The words of a text in lower case, without punctuation, one space between two: what texts are
/// compared by.
pub(super) fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        // An apostrophe parts no words, with or without spaces around it.
        if c.is_alphanumeric() {
            if gap && !words.is_empty() {
                words.push(' ');
            }
            gap = false;
            match c.is_ascii() {
                true => words.push(c.to_ascii_lowercase()),
                false => words.extend(c.to_lowercase()),
            }
        } else if !matches!(c, '\'' | '’') {
            gap = true;
        }
    }
    words
}

/// Words that a parent must have, for its copy without quotation marks to be taken out.
const LEAST_WORDS: usize = 4;

/// A message without the copies of its parent's text that it quotes, on one line:
///
/// - lines that begin with `>` or `&gt;` and go on with a part of the parent's text,
/// - the whole text of the parent, in quotation marks or, from four words on, without.
///
/// What is nothing but a copy stays as it is. Borrowed where there was nothing to take out.
pub(super) fn without_quotes<'a>(raw: &str, text: &'a str, parent: &str) -> Cow<'a, str> {
    if parent.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut left = Cow::Borrowed(text);
    if raw.contains('\n') || raw.starts_with(['>', '&']) {
        let within = words(parent);
        let is_quote = |line: &&str| {
            let line = line.trim_start();
            let quoted = line.strip_prefix('>').or_else(|| line.strip_prefix("&gt;"));
            quoted.is_some_and(|quoted| {
                let quoted = words(quoted);
                format!(" {within} ").contains(&format!(" {quoted} ")) || quoted.is_empty()
            })
        };
        if raw.lines().any(|line| is_quote(&line)) {
            let lines: Vec<&str> = raw.lines().filter(|line| !is_quote(line)).collect();
            left = Cow::Owned(one_line(&lines.join("\n")).into_owned());
        }
    }
    let bare = parent.bytes().filter(|&byte| byte == b' ').count() + 1 >= LEAST_WORDS;
    while let Some(at) = place(&left, parent, bare) {
        let (before, after) = (&left[..at.start], &left[at.end..]);
        left = Cow::Owned(one_line(&format!("{before} {after}")).into_owned());
    }
    match &left {
        Cow::Owned(left) if !left.contains(char::is_alphanumeric) => Cow::Borrowed(text),
        _ => left,
    }
}

/// Where the parent's text stands as a whole, its quotation marks included.
fn place(text: &str, parent: &str, bare: bool) -> Option<std::ops::Range<usize>> {
    const MARKS: [(char, char); 4] = [('"', '"'), ('“', '”'), ('«', '»'), ('\'', '\'')];
    let mut from = 0;
    while let Some(at) = memmem::find(&text.as_bytes()[from..], parent.as_bytes()) {
        let (start, end) = (from + at, from + at + parent.len());
        let (before, after) = (text[..start].chars().next_back(), text[end..].chars().next());
        if let (Some(a), Some(b)) = (before, after)
            && MARKS.contains(&(a, b))
        {
            return Some(start - a.len_utf8()..end + b.len_utf8());
        }
        let outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        if bare && outside(before) && outside(after) {
            return Some(start..end);
        }
        from = start + parent.chars().next().map_or(1, char::len_utf8);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str, parent: &str) -> String {
        without_quotes(text, &one_line(text), &one_line(parent)).into_owned()
    }

    #[test]
    fn texts_stand_on_one_line() {
        assert_eq!(one_line("\u{feff} a\u{7}b \r\n\t c\u{2028}d "), "ab c d");
        assert_eq!(one_line(" \n "), "");
        for fine in ["", "a", "a b", "naïve — “yes”"] {
            assert!(is_one_line(fine) && one_line(fine) == fine, "{fine:?}");
        }
        for odd in [" ", " a", "a ", "a  b", "a\tb", "a\u{a0}b", "é\u{85}b", "\u{feff}a", "a\u{7f}"]
        {
            assert!(!is_one_line(odd) && one_line(odd) != odd, "{odd:?}");
        }
        assert_eq!(words("I’m here, O.K.?  Étage 2"), "im here o k étage 2");
    }

    #[test]
    fn copies_of_the_parent_are_taken_out() {
        let parent = "Have you seen the film?";
        assert_eq!(cleaned("> Have you seen the film?\n\nNot yet.", parent), "Not yet.");
        assert_eq!(cleaned("&gt; seen the film\nNot yet.", parent), "Not yet.");
        assert_eq!(cleaned("> another text\nNot yet.", parent), "> another text Not yet.");
        assert_eq!(cleaned("\"Have you seen the film?\" Not yet.", parent), "Not yet.");
        assert_eq!(cleaned("Have you seen the film? Not yet.", parent), "Not yet.");
        assert_eq!(cleaned("yes, I have", "yes"), "yes, I have");
        assert_eq!(cleaned("“yes” you say", "yes"), "you say");
        // Nothing is left: the copy stays, and the rule about repetition drops it.
        assert_eq!(cleaned(parent, parent), parent);
    }
}
