//! A WordPiece vocabulary made from texts.

use super::basic::Basic;
use super::tokenizer::Tokenizer;
use super::tokenizer_files::Casing;
use crate::error::DataError;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// How a vocabulary is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VocabularySize {
    /// The number of tokens, the five special ones included. There are fewer where the texts do
    /// not have as many pieces.
    pub tokens: usize,
    /// A piece is made of two that stand side by side at least so often.
    pub least_count: u64,
    /// So many characters are kept, the most frequent ones; words with others are unknown.
    pub most_characters: usize,
}

impl Default for VocabularySize {
    /// 30,522 tokens, pieces that occur twice, 1,000 characters.
    fn default() -> Self {
        Self { tokens: 30_522, least_count: 2, most_characters: 1000 }
    }
}

/// Counts words and makes a vocabulary from them: from single characters, the pair of pieces that
/// is the most frequent becomes a piece of its own, again and again (byte-pair encoding over words,
/// as the trainer in `tokenizers` does it for WordPiece). Of equally frequent pairs the one
/// of earlier pieces is taken, so the same texts give the same vocabulary in any order and
/// on any machine; the library's trainer gives another one on each run.
///
/// ```
/// use data_pipeline::text::{Casing, VocabularySize, VocabularyTrainer};
/// let mut trainer = VocabularyTrainer::new(Casing::default());
/// trainer.count("low lower lowest");
/// trainer.count("Low!");
/// let size = VocabularySize { tokens: 40, ..Default::default() };
/// let tokenizer = trainer.tokenizer(size)?;
/// let (low, es) = (tokenizer.id("low").unwrap(), tokenizer.id("##e"));
/// assert_eq!(tokenizer.ids("LOW low")?, [low, low]);
/// assert!(es.is_some());
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Debug)]
pub struct VocabularyTrainer {
    casing: Casing,
    counts: HashMap<String, u64>,
    word: String,
}

/// Longer words are `[UNK]` in any case.
const LONGEST: usize = 100;

impl VocabularyTrainer {
    /// A trainer that has seen nothing.
    pub fn new(casing: Casing) -> Self {
        Self { casing, counts: HashMap::new(), word: String::new() }
    }

    /// Counts the words of a text.
    pub fn count(&mut self, text: &str) {
        let counts = &mut self.counts;
        Basic(self.casing.normalizer()).words(text, &mut self.word, |word| {
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None if word.chars().count() <= LONGEST => {
                    counts.insert(word.to_owned(), 1);
                }
                None => {}
            }
        });
    }

    /// The tokenizer with the vocabulary of all that was counted: the special tokens, the
    /// characters by their code, the same as continuations, then pieces as they were made.
    ///
    /// # Errors
    /// When no text was counted, or when the size leaves no room for the characters.
    pub fn tokenizer(&self, size: VocabularySize) -> Result<Tokenizer, DataError> {
        let characters = self.characters(size.most_characters);
        let mut merging = Merging::new(&characters);
        let request = |fault: String| Err(DataError::Request(fault));
        if characters.is_empty() {
            return request("no vocabulary can be made: the texts hold no word".into());
        }
        if merging.tokens.len() > size.tokens {
            return request(format!(
                "a vocabulary of {} tokens has no room for {} characters, each as the beginning \
                 and as the continuation of a word, and 5 special tokens (ask for at least {})",
                size.tokens,
                characters.len(),
                merging.tokens.len()
            ));
        }
        let words: BTreeMap<&String, u64> = self.counts.iter().map(|(w, &n)| (w, n)).collect();
        for (word, count) in words {
            merging.add(word, count);
        }
        merging.run(size);
        Tokenizer::from_vocabulary(&(merging.tokens.join("\n") + "\n"), self.casing)
    }

    /// The most frequent characters; of equally frequent ones those of the lower code.
    fn characters(&self, most: usize) -> BTreeSet<char> {
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        for (word, &count) in &self.counts {
            word.chars().for_each(|c| *counts.entry(c).or_default() += count);
        }
        let mut ranked: Vec<(Reverse<u64>, char)> =
            counts.into_iter().map(|(c, count)| (Reverse(count), c)).collect();
        ranked.sort_unstable();
        ranked.into_iter().take(most).map(|(_, c)| c).collect()
    }
}

