//! Formats in which turns follow each other: DailyDialog, Meena's transcripts, blocks of lines.

use super::reading::Reading;
use crate::error::DataError;
use crate::text::read::Lines;
use std::path::Path;

/// What stands between utterances.
const END_OF_UTTERANCE: &str = "__eou__";

/// DailyDialog: a dialogue a line, of a table its first column.
pub(super) fn daily_dialog(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    let mut lines = Lines::open(file, reading.options.on_bad, reading.options.longest)?;
    while let Some(line) = lines.next(reading.tally)? {
        let text = line.split('\t').next().unwrap_or_default();
        let utterances: Vec<String> = text
            .split(END_OF_UTTERANCE)
            .map(|utterance| joined(utterance.trim()))
            .filter(|utterance| !utterance.is_empty())
            .collect();
        let turns = utterances.into_iter().enumerate();
        let turns = turns.map(|(i, text)| (["A", "B"][i % 2].to_owned(), text));
        reading.chain(&format!("{:06}", lines.number), turns)?;
    }
    Ok(())
}

/// A text whose words and punctuation marks stand apart, written as usual: `I don ’ t know .`
/// becomes `I don’t know.`
fn joined(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    // Whether the next word goes directly behind the one before.
    let mut sticks = false;
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let closes = matches!(word, "." | "," | "?" | "!" | ";" | ":" | "%" | ")" | "..." | "n't");
        let mark = matches!(word, "’" | "'");
        let short = |next: &&str| {
            matches!(next.to_lowercase().as_str(), "s" | "t" | "m" | "d" | "re" | "ve" | "ll")
        };
        // An apostrophe within a word has letters on both sides.
        let within = mark && words.peek().is_some_and(short);
        let bound = word.len() > 1
            && ["’", "'"]
                .iter()
                .any(|mark| word.strip_prefix(mark).is_some_and(|rest| short(&rest)));
        if !joined.is_empty() && !sticks && !closes && !within && !bound {
            joined.push(' ');
        }
        joined.push_str(word);
        sticks = within || matches!(word, "(" | "$");
    }
    joined
}

/// Meena's transcripts: a heading, then `Speaker: text` a line.
pub(super) fn transcripts(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    let mut lines = Lines::open(file, reading.options.on_bad, reading.options.longest)?;
    let mut heading = String::new();
    let mut turns: Vec<(String, String)> = Vec::new();
    while let Some(line) = lines.next(reading.tally)? {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = heading_of(line) {
            let before = std::mem::replace(&mut heading, name);
            if !turns.is_empty() {
                reading.chain(&before, std::mem::take(&mut turns).into_iter())?;
            }
            continue;
        }
        let turn = line.split_once(':').filter(|(speaker, _)| speaker.len() <= 40);
        match turn {
            Some((speaker, text)) if !heading.is_empty() => {
                turns.push((speaker.trim().to_owned(), text.trim().to_owned()));
            }
            // A turn may go on in the next line; a lone quotation mark is no text.
            None if !turns.is_empty() => {
                let text = &mut turns.last_mut().expect("there are turns").1;
                if line.contains(char::is_alphanumeric) {
                    text.push(' ');
                    text.push_str(line);
                }
            }
            _ => {
                let fault = "neither a heading such as `Meena Conversation 1` nor a turn below one";
                let error = lines.fault(fault, "name a file of transcripts, or another format");
                reading.bad("a line outside of conversations", error)?;
            }
        }
    }
    if turns.is_empty() {
        return Ok(());
    }
    reading.chain(&heading, turns.into_iter())
}

/// `Meena/000012` of `Meena Conversation 12`: zeros before the number, so that they sort.
fn heading_of(line: &str) -> Option<String> {
    let (name, number) = line.split_once(" Conversation ")?;
    let number: u32 = number.parse().ok()?;
    (!name.contains(':')).then(|| format!("{name}/{number:06}"))
}

/// Blocks: a turn a line, a blank line between dialogues. Turns alternate between two authors.
pub(super) fn blocks(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    let mut lines = Lines::open(file, reading.options.on_bad, reading.options.longest)?;
    let mut turns: Vec<(String, String)> = Vec::new();
    let mut number = 0;
    let mut end = |turns: &mut Vec<(String, String)>, reading: &mut Reading<'_>| {
        if turns.is_empty() {
            return Ok(());
        }
        number += 1;
        reading.chain(&format!("{number:08}"), std::mem::take(turns).into_iter())
    };
    while let Some(line) = lines.next(reading.tally)? {
        if line.trim().is_empty() {
            end(&mut turns, reading)?;
        } else {
            turns.push((["A", "B"][turns.len() % 2].to_owned(), line.trim().to_owned()));
        }
    }
    end(&mut turns, reading)
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn words_that_stand_apart_are_joined() {
        for (apart, together) in [
            ("The kitchen stinks .", "The kitchen stinks."),
            ("Now he ’ s out , isn ’ t he ?", "Now he’s out, isn’t he?"),
            ("I ’ Ve tried ; it's $ 5 ( five ) .", "I’Ve tried; it's $5 (five)."),
            ("we don't , I 'm sure", "we don't, I'm sure"),
            ("the boys ’ room", "the boys ’ room"),
            ("", ""),
        ] {
            assert_eq!(joined(apart), together);
        }
    }
}
