//! Paragraphs into sentences short enough for a translator.
//!
//! UDA's code splits by NLTK's trained punkt model, which cannot be shipped. [`UNICODE`] ends
//! sentences where Unicode's rules (UAX 29) say so, except after common English abbreviations and
//! initials; any other [`Splitter`] may be used instead. Sentences that are still long are cut
//! exactly as in UDA's code ([`cut_long`]).

use unicode_segmentation::UnicodeSegmentation;

/// From so many characters on a sentence is cut.
pub const LONG: usize = 300;

/// A way of splitting. Caches store its name, so a splitter that gives other sentences needs
/// another name.
#[derive(Clone, Copy, Debug)]
pub struct Splitter {
    /// What it is.
    pub name: &'static str,
    /// The sentences of a paragraph, of any length.
    pub split: fn(&str) -> Vec<String>,
}

impl Splitter {
    /// What is translated of a paragraph: its sentences, the long ones cut, each a line without
    /// line breaks, trimmed and not empty.
    pub fn lines(&self, paragraph: &str) -> Vec<String> {
        let pieces = cut_long((self.split)(paragraph));
        pieces.iter().map(|piece| one_line(piece)).filter(|line| !line.is_empty()).collect()
    }
}

/// By [`sentences`].
pub const UNICODE: Splitter = Splitter { name: "unicode-1", split: sentences };

/// Words that end in a full stop within a sentence. Those that as often end one (`etc.`, `no.`) are
/// left out.
const ABBREVIATIONS: [&str; 26] = [
    "mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "sr.", "jr.", "vs.", "e.g.", "i.e.", "inc.",
    "ltd.", "co.", "corp.", "fig.", "al.", "gen.", "sgt.", "capt.", "lt.", "col.", "rev.", "hon.",
    "mt.", "dept.",
];

/// The sentences of a paragraph, trimmed, none empty. Line breaks are spaces: they end no sentence.
///
/// ```
/// use augment::text::sentences::sentences;
/// assert_eq!(
///     sentences("Mr. Smith left. Why?  It\nrained."),
///     ["Mr. Smith left.", "Why?", "It rained."]
/// );
/// ```
pub fn sentences(paragraph: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = String::new();
    for piece in one_line(paragraph).split_sentence_bounds() {
        open.push_str(piece);
        let last = open.split_whitespace().next_back().unwrap_or_default();
        if !goes_on(last) {
            found.push(std::mem::take(&mut open));
        }
    }
    found.push(open);
    found.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a sentence does not end with this word though it ends with a full stop.
fn goes_on(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut letters = word.chars();
    let initial = letters.next().is_some_and(char::is_uppercase) && letters.as_str() == ".";
    // `I.` ends sentences more often than it abbreviates.
    (initial && word != "I.") || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// Cuts pieces of [`LONG`] characters or more, pass by pass: after full stops, semicolons, commas,
/// spaces, anywhere. A pass leaves shorter pieces alone, and the first one that finds no long piece
/// is the last. Nothing is lost or added.
pub fn cut_long(mut pieces: Vec<String>) -> Vec<String> {
    for delimiter in [Some('.'), Some(';'), Some(','), Some(' '), None] {
        if pieces.iter().all(|piece| piece.chars().count() < LONG) {
            break;
        }
        pieces = pieces
            .into_iter()
            .flat_map(|piece| {
                if piece.chars().count() < LONG { vec![piece] } else { cut(&piece, delimiter) }
            })
            .collect();
    }
    pieces
}

/// Cuts after the first delimiter at least 5 (space and none: 100) characters into each piece.
fn cut(piece: &str, delimiter: Option<char>) -> Vec<String> {
    let letters: Vec<char> = piece.chars().collect();
    let offset = if matches!(delimiter, None | Some(' ')) { 100 } else { 5 };
    let (mut pieces, mut start) = (Vec::new(), 0);
    while start < letters.len() {
        let from = (start + offset).min(letters.len());
        let end = match delimiter {
            Some(delimiter) => {
                letters[from..].iter().position(|&c| c == delimiter).map(|i| from + i)
            }
            None => Some(from),
        };
        let end = end.map_or(letters.len(), |end| (end + 1).min(letters.len()));
        pieces.push(letters[start..end].iter().collect());
        start = end;
    }
    pieces
}
