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
    /// The names of the tags, `O` first if it occurs, the others sorted.
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
    /// The tags in their order, such as those of the training sentences: any other is bad input.
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

impl TaggedSet {
    /// Reads a file with a word a line, cells between tabs, in lines without any between spaces,
    /// and a line without words behind each sentence. Passed over are lines that begin with
    /// `-DOCSTART-`, and comments: lines that begin with `# ` and have other columns than the word
    /// before them, or `=` for a third cell, or at the beginning of a sentence another tag than
    /// the words before it.
    ///
    /// # Errors
    /// When the file cannot be read, and for lines with too few columns or other tags as asked. A
    /// sentence with such a line is left out as a whole.
    pub fn read(
        path: &Path,
        columns: &TaggedColumns,
        on_bad: OnBadInput,
    ) -> Result<Self, DataError> {
        let mut tally = Tally::default();
        let mut lines = Lines::open(path, on_bad, 1 << 20)?;
        let mut found: Vec<(Vec<String>, Vec<String>)> = vec![];
        let (mut words, mut tags, mut spoilt) = (vec![], vec![], false);
        let (mut width, mut all_tags) = (None, BTreeSet::new());
        loop {
            let line = lines.next(&mut tally)?.map(str::to_owned);
            // A word may be a space of another kind.
            let text = line.as_deref().unwrap_or_default().trim_matches([' ', '\t', '\r']);
            if text.trim().is_empty() || text.starts_with("-DOCSTART-") {
                let sentence = (std::mem::take(&mut words), std::mem::take(&mut tags));
                if !std::mem::take(&mut spoilt) && !sentence.0.is_empty() {
                    found.push(sentence);
                }
                if line.is_none() {
                    break;
                }
                continue;
            }
            let between = if text.contains('\t') { '\t' } else { ' ' };
            let cells = text.split(between).map(|cell| cell.trim_matches(' '));
            let cells: Vec<&str> = cells.filter(|cell| !cell.is_empty()).collect();
            let tag = columns.tag.unwrap_or(cells.len() - 1);
            let is_seen = || cells.get(tag).is_some_and(|tag| all_tags.contains(*tag));
            let is_word = width == Some(cells.len())
                && cells.get(2) != Some(&"=")
                && (columns.untagged || !words.is_empty() || is_seen());
            if text.starts_with("# ") && !is_word {
                continue;
            }
            let has_tag = columns.untagged || (tag != columns.word && tag < cells.len());
            let known = |tag: &str| match &columns.tags {
                Some(tags) => tags.iter().any(|known| known == tag),
                None => true,
            };
            let fault = if columns.word >= cells.len() || !has_tag {
                format!("too few columns for a word and its tag: {}", cells.len())
            } else if !columns.untagged && !known(cells[tag]) {
                format!("no tag `{}` among the known ones", cells[tag])
            } else {
                width = Some(cells.len());
                if !columns.untagged && !all_tags.contains(cells[tag]) {
                    all_tags.insert(cells[tag].to_owned());
                }
                words.push(cells[columns.word].to_owned());
                tags.push(if columns.untagged { String::new() } else { cells[tag].to_owned() });
                continue;
            };
            let error = lines.fault(fault, "mend it, or let bad input be skipped");
            if !std::mem::replace(&mut spoilt, true) {
                bad(error, on_bad, &mut tally, "a sentence with a line that cannot be read")?;
            }
        }
        let names = match &columns.tags {
            Some(tags) => tags.clone(),
            None if columns.untagged => vec![],
            None => {
                let all: BTreeSet<&String> = found.iter().flat_map(|(_, tags)| tags).collect();
                let outside = all.iter().filter(|tag| **tag == "O").copied();
                let others = all.iter().filter(|tag| **tag != "O").copied();
                outside.chain(others).cloned().collect()
            }
        };
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
