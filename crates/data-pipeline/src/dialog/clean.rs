//! Texts of messages made comparable: white space, control characters, quotations.

use memchr::memmem;
use std::borrow::Cow;
use std::ops::Range;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text on one line: runs of white space become one space, control characters and those that are
/// never seen (zero-width spaces, soft hyphens) vanish, and letters are composed with their marks
/// (NFC of Unicode's Annex 15). Borrowed where it is so already.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if is_one_line(text) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = true;
        } else if !c.is_control() && !is_nothing(c) {
            if gap && !line.is_empty() {
                line.push(' ');
            }
            gap = false;
            line.push(c);
        }
    }
    match composed(&line) {
        Cow::Owned(composed) => Cow::Owned(composed),
        Cow::Borrowed(_) => Cow::Owned(line),
    }
}

/// Whether a character is never seen and changes nothing: a soft hyphen, a zero-width space, a word
/// joiner, a byte-order mark. The joiners U+200C and U+200D are not: Persian and emoji need them.
fn is_nothing(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// A text with letters and marks composed: `e` and an accent are one character, whatever program
/// wrote them. Borrowed where they are so already.
fn composed(text: &str) -> Cow<'_, str> {
    match text.is_ascii() || unicode_normalization::is_nfc(text) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.nfc().collect()),
    }
}

/// Whether [`one_line`] would change nothing. Nothing ends the loops early, so that many bytes are
/// looked at together.
fn is_one_line(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ([first, behind @ ..], Some(last)) = (bytes, bytes.last()) else { return true };
    let control = |found, &byte: &u8| found | (byte < b' ') | (byte == 0x7f);
    let gap = |found, (&a, &b): (&u8, &u8)| found | ((a == b' ') & (b == b' '));
    let at_end = *first == b' ' || *last == b' ';
    if at_end || bytes.iter().fold(false, control) || bytes.iter().zip(behind).fold(false, gap) {
        return false;
    }
    let odd = |c: char| !c.is_ascii() && (c.is_whitespace() || c.is_control() || is_nothing(c));
    text.is_ascii() || !text.contains(odd) && unicode_normalization::is_nfc(text)
}

/// The words of a text in lower case, without punctuation, one space between two: what texts are
/// compared by.
pub(super) fn words(text: &str) -> String {
    let mut words = Vec::new();
    add_words(text, &mut words);
    String::from_utf8(words).expect("whole characters")
}

/// What becomes of a character of ASCII in [`words`]: letters become small ones, apostrophes, which
/// part no words, nothing, the others a gap.
const ASCII: [u8; 128] = {
    let mut words = [b' '; 128];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            words[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    words[b'\'' as usize] = 0;
    words
};

/// Adds the [`words`] of a text to other bytes.
pub(crate) fn add_words(text: &str, to: &mut Vec<u8>) {
    let start = to.len();
    if text.is_ascii() {
        to.resize(start + text.len(), 0);
        let (mut end, mut last) = (start, b' ');
        for byte in text.bytes() {
            let word = ASCII[usize::from(byte & 0x7f)];
            to[end] = word;
            // Without a branch, which would be foretold wrongly at the end of each word.
            let adds = (word != 0) & ((word != b' ') | (last != b' '));
            end += usize::from(adds);
            last = if adds { word } else { last };
        }
        to.truncate(end - usize::from(end > start && last == b' '));
        return;
    }
    let text = composed(text);
    to.reserve(text.len());
    let (mut gap, mut utf8) = (false, [0; 4]);
    for c in text.chars() {
        // An apostrophe parts no words, with or without spaces around it.
        if c.is_alphanumeric() {
            if gap && to.len() > start {
                to.push(b' ');
            }
            gap = false;
            c.to_lowercase().for_each(|c| to.extend(c.encode_utf8(&mut utf8).bytes()));
        } else if !gap && to.len() > start && is_combining_mark(c) && !is_variation(c) {
            // Vowel signs and tones of many scripts are marks on the letter before.
            to.extend(c.encode_utf8(&mut utf8).bytes());
        } else if !matches!(c, '\'' | '’') {
            gap = true;
        }
    }
}

/// Whether a character says which picture the one before has.
fn is_variation(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// Words that a parent must have, for its copy without quotation marks to be taken out.
const LEAST_WORDS: usize = 4;

/// Bytes of a parent that a message is compared with, all together: a thousand quoted lines, or
/// places that look like its text and are not, of a parent of 64 KiB. What is still quoted then
/// makes a message too long for any pair.
const MOST_SEARCHED: usize = 1 << 26;

/// How often copies are taken out of what is left: one behind another is one round.
const ROUNDS: usize = 8;

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
        let within = format!(" {} ", words(parent));
        let mut searched = 0;
        let mut is_quote = |line: &&str| {
            let line = line.trim_start();
            let quoted = line.strip_prefix('>').or_else(|| line.strip_prefix("&gt;"));
            quoted.is_some_and(|quoted| {
                let quoted = words(quoted);
                if quoted.is_empty() {
                    return true;
                }
                searched += within.len();
                searched <= MOST_SEARCHED && within.contains(&format!(" {quoted} "))
            })
        };
        let lines: Vec<&str> = raw.lines().filter(|line| !is_quote(line)).collect();
        if lines.len() < raw.lines().count() {
            left = Cow::Owned(one_line(&lines.join("\n")).into_owned());
        }
    }
    let fits = parent.len() <= left.len();
    let parts = 1 + parent.bytes().filter(|&byte| byte == b' ').count();
    let bare = fits && parts >= LEAST_WORDS;
    let finder = memmem::Finder::new(parent);
    let mut copies = Copies { finder, parent, bare, searched: 0 };
    // What is left may hold a copy that was cut in two by another one.
    for _ in 0..if fits { ROUNDS } else { 0 } {
        let mut rest = String::new();
        let mut done = 0;
        while let Some(at) = copies.next(&left, done) {
            rest += &left[done..at.start];
            rest.push(' ');
            done = at.end;
        }
        if done == 0 {
            break;
        }
        rest += &left[done..];
        left = Cow::Owned(one_line(&rest).into_owned());
    }
    match &left {
        Cow::Owned(left) if !left.contains(char::is_alphanumeric) => Cow::Borrowed(text),
        _ => left,
    }
}

