//! Words and pairs of words as features of texts, weighted by TF-IDF.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use serde::{Deserialize, Serialize};

use crate::parallel;

/// Which terms of some texts are features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TermOptions {
    /// Words of a term at most: with 2, words and pairs of words that follow each other.
    pub words: usize,
    /// In how many texts a term must be.
    pub texts: u32,
}

impl Default for TermOptions {
    fn default() -> Self {
        Self { words: 2, texts: 1 }
    }
}

/// The terms that were found in some texts, and how much each weighs.
///
/// A word is two or more letters, digits or underscores in a row, in lower case. For scripts with
/// spaces between words, terms, weights and rows are those of scikit-learn's
/// `TfidfVectorizer(sublinear_tf=True)` with `ngram_range=(1, words)` and `min_df=texts`; vowel
/// signs of Indic scripts belong to their words here, and not there. A Han, Hiragana or Katakana
/// character is a word of its own, as there are no spaces; Thai, Lao and Khmer are not cut into
/// words.
///
/// ```
/// use data_pipeline::text::{TermOptions, Terms};
/// let terms = Terms::of(&["a good film", "a bad film"], TermOptions::default());
/// assert_eq!(terms.names(), ["bad", "bad film", "film", "good", "good film"]);
/// let row = terms.row("Good, good!");
/// assert_eq!(row, [(3, 1.0)]);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Terms {
    words: usize,
    names: Vec<String>,
    /// The inverse document frequency of each.
    idf: Vec<f32>,
    places: HashMap<String, u32>,
}

/// What is kept of them in a file.
#[derive(Serialize, Deserialize)]
struct Stored {
    words: usize,
    names: Vec<String>,
    idf: Vec<f32>,
}

impl TryFrom<Stored> for Terms {
    type Error = String;

    fn try_from(Stored { words, names, idf }: Stored) -> Result<Self, String> {
        let places: HashMap<String, u32> =
            names.iter().enumerate().map(|(i, name)| (name.clone(), i as u32)).collect();
        if idf.len() != names.len() || places.len() != names.len() {
            return Err(format!(
                "{} terms, {} of them distinct, have {} weights",
                names.len(),
                places.len(),
                idf.len()
            ));
        }
        Ok(Self { words, names, idf, places })
    }
}

impl From<Terms> for Stored {
    fn from(Terms { words, names, idf, .. }: Terms) -> Self {
        Self { words, names, idf }
    }
}

/// Texts that are counted at once, each part in a map of its own.
const PART: usize = 2_000;

/// A hash that is the same in every process.
type Fixed = BuildHasherDefault<DefaultHasher>;

impl Terms {
    /// The terms of texts, in alphabetical order. Counts terms by 8-byte hashes, and keeps the
    /// names of those alone that are in enough texts.
    pub fn of<T: AsRef<str> + Sync>(texts: &[T], options: TermOptions) -> Self {
        let hasher = Fixed::default();
        let parts: Vec<&[T]> = texts.chunks(PART).collect();
        // Terms are counted by their hashes, as most are in too few texts and go.
        let counts = parallel::map(parts.len(), |i| {
            let mut counts: HashMap<u64, u32> = HashMap::new();
            for text in parts[i] {
                let mut found: Vec<u64> = Vec::new();
                each_term(text.as_ref(), options.words, |term| found.push(hasher.hash_one(term)));
                found.sort_unstable();
                found.dedup();
                found.into_iter().for_each(|term| *counts.entry(term).or_default() += 1);
            }
            counts
        });
        let mut all: HashMap<u64, u32> = HashMap::new();
        for (term, count) in counts.into_iter().flatten() {
            *all.entry(term).or_default() += count;
        }
        all.retain(|_, count| *count >= options.texts);
        let named = parallel::map(parts.len(), |i| {
            let mut named: BTreeMap<String, u32> = BTreeMap::new();
            for text in parts[i] {
                each_term(text.as_ref(), options.words, |term| {
                    if let Some(count) = all.get(&hasher.hash_one(term))
                        && !named.contains_key(term)
                    {
                        named.insert(term.to_owned(), *count);
                    }
                });
            }
            named
        });
        let named: BTreeMap<String, u32> = named.into_iter().flatten().collect();
        let n = texts.len() as f64;
        let idf = |count: &u32| (((1.0 + n) / (1.0 + f64::from(*count))).ln() + 1.0) as f32;
        let idf = named.values().map(idf).collect();
        let names: Vec<String> = named.into_keys().collect();
        let places = names.iter().cloned().zip(0..).collect();
        Self { words: options.words, names, idf, places }
    }

