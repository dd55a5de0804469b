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
    /// What was left out, by reason.
    pub tally: Tally,
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

/// What is certain of a file: how many columns its first word has, and the tags of all words.
/// Lines that begin with `# ` may be comments and do not count.
fn outline(
    path: &Path,
    columns: &TaggedColumns,
) -> Result<(Option<usize>, BTreeSet<String>), DataError> {
    let mut lines = Lines::open(path, OnBadInput::Skip, LONGEST)?;
    let (mut tally, mut width) = (Tally::default(), None);
    let mut tags: BTreeSet<String> = columns.tags.iter().flatten().cloned().collect();
    while let Some(line) = lines.next(&mut tally)? {
        let Some(text) = of_word(line).filter(|text| !text.starts_with("# ")) else { continue };
        let cells = cells(text);
        width.get_or_insert(cells.len());
        let tag = cells.get(columns.tag.unwrap_or(cells.len() - 1));
        if let Some(tag) = tag.filter(|tag| !columns.untagged && !tags.contains(**tag)) {
            tags.insert((*tag).to_owned());
        }
    }
    Ok((width, tags))
}

impl TaggedSet {
    /// Reads a file with a word a line, cells between tabs, in lines without any between spaces,
    /// and a line without words behind each sentence. Passed over are lines that begin with
    /// `-DOCSTART-`, and comments: lines that begin with `# ` and have other columns than the word
    /// before them (the first word of the file, if none is before them), or `=` for a third cell,
    /// or at the beginning of a sentence a tag that is no word's.
    ///
    /// # Errors
    /// When the file cannot be read, and for lines with too few columns as asked. A sentence with
    /// such a line is left out as a whole. So is all of a file without tags that has no blank line
    /// between words and lines of unequally many columns: it has a sentence a line.
    pub fn read(
        path: &Path,
        columns: &TaggedColumns,
        on_bad: OnBadInput,
    ) -> Result<Self, DataError> {
        let mut tally = Tally::default();
        let mut lines = Lines::open(path, on_bad, LONGEST)?;
        let mut found: Vec<(Vec<String>, Vec<String>)> = vec![];
        let (mut words, mut tags, mut spoilt) = (vec![], vec![], false);
        let (mut width, all_tags) = outline(path, columns)?;
        let (mut before, mut uneven) = (None, None);
        loop {
            let line = lines.next(&mut tally)?.map(str::to_owned);
            let Some(text) = line.as_deref().and_then(of_word) else {
                let sentence = (std::mem::take(&mut words), std::mem::take(&mut tags));
                if !std::mem::take(&mut spoilt) && !sentence.0.is_empty() {
                    found.push(sentence);
                }
                if line.is_none() {
                    break;
                }
                continue;
            };
            let cells = cells(text);
            let tag = columns.tag.unwrap_or(cells.len() - 1);
            let is_seen = || cells.get(tag).is_some_and(|tag| all_tags.contains(*tag));
            let is_word = width == Some(cells.len())
                && cells.get(2) != Some(&"=")
                && (columns.untagged || !words.is_empty() || is_seen());
            if text.starts_with("# ") && !is_word {
                continue;
            }
            let has_tag = columns.untagged || (tag != columns.word && tag < cells.len());
            if columns.word >= cells.len() || !has_tag {
                let wanted = if columns.untagged { "a word" } else { "a word and its tag" };
                let fault = format!("too few columns for {wanted}: {}", cells.len());
                let error = lines.fault(fault, "mend it, or let bad input be skipped");
                if !std::mem::replace(&mut spoilt, true) {
                    bad(error, on_bad, &mut tally, "a sentence with a line that cannot be read")?;
                }
                continue;
            }
            width = Some(cells.len());
            if let Some(before) = before.replace(cells.len()).filter(|&n| n != cells.len()) {
                let fault = || format!("{} columns, and {before} above", cells.len());
                let way_out = "write a word a line, and a blank line behind each sentence";
                uneven.get_or_insert_with(|| lines.fault(fault(), way_out));
            }
            words.push(cells[columns.word].to_owned());
            tags.push(if columns.untagged { String::new() } else { cells[tag].to_owned() });
        }
        if let (true, [_], Some(error)) = (columns.untagged, &found[..], uneven) {
            bad(error, on_bad, &mut tally, "a file with a sentence a line")?;
            found.clear();
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
        Ok(Self { sentences, tags: names, tally })
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
