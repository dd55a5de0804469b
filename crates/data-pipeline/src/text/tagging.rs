//! Words with tags, as CoNLL's files have them.

use super::read::{Lines, OnBadInput, Tally};
use super::sequence::Sequence;
use super::table::bad;
use super::tokenizer::Encoder;
use crate::error::DataError;
use std::collections::BTreeSet;
use std::path::Path;

/// A sentence with a tag for each word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaggedSentence {
    /// The words.
    pub words: Vec<String>,
    /// Positions in [`TaggedSet::tags`], one a word; none where the file has no tags.
    pub tags: Option<Vec<u32>>,
}

/// Sentences of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaggedSet {
    /// The sentences in the order of the file.
    pub sentences: Vec<TaggedSentence>,
    /// The names of the tags: [`TaggedColumns::tags`], then `O` if it occurs, the others sorted.
    pub tags: Vec<String>,
    /// The columns behind the words, where a file without tags has some.
    pub further: Option<FurtherColumns>,
    /// What was left out, by reason.
    pub tally: Tally,
}

/// Columns that are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FurtherColumns {
    /// How many there are in the first line that has some.
    pub count: usize,
    /// How they begin in that line, in at most 60 characters.
    pub example: String,
}

/// Where words and tags stand in a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaggedColumns {
    /// The column of words, from 0.
    pub word: usize,
    /// The column of tags; none for the last one of a line.
    pub tag: Option<usize>,
    /// Whether there are tags.
    pub untagged: bool,
    /// Tags that come first in this order, such as those of the training sentences; others that
    /// the file has follow.
    pub tags: Option<Vec<String>>,
}

/// A sentence in token ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaggedSequence {
    /// `[CLS]`, the pieces of the words, `[SEP]`.
    pub sequence: Sequence,
    /// The place of the first piece, which carries the tag, of each word that has room. Words
    /// behind the last one have none: predict `O` for them.
    pub places: Vec<u32>,
}

/// Bytes of a line at most.
const LONGEST: usize = 1 << 20;

/// A line without what stands around it; none if it has no word. A word may be a space of another
/// kind.
fn of_word(line: &str) -> Option<&str> {
    let text = line.trim_matches([' ', '\t', '\r']);
    (!text.trim().is_empty() && !text.starts_with("-DOCSTART-")).then_some(text)
}

/// What stands between tabs, or between spaces where there is no tab.
fn cells(text: &str) -> Vec<&str> {
    let between = if text.contains('\t') { '\t' } else { ' ' };
    let cells = text.split(between).map(|cell| cell.trim_matches(' '));
    cells.filter(|cell| !cell.is_empty()).collect()
}

/// What a line of CoNLL-U is that has a number and no word of its own, if it is such a line. The
/// numbers stand before the words: a range of them for a token whose words follow, one with a point
/// for what is left unsaid. Where the numbers are read for words, all lines count.
fn without_word(cells: &[&str], columns: &TaggedColumns) -> Option<&'static str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbers = |mark: char| {
        let pair = cells[0].split_once(mark);
        pair.is_some_and(|(first, second)| is_number(first) && is_number(second))
    };
    if columns.word == 0 || cells.len() != 10 {
        return None;
    }
    match (numbers('-'), numbers('.')) {
        (true, _) => Some("a multiword token of CoNLL-U, whose words follow"),
        (_, true) => Some("an empty node of CoNLL-U"),
        _ => None,
    }
}

/// Lines with their numbers, read at once: a pipe can be read only once.
fn numbered(
    path: &Path,
    on_bad: OnBadInput,
    tally: &mut Tally,
) -> Result<Vec<(u64, String)>, DataError> {
    let mut lines = Lines::open(path, on_bad, LONGEST)?;
    let mut all = Vec::new();
    while let Some(line) = lines.next(tally)? {
        let line = line.to_owned();
        all.push((lines.number, line));
    }
    Ok(all)
}