type Pair = (u32, u32);

/// Words as lists of pieces, and the counts of neighbours in them.
struct Merging {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
    words: Vec<(Vec<u32>, u64)>,
    counts: HashMap<Pair, u64>,
    /// The words in which a pair stands, or once stood.
    places: HashMap<Pair, BTreeSet<u32>>,
}

impl Merging {
    fn new(characters: &BTreeSet<char>) -> Self {
        let specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
        let first = characters.iter().map(|c| c.to_string());
        let later = characters.iter().map(|c| format!("##{c}"));
        let tokens: Vec<String> = specials.into_iter().chain(first).chain(later).collect();
        let ids = tokens.iter().cloned().zip(0..).collect();
        let (words, counts, places) = Default::default();
        Self { tokens, ids, words, counts, places }
    }

    /// Adds a word as its characters; a word with a character that is not kept is left out.
    fn add(&mut self, word: &str, count: u64) {
        let piece = |(at, c): (usize, char)| {
            let name = if at == 0 { c.to_string() } else { format!("##{c}") };
            self.ids.get(&name).copied()
        };
        let Some(pieces) = word.chars().enumerate().map(piece).collect::<Option<Vec<u32>>>() else {
            return;
        };
        let number = self.words.len() as u32;
        for pair in pieces.windows(2) {
            let pair = (pair[0], pair[1]);
            *self.counts.entry(pair).or_default() += count;
            self.places.entry(pair).or_default().insert(number);
        }
        self.words.push((pieces, count));
    }

    fn run(&mut self, size: VocabularySize) {
        let mut queue: BinaryHeap<(u64, Reverse<Pair>)> =
            self.counts.iter().map(|(&pair, &count)| (count, Reverse(pair))).collect();
        while let Some((count, Reverse(pair))) = queue.pop() {
            let now = self.counts.get(&pair).copied().unwrap_or(0);
            if self.tokens.len() >= size.tokens || count < size.least_count.max(1) {
                return;
            }
            if now != count {
                // Merges since then took some away; those that added some are queued themselves.
                if now > 0 && now < count {
                    queue.push((now, Reverse(pair)));
                }
                continue;
            }
            for changed in self.merge(pair) {
                let count = self.counts[&changed];
                if count > 0 {
                    queue.push((count, Reverse(changed)));
                }
            }
        }
    }

    /// Makes one piece of a pair everywhere; gives the pairs that became more frequent.
    fn merge(&mut self, pair: Pair) -> BTreeSet<Pair> {
        let [first, second] = [pair.0, pair.1].map(|id| self.tokens[id as usize].clone());
        let name = first + second.strip_prefix("##").unwrap_or(&second);
        // Two ways to one piece give one token.
        let piece = *self.ids.entry(name).or_insert_with_key(|name| {
            self.tokens.push(name.clone());
            self.tokens.len() as u32 - 1
        });
        let mut grown = BTreeSet::new();
        for number in self.places.remove(&pair).unwrap_or_default() {
            let (pieces, count) = &mut self.words[number as usize];
            let mut merged = Vec::with_capacity(pieces.len());
            let mut at = 0;
            while at < pieces.len() {
                let is_pair = at + 1 < pieces.len() && (pieces[at], pieces[at + 1]) == pair;
                merged.push(if is_pair { piece } else { pieces[at] });
                at += if is_pair { 2 } else { 1 };
            }
            for old in pieces.windows(2) {
                if let Some(known) = self.counts.get_mut(&(old[0], old[1])) {
                    *known -= *count;
                }
            }
            for new in merged.windows(2) {
                let new = (new[0], new[1]);
                *self.counts.entry(new).or_default() += *count;
                self.places.entry(new).or_default().insert(number);
                if new.0 == piece || new.1 == piece {
                    grown.insert(new);
                }
            }
            *pieces = merged;
        }
        self.counts.remove(&pair);
        grown
    }
}