    /// Keeps the `most` terms that are in most texts; of those in equally many, the first by name.
    #[must_use]
    pub fn keep(self, most: usize) -> Self {
        if self.names.len() <= most {
            return self;
        }
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        // The order is stable, and a term in more texts has a smaller weight.
        order.sort_by(|&a, &b| self.idf[a].total_cmp(&self.idf[b]));
        order.truncate(most);
        order.sort_unstable();
        let names: Vec<String> = order.iter().map(|&i| self.names[i].clone()).collect();
        let places = names.iter().cloned().zip(0..).collect();
        Self { idf: order.iter().map(|&i| self.idf[i]).collect(), words: self.words, names, places }
    }

    /// The terms, by column.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The terms of a text that are known: columns in rising order and weights, of Euclidean length
    /// 1; empty for a text that has none. A term that occurs n times has the weight (1 + ln n) ·
    /// (ln((1 + texts) / (1 + texts with the term)) + 1), before rows have their length.
    pub fn row(&self, text: &str) -> Vec<(u32, f32)> {
        let mut found: Vec<u32> = Vec::new();
        each_term(text, self.words, |term| found.extend(self.places.get(term)));
        found.sort_unstable();
        let weigh = |same: &[u32]| {
            let (count, idf) = (same.len() as f64, f64::from(self.idf[same[0] as usize]));
            (same[0], (1.0 + count.ln()) * idf)
        };
        let row: Vec<(u32, f64)> = found.chunk_by(|a, b| a == b).map(weigh).collect();
        let length = row.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        row.into_iter().map(|(term, weight)| (term, (weight / length) as f32)).collect()
    }

    /// The rows of texts, made on all processors.
    pub fn rows<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Vec<Vec<(u32, f32)>> {
        parallel::map(texts.len(), |i| self.row(texts[i].as_ref()))
    }
}

/// Calls `each` with every term of a text.
fn each_term(text: &str, most: usize, mut each: impl FnMut(&str)) {
    let lower = text.to_lowercase();
    let words = words(&lower);
    let mut term = String::new();
    for (i, word) in words.iter().enumerate() {
        term.clear();
        term.push_str(word);
        each(&term);
        for next in words.iter().skip(i + 1).take(most.saturating_sub(1)) {
            term.push(' ');
            term.push_str(next);
            each(&term);
        }
    }
}

/// The words of a text in lower case.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut close = |start: &mut Option<usize>, end: usize| {
        if let Some(start) = start.take() {
            let word: &str = &text[start..end];
            // A single letter says little.
            if word.chars().nth(1).is_some() {
                words.push((start, word));
            }
        }
    };
    let mut alone = Vec::new();
    for (at, letter) in text.char_indices() {
        if is_word(letter) {
            close(&mut start, at);
            alone.push((at, &text[at..at + letter.len_utf8()]));
        } else if letter.is_alphanumeric() || letter == '_' {
            start = start.or(Some(at));
        } else {
            close(&mut start, at);
        }
    }
    close(&mut start, text.len());
    if !alone.is_empty() {
        words.extend(alone);
        words.sort_unstable();
    }
    words.into_iter().map(|(_, word)| word).collect()
}

/// Whether a character is a word: of scripts without spaces between words.
fn is_word(letter: char) -> bool {
    matches!(letter, '\u{3005}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}' | '\u{ff66}'..='\u{ff9d}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}