/// What is certain of a file: how many columns its first word has, and the tags of all words.
/// Lines that begin with `# ` may be comments and do not count.
fn outline(lines: &[(u64, String)], columns: &TaggedColumns) -> (Option<usize>, BTreeSet<String>) {
    let mut width = None;
    let mut tags: BTreeSet<String> = columns.tags.iter().flatten().cloned().collect();
    for (_, line) in lines {
        let Some(text) = of_word(line).filter(|text| !text.starts_with("# ")) else { continue };
        let cells = cells(text);
        if without_word(&cells, columns).is_some() {
            continue;
        }
        width.get_or_insert(cells.len());
        let tag = cells.get(columns.tag.unwrap_or(cells.len() - 1));
        if let Some(tag) = tag.filter(|tag| !columns.untagged && !tags.contains(**tag)) {
            tags.insert((*tag).to_owned());
        }
    }
    (width, tags)
}

const WORD_A_LINE: &str = "write a word a line, and a blank line behind each sentence";

impl TaggedSet {
    /// Reads a file with a word a line, cells between tabs, in lines without any between spaces,
    /// and a line without words behind each sentence. Passed over are lines that begin with
    /// `-DOCSTART-`, and comments: lines that begin with `# ` and have other columns than the word
    /// before them (the first word of the file, if none is before them), or `=` for a third cell,
    /// or at the beginning of a sentence a tag that is no word's. Where the words stand behind
    /// another column, multiword tokens (`1-2`) and empty nodes (`8.1`) of CoNLL-U are left out:
    /// lines of ten cells.
    ///
    /// # Errors
    /// When the file cannot be read, and for lines with too few columns as asked. A sentence with
    /// such a line is left out as a whole. So is all of a file without tags that seems to have a
    /// sentence a line: one with lines of unequally many columns and no blank line between them,
    /// or with further columns behind the only word of each sentence.
    pub fn read(
        path: &Path,
        columns: &TaggedColumns,
        on_bad: OnBadInput,
    ) -> Result<Self, DataError> {
        let mut tally = Tally::default();
        let lines = numbered(path, on_bad, &mut tally)?;
        let (mut width, mut known) = outline(&lines, columns);
        let fault = |line: u64, fault: String, way_out: &'static str| {
            let path = path.to_path_buf();
            DataError::Line { path, line, fault, way_out }
        };
        let mut found: Vec<(Vec<String>, Vec<String>)> = vec![];
        let (mut words, mut tags, mut spoilt) = (vec![], vec![], false);
        // Lines with words, those that cannot be read too: of this sentence, and of each.
        let (mut height, mut heights): (usize, Vec<usize>) = (0, vec![]);
        let (mut before, mut uneven): (Option<usize>, Option<DataError>) = (None, None);
        // How many words have further columns behind them, and the line of the first.
        let (mut followed, mut further): (usize, Option<(u64, FurtherColumns)>) = (0, None);
        for line in lines.iter().map(Some).chain([None]) {
            let word = line.and_then(|(number, line)| Some((*number, of_word(line)?)));
            let Some((number, text)) = word else {
                let sentence = (std::mem::take(&mut words), std::mem::take(&mut tags));
                if !std::mem::take(&mut spoilt) && !sentence.0.is_empty() {
                    found.push(sentence);
                }
                heights.extend(Some(std::mem::take(&mut height)).filter(|&height| height > 0));
                continue;
            };
            let cells = cells(text);
            if let Some(reason) = without_word(&cells, columns) {
                tally.skip(reason);
                continue;
            }
            let tag = columns.tag.unwrap_or(cells.len() - 1);
            let is_seen = || cells.get(tag).is_some_and(|tag| known.contains(*tag));
            let is_word = width == Some(cells.len())
                && cells.get(2) != Some(&"=")
                && (columns.untagged || !words.is_empty() || is_seen());
            if text.starts_with("# ") && !is_word {
                continue;
            }
            height += 1;
            let has_tag = columns.untagged || (tag != columns.word && tag < cells.len());
            if columns.word >= cells.len() || !has_tag {
                let wanted = if columns.untagged { "a word" } else { "a word and its tag" };
                let few = format!("too few columns for {wanted}: {}", cells.len());
                let error = fault(number, few, "mend it, or let bad input be skipped");
                if !std::mem::replace(&mut spoilt, true) {
                    bad(error, on_bad, &mut tally, "a sentence with a line that cannot be read")?;
                }
                continue;
            }
            width = Some(cells.len());
            if let Some(before) = before.replace(cells.len()).filter(|&n| n != cells.len()) {
                let other = || format!("{} columns, and {before} above", cells.len());
                uneven.get_or_insert_with(|| fault(number, other(), WORD_A_LINE));
            }
            let behind = &cells[columns.word + 1..];
            if columns.untagged && !behind.is_empty() {
                followed += 1;
                further.get_or_insert_with(|| (number, FurtherColumns::of(behind)));
            }
            words.push(cells[columns.word].to_owned());
            let tag = if columns.untagged { "" } else { cells[tag] };
            if !known.contains(tag) {
                known.insert(tag.to_owned());
            }
            tags.push(tag.to_owned());
        }
        let is_single = heights.iter().all(|&height| height == 1) && followed == found.len();
        let refused = match (uneven, &further) {
            (Some(error), _) if heights.len() == 1 => Some(error),
            (_, Some((line, further))) if is_single => {
                let alone = format!(
                    "of each sentence a single word would be read, in column {}, and not what \
                     stands behind it, `{}`",
                    columns.word + 1,
                    further.example
                );
                let way_out = "write a word a line, and a blank line behind each sentence; if each \
                               has a single word, leave out the further columns";
                Some(fault(*line, alone, way_out))
            }
            _ => None,
        };
        if let (true, false, Some(error)) = (columns.untagged, found.is_empty(), refused) {
            bad(error, on_bad, &mut tally, "a file with a sentence a line")?;
            found.clear();
            further = None;
        }
        let mut names = columns.tags.clone().unwrap_or_default();
        if !columns.untagged {
            let all: BTreeSet<&String> = found.iter().flat_map(|(_, tags)| tags).collect();
            let (outside, others): (Vec<&String>, Vec<&String>) =
                all.into_iter().partition(|tag| *tag == "O");
            let own = outside.into_iter().chain(others).filter(|tag| !names.contains(tag));
            let own: Vec<String> = own.cloned().collect();
            names.extend(own);
        }
        let number = |tag: &String| names.iter().position(|name| name == tag).unwrap_or(0) as u32;
        let sentence = |(words, tags): (Vec<String>, Vec<String>)| {
            let tags = (!columns.untagged).then(|| tags.iter().map(number).collect());
            TaggedSentence { words, tags }
        };
        let sentences = found.into_iter().map(sentence).collect();
        let further = further.map(|(_, further)| further);
        Ok(Self { sentences, tags: names, further, tally })
    }
}

impl FurtherColumns {
    /// What these cells are.
    fn of(cells: &[&str]) -> Self {
        const LONGEST: usize = 60;
        let all = cells.join(" ");
        let example = match all.chars().nth(LONGEST) {
            None => all,
            Some(_) => all.chars().take(LONGEST - 1).chain(['…']).collect(),
        };
        Self { count: cells.len(), example }
    }
}

impl TaggedSentence {
    /// The sentence in at most `longest` tokens. A word of which nothing is left after cleaning is
    /// `[UNK]`, so that each word has a place.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub fn sequence(
        &self,
        longest: usize,
        encoder: &mut Encoder<'_>,
    ) -> Result<TaggedSequence, DataError> {
        let specials = encoder.tokenizer().specials();
        let room = longest.saturating_sub(2);
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        for word in &self.words {
            let at = ids.len();
            if encoder.push(word, &mut ids)? == 0 {
                ids.push(specials.unk);
            }
            if at >= room {
                break;
            }
            places.push(at as u32 + 1);
        }
        ids.truncate(room);
        Ok(TaggedSequence { sequence: Sequence::new(&ids, &[], specials), places })
    }
}
