//! Paragraphs into sentences that a translator bears.
//!
//! UDA's code splits by NLTK's trained punkt model, which cannot be shipped; here sentences end where Unicode's rules (UAX 29) say so, except
//! after common English abbreviations and initials. What is still long is cut exactly as there.

use unicode_segmentation::UnicodeSegmentation;

/// From so many characters on a sentence is cut.
pub const LONG: usize = 300;

const ABBREVIATIONS: [&str; 28] = [
    "mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "sr.", "jr.", "vs.", "etc.", "e.g.", "i.e.",
    "no.", "inc.", "ltd.", "co.", "corp.", "fig.", "al.", "gen.", "sgt.", "capt.", "lt.", "col.",
    "rev.", "hon.", "mt.", "dept.",
];

/// The sentences of a paragraph, trimmed, none empty, none of [`LONG`] characters or more.
///
/// ```
/// use augment::text::sentences::sentences;
/// assert_eq!(sentences("Mr. Smith left. Why?  Nobody knows."), ["Mr. Smith left.", "Why?", "Nobody knows."]);
/// ```
pub fn sentences(paragraph: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = String::new();
    for piece in paragraph.split_sentence_bounds() {
        open.push_str(piece);
        let last = open.split_whitespace().next_back().unwrap_or_default();
        if !open.is_empty() && !goes_on(last) {
            found.push(std::mem::take(&mut open));
        }
    }
    found.push(open);
    let whole = found.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).map(str::to_owned);
    cut_long(whole.collect())
}

/// Whether a sentence does not end with this word though it ends with a full stop.
fn goes_on(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut letters = word.chars();
    let initial = letters.next().is_some_and(char::is_uppercase) && letters.as_str() == ".";
    // `I.` ends sentences more often than it abbreviates.
    (initial && word != "I.") || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// Cuts pieces of [`LONG`] characters or more, pass by pass: after full stops, semicolons, commas, spaces, anywhere.
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