/// Quotation marks around a copy: those of English, German, French, the Nordic countries, Poland
/// and Japan, as they are published and as they are typed.
const MARKS: [(char, char); 19] = [
    ('"', '"'),
    ('\'', '\''),
    ('“', '”'),
    ('‘', '’'),
    ('„', '“'),
    ('„', '”'),
    ('„', '"'),
    ('‚', '‘'),
    ('‚', '’'),
    ('”', '”'),
    ('“', '„'),
    ('«', '»'),
    ('»', '«'),
    ('»', '»'),
    ('‹', '›'),
    ('›', '‹'),
    ('「', '」'),
    ('『', '』'),
    ('＂', '＂'),
];

/// Where a copy with its quotation marks stands in the part of a text that begins at `from`;
/// nothing if it has none. French has a space within its marks.
fn quoted(text: &str, from: usize, copy: Range<usize>) -> Option<Range<usize>> {
    let (mut start, mut end) = (copy.start, copy.end);
    let around = |start: usize, end: usize| {
        Some((text[from..start].chars().next_back()?, text[end..].chars().next()?))
    };
    let mut marks = around(start, end)?;
    if marks == (' ', ' ') {
        (start, end) = (start - 1, end + 1);
        marks = around(start, end).filter(|&spaced| matches!(spaced, ('«', '»') | ('‹', '›')))?;
        // Else it ends another quotation: »no« copy »no«.
        let opens = |before: char| before.is_whitespace() || matches!(before, '(' | '[');
        if !text[from..start - marks.0.len_utf8()].chars().next_back().is_none_or(opens) {
            return None;
        }
    }
    let (a, b) = MARKS.into_iter().find(|&known| known == marks)?;
    Some(start - a.len_utf8()..end + b.len_utf8())
}

/// Looks for copies of a parent's text.
struct Copies<'a> {
    finder: memmem::Finder<'a>,
    parent: &'a str,
    /// Whether those without quotation marks count.
    bare: bool,
    /// Bytes of the parent in places that were none.
    searched: usize,
}

impl Copies<'_> {
    /// Where the parent's text stands as a whole, its quotation marks included, in the part of the
    /// text that begins at `from`.
    fn next(&mut self, text: &str, from: usize) -> Option<Range<usize>> {
        let mut at = from;
        while let Some(found) = self.finder.find(&text.as_bytes()[at..]) {
            let (start, end) = (at + found, at + found + self.parent.len());
            let (before, after) =
                (text[from..start].chars().next_back(), text[end..].chars().next());
            if let Some(quoted) = quoted(text, from, start..end) {
                return Some(quoted);
            }
            let outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            if self.bare && outside(before) && outside(after) {
                return Some(start..end);
            }
            self.searched += self.parent.len();
            if self.searched > MOST_SEARCHED {
                return None;
            }
            at = start + self.parent.chars().next().map_or(1, char::len_utf8);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fast_ways_give_what_the_slow_ones_give(text in "[ -~\t\n\u{7f}]{0,80}") {
            // A character beyond ASCII, or white space at the end, takes the slow way.
            let slow = words(&format!("{text} é"));
            let fast = format!("{} é", words(&text));
            prop_assert_eq!(fast.trim_start(), slow);
            let slow = one_line(&format!("{text}\t")).into_owned();
            prop_assert_eq!(one_line(&text), slow);
        }
    }

    fn cleaned(text: &str, parent: &str) -> String {
        without_quotes(text, &one_line(text), &one_line(parent)).into_owned()
    }

    #[test]
    fn texts_stand_on_one_line() {
        assert_eq!(one_line("\u{feff} a\u{7}b \r\n\t c\u{2028}d "), "ab c d");
        assert_eq!(one_line(" \n "), "");
        // Reddit's editor writes U+200B for an empty line; Persian has U+200C within its words.
        assert_eq!(one_line("a\n\n\u{200b}\n\nb co\u{ad}op\u{2060}"), "a b coop");
        assert_eq!(one_line("\u{200b}"), "");
        let joined = "می\u{200c}روم 👩\u{200d}🚀";
        assert!(is_one_line(joined) && one_line(joined) == joined);
        for fine in ["", "a", "a b", "naïve — “yes”"] {
            assert!(is_one_line(fine) && one_line(fine) == fine, "{fine:?}");
        }
        for odd in [
            " ",
            " a",
            "a ",
            "a  b",
            "a\tb",
            "a\u{a0}b",
            "é\u{85}b",
            "\u{feff}a",
            "a\u{7f}",
            "a\u{200b}b",
        ] {
            assert!(!is_one_line(odd) && one_line(odd) != odd, "{odd:?}");
        }
        assert_eq!(words("I’m here, O.K.?  Étage 2"), "im here o k étage 2");
        assert_eq!(words("I'm here, O.K.?  (Floor 2)"), "im here o k floor 2");
        // One letter or two characters, and marks that no letter is composed with.
        assert_eq!(one_line("cafe\u{301}\n1"), "café 1");
        assert_eq!(words("Cafe\u{301} i\u{307}\u{323}x"), words("CAFÉ ị\u{307}x"));
        assert_eq!(words("न\u{94d}य (ไม\u{e49})"), "न\u{94d}य ไม\u{e49}");
        for nothing in ["", "...", "' '", "—", "\u{301}", "\u{2764}\u{fe0f}"] {
            assert_eq!(words(nothing), "", "{nothing:?}");
        }
    }

    /// Megabytes that somebody wrote to make this slow: each took minutes, copy by copy.
    #[test]
    fn megabytes_of_copies_take_no_longer_than_other_megabytes() {
        let parent = "What do you mean";
        let many = 200_000;
        assert_eq!(cleaned(&format!("{parent} ").repeat(many), parent).len(), 17 * many - 1);
        assert_eq!(cleaned(&format!("{}yes", format!("{parent} ").repeat(many)), parent), "yes");
        let nested = format!("{}{}", "What do ".repeat(many), "you mean ".repeat(many));
        assert!(cleaned(&nested, parent).len() > 3_000_000);
        let letters = |n| "a".repeat(n);
        assert_eq!(cleaned(&letters(2_000_000), &letters(100_000)).len(), 2_000_000);
        let long = "a word and ".repeat(many);
        let quoted = "> another text\n".repeat(many);
        assert!(cleaned(&quoted, &long).len() > 2_000_000);
    }

    #[test]
    fn copies_of_the_parent_are_taken_out() {
        let parent = "Have you seen the film?";
        assert_eq!(cleaned("> Have you seen the film?\n\nNot yet.", parent), "Not yet.");
        assert_eq!(cleaned("&gt; seen the film\nNot yet.", parent), "Not yet.");
        assert_eq!(cleaned("> another text\nNot yet.", parent), "> another text Not yet.");
        assert_eq!(cleaned("\"Have you seen the film?\" Not yet.", parent), "Not yet.");
        assert_eq!(cleaned("Have you seen the film? Not yet.", parent), "Not yet.");
        for (open, close) in MARKS {
            assert_eq!(cleaned(&format!("{open}yes{close} you say"), "yes"), "you say");
            assert_eq!(cleaned(&format!("{open}{parent}{close}\nNot yet."), parent), "Not yet.");
        }
        assert_eq!(cleaned("« yes », you say", "yes"), ", you say");
        assert_eq!(cleaned("‹\u{202f}yes\u{202f}› you say", "yes"), "you say");
        // Those of two other quotations.
        assert_eq!(cleaned("»no« yes »no«", "yes"), "»no« yes »no«");
        assert_eq!(cleaned("\"yes\" \"yes\" you say “yes”", "yes"), "you say");
        let twice = "Have you seen the film? Have you seen the film? Not yet.";
        assert_eq!(cleaned(twice, parent), "Not yet.");
        assert_eq!(cleaned("yes, I have", "yes"), "yes, I have");
        assert_eq!(cleaned("“yes” you say", "yes"), "you say");
        // Nothing is left: the copy stays, and the rule about repetition drops it.
        assert_eq!(cleaned(parent, parent), parent);
    }
}
