//! TF-IDF word replacement: uninformative words are replaced by other uninformative words (UDA,
//! section 2.2, and `word_level_augment.py` of the released code).

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use foldhash::fast::FixedState;

use super::{TextError, io, write};
use crate::rng::Rng;

/// Statistics of a corpus of N documents, each a list of words.
///
/// `idf(w) = ln(N / df(w))`, where `df` counts the documents with the word; `T(w)` sums `idf(w) /
/// len(d)` over all its occurrences. Words that replace others are drawn with probability
/// proportional to `max T - T(w)`.
#[derive(Clone, Debug, PartialEq)]
pub struct TfIdf {
    /// In rising order.
    words: Vec<String>,
    idf: Vec<f64>,
    tf_idf: Vec<f64>,
    /// Sums of `max T - T(w)` up to and with each word.
    cumulative: Vec<f64>,
    /// Where a search begins in each of as many equal parts of the last sum as there are words.
    guide: Vec<u32>,
    index: HashMap<String, u32, FixedState>,
    /// `idf` of a word that no document has: that of the rarest.
    unseen: f64,
}

/// A text as a corpus knows it: each word as its place in the corpus's vocabulary, and with which
/// chance it is replaced. Made and read by the [`TfIdf`] of one corpus; 12 bytes a word.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Words that the corpus lacks have places behind its own, in the order of `others`.
    places: Vec<u32>,
    others: Vec<String>,
    /// With which chance each word is replaced for a mean of 1; times `token_prob` for another.
    chances: Vec<f64>,
}

/// What is counted of a word.
struct Count {
    /// Documents with it.
    documents: usize,
    /// The last of them, counted from 1.
    last: usize,
    /// `1 / len(d)` over its occurrences.
    shares: f64,
}

impl TfIdf {
    /// The statistics of a corpus, which is read once and need not be held in memory. Where each
    /// sample has two texts, join their words first. Empty documents count but hold nothing.
    ///
    /// `idf` of a word is one number, so that `T(w) = idf(w) S(w)` with `S(w)` the sum of `1 /
    /// len(d)` over the word's occurrences.
    pub fn of<D: AsRef<[String]>>(documents: impl IntoIterator<Item = D>) -> Self {
        let mut counts = HashMap::<String, Count>::new();
        let mut total = 0;
        for document in documents {
            total += 1;
            let document = document.as_ref();
            let share = 1.0 / document.len() as f64;
            for word in document {
                if let Some(count) = counts.get_mut(word) {
                    count.documents += usize::from(count.last != total);
                    count.last = total;
                    count.shares += share;
                } else {
                    counts.insert(word.clone(), Count { documents: 1, last: total, shares: share });
                }
            }
        }
        let row = |(word, count): (String, Count)| {
            let idf = (total as f64 / count.documents as f64).ln();
            (word, idf, idf * count.shares)
        };
        let mut table: Vec<_> = counts.into_iter().map(row).collect();
        table.sort_unstable_by(|one, two| one.0.cmp(&two.0));
        Self::from_table(table)
    }

    /// From rows of word, `idf` and `T` in rising order of words.
    fn from_table(table: Vec<(String, f64, f64)>) -> Self {
        let unseen = table.iter().map(|row| row.1).fold(0.0, f64::max);
        let most = table.iter().map(|row| row.2).fold(0.0, f64::max);
        let mut sum = 0.0;
        let cumulative = table.iter().map(|row| {
            sum += most - row.2;
            sum
        });
        let cumulative: Vec<f64> = cumulative.collect();
        let parts = cumulative.len();
        let guide = (0..parts).map(|part| {
            let place = part as f64 / parts as f64 * sum;
            cumulative.partition_point(|&sum| sum <= place) as u32
        });
        let guide = guide.collect();
        let index = (0..).zip(&table).map(|(i, row)| (row.0.clone(), i)).collect();
        let (mut words, mut idf, mut tf_idf) = (Vec::new(), Vec::new(), Vec::new());
        for (word, i, t) in table {
            words.push(word);
            idf.push(i);
            tf_idf.push(t);
        }
        Self { words, idf, tf_idf, cumulative, guide, index, unseen }
    }

    /// The words of the corpus in rising order.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    fn place(&self, word: &str) -> Option<usize> {
        self.index.get(word).map(|&i| i as usize)
    }

    /// Share of the documents that hold a word, `df(w) / N`; 0 for one that the corpus lacks.
    pub fn share(&self, word: &str) -> f64 {
        self.place(word).map_or(0.0, |i| (-self.idf[i]).exp())
    }

    /// `idf` of a word; for one that the corpus lacks, that of the rarest word.
    pub fn idf(&self, word: &str) -> f64 {
        self.place(word).map_or(self.unseen, |i| self.idf[i])
    }

    /// `T` of a word; 0 for one that the corpus lacks.
    pub fn tf_idf(&self, word: &str) -> f64 {
        self.place(word).map_or(0.0, |i| self.tf_idf[i])
    }

    /// Looks the words of a document up, for a text that is changed in every epoch.
    ///
    /// ```
    /// use augment::{rng::Rng, text::{tfidf::TfIdf, words::words}};
    /// let corpus: Vec<Vec<String>> = ["the film was good", "the plot was thin"].map(words).into();
    /// let statistics = TfIdf::of(&corpus);
    /// let text = words("the new film was good");
    /// let known = statistics.document(&text);
    /// let once = statistics.replaced(&known, 0.5, &mut Rng::new(1));
    /// let mut same = text.clone();
    /// statistics.replace(&mut same, 0.5, &mut Rng::new(1));
    /// assert_eq!(once, same);
    /// ```
    pub fn document<W: AsRef<str>>(&self, words: &[W]) -> Document {
        let mut others = Vec::new();
        let mut numbers = HashMap::<&str, u32, FixedState>::default();
        let mut places = Vec::with_capacity(words.len());
        for word in words.iter().map(AsRef::as_ref) {
            places.push(self.index.get(word).copied().unwrap_or_else(|| {
                *numbers.entry(word).or_insert_with(|| {
                    others.push(word.to_owned());
                    (self.words.len() + others.len() - 1) as u32
                })
            }));
        }
        let chances = self.chances_at(&places);
        Document { places, others, chances }
    }

    /// With which chance each word of a document is replaced: `token_prob n z / sum z`, where `z`
    /// is how far the word's TF-IDF within the document lies below the greatest there. Their mean
    /// is `token_prob`; single ones may exceed 1. All are 0 where every word is alike (so with one
    /// word), as the formula has no answer there; an empty document has none.
    pub fn chances(&self, document: &[String], token_prob: f64) -> Vec<f64> {
        self.document(document).chances.into_iter().map(|chance| token_prob * chance).collect()
    }

    /// The chances for a mean of 1.
    fn chances_at(&self, places: &[u32]) -> Vec<f64> {
        let length = places.len() as f64;
        let score = |(&place, count): (&u32, u32)| {
            let idf = self.idf.get(place as usize).copied().unwrap_or(self.unseen);
            f64::from(count) * idf / length
        };
        let mut gaps: Vec<f64> = places.iter().zip(occurrences(places)).map(score).collect();
        let most = gaps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        gaps.iter_mut().for_each(|score| *score = most - *score);
        let total: f64 = gaps.iter().sum();
        if total > 0.0 {
            gaps.iter_mut().for_each(|gap| *gap = length * *gap / total);
        } else {
            gaps.fill(0.0);
        }
        gaps
    }

    /// A word of the corpus, the likelier the less informative it is: `q(w)` proportional to `max T
    /// - T(w)`, found in its running sums. `None` where all words have one `T`.
    pub fn draw(&self, rng: &mut Rng) -> Option<&str> {
        self.draw_place(rng).map(|place| self.words[place].as_str())
    }

    fn draw_place(&self, rng: &mut Rng) -> Option<usize> {
        let total = *self.cumulative.last()?;
        if total <= 0.0 {
            return None;
        }
        Some(self.first_above(rng.unit() * total, total))
    }

    /// The first word whose sum is above a place below `total`, the last sum, or else the last one:
    /// what a binary search finds, by one step or two.
    fn first_above(&self, place: f64, total: f64) -> usize {
        let parts = self.guide.len();
        let part = (place * (parts as f64 / total)) as usize;
        let mut i = self.guide[part.min(parts - 1)] as usize;
        // Rounding may have gone to a neighbour's part.
        while i > 0 && self.cumulative[i - 1] > place {
            i -= 1;
        }
        while self.cumulative.get(i).is_some_and(|&sum| sum <= place) {
            i += 1;
        }
        i.min(self.words.len() - 1)
    }

    /// Replaces words of a document by their chances. `token_prob` is from 0 to 1; a document of
    /// two texts is both, joined. Where a text is changed in every epoch, look it up once
    /// ([`document`](Self::document)) and take [`replaced`](Self::replaced).
    pub fn replace(&self, document: &mut [String], token_prob: f64, rng: &mut Rng) {
        for (i, new) in self.replacements(&self.document(document), token_prob, rng) {
            self.words[new].clone_into(&mut document[i]);
        }
    }

    /// The words of a document that was looked up here, changed as [`replace`](Self::replace)
    /// changes them with the same generator.
    pub fn replaced<'a>(
        &'a self,
        document: &'a Document,
        token_prob: f64,
        rng: &mut Rng,
    ) -> Vec<&'a str> {
        let known = self.words.len();
        let word = |&place: &u32| match self.words.get(place as usize) {
            Some(word) => word.as_str(),
            None => document.others[place as usize - known].as_str(),
        };
        let mut words: Vec<&str> = document.places.iter().map(word).collect();
        for (i, new) in self.replacements(document, token_prob, rng) {
            words[i] = &self.words[new];
        }
        words
    }

    /// Which words of a document that was looked up here are replaced, by their positions in rising
    /// order, and by which of the corpus: what [`replaced`](Self::replaced) does with the same
    /// generator.
    pub fn changes<'a>(
        &'a self,
        document: &Document,
        token_prob: f64,
        rng: &mut Rng,
    ) -> impl Iterator<Item = (usize, &'a str)> + use<'a> {
        self.replacements(document, token_prob, rng)
            .map(move |(i, new)| (i, self.words[new].as_str()))
    }

    /// The same with the place of each word in the vocabulary.
    fn replacements(
        &self,
        document: &Document,
        token_prob: f64,
        rng: &mut Rng,
    ) -> impl Iterator<Item = (usize, usize)> + use<'_> {
        let total = self.cumulative.last().copied().unwrap_or_default();
        let mut drawn = Vec::with_capacity(document.chances.len());
        for (i, chance) in document.chances.iter().enumerate() {
            if rng.chance(token_prob * chance) && total > 0.0 {
                drawn.push((i, rng.unit() * total));
            }
        }
        // Apart, since what is looked up for one word need not wait for the generator.
        drawn.into_iter().map(move |(i, place)| (i, self.first_above(place, total)))
    }

    /// Writes `tf_idf.json` and `idf.json` into a folder (UDA's is `data_stats/SUB_SET`), each a
    /// map from word to number. Each file is whole or not there.
    pub fn save(&self, folder: &Path) -> Result<(), TextError> {
        let [tf_idf, idf] = Self::files(folder);
        for (path, values) in [(tf_idf, &self.tf_idf), (idf, &self.idf)] {
            let map: BTreeMap<&str, f64> =
                self.words.iter().map(String::as_str).zip(values.iter().copied()).collect();
            write(&path, &serde_json::to_vec(&map).expect("numbers by word are JSON"))?;
        }
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote, or UDA's code. Both files must have the same words.
    pub fn load(folder: &Path) -> Result<Self, TextError> {
        let read = |path: &PathBuf| -> Result<BTreeMap<String, f64>, TextError> {
            let text = std::fs::read(path).map_err(io(path))?;
            let fault = |error: serde_json::Error| TextError::Format {
                path: path.clone(),
                fault: format!("not a JSON map from word to number: {error}"),
            };
            serde_json::from_slice(&text).map_err(fault)
        };
        let [path, idf_path] = Self::files(folder);
        let (tf_idf, mut idf) = (read(&path)?, read(&idf_path)?);
        let mut table = Vec::with_capacity(tf_idf.len());
        for (word, t) in tf_idf {
            let Some(i) = idf.remove(&word) else {
                let fault = format!("`{word}` has no entry in idf.json; make both files again");
                return Err(TextError::Format { path, fault });
            };
            table.push((word, i, t));
        }
        if let Some(word) = idf.keys().next() {
            let fault = format!("`{word}` has no entry in tf_idf.json; make both files again");
            return Err(TextError::Format { path: idf_path, fault });
        }
        Ok(Self::from_table(table))
    }

    fn files(folder: &Path) -> [PathBuf; 2] {
        ["tf_idf.json", "idf.json"].map(|name| folder.join(name))
    }
}

/// How often the place at each position stands in the document.
fn occurrences(places: &[u32]) -> impl Iterator<Item = u32> {
    // A table with linear probing of where each place stands first, counted from 1: of twice as
    // many slots as positions, so that an empty one is near.
    let slots = (2 * places.len()).next_power_of_two().max(2);
    let mut table = vec![0_u32; slots];
    let mut counts = vec![0; places.len()];
    let mut firsts = Vec::with_capacity(places.len());
    for (i, &place) in (1..).zip(places) {
        // The upper bits of a multiplication by the golden ratio spread places that are near.
        let hash = u64::from(place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (hash >> (64 - slots.trailing_zeros())) as usize;
        let first = loop {
            match table[slot] {
                0 => {
                    table[slot] = i;
                    break i - 1;
                }
                first if places[first as usize - 1] == place => break first - 1,
                _ => slot = (slot + 1) & (slots - 1),
            }
        };
        firsts.push(first);
        counts[first as usize] += 1;
    }
    firsts.into_iter().map(move |first| counts[first as usize])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_are_counted(places in prop::collection::vec(0_u32..40, 0..60)) {
            let count = |place| places.iter().filter(|other| *other == place).count() as u32;
            let wanted: Vec<u32> = places.iter().map(count).collect();
            prop_assert_eq!(occurrences(&places).collect::<Vec<_>>(), wanted);
        }

        #[test]
        fn a_word_is_found_where_a_binary_search_finds_it(
            scores in prop::collection::vec(prop_oneof![Just(0.0), Just(5.0), 0.0..5.0], 1..60),
            unit in prop_oneof![Just(0.0), 0.0..1.0],
        ) {
            let row = |(i, t): (usize, &f64)| (format!("{i:02}"), 1.0, *t);
            let statistics = TfIdf::from_table(scores.iter().enumerate().map(row).collect());
            let total = *statistics.cumulative.last().expect("a word");
            prop_assume!(total > 0.0);
            let below = f64::from_bits(total.to_bits() - 1);
            for place in [unit * total, statistics.cumulative[0], below] {
                let wanted = statistics.cumulative.partition_point(|&sum| sum <= place);
                let wanted = wanted.min(scores.len() - 1);
                prop_assert_eq!(statistics.first_above(place, total), wanted);
            }
        }
    }
}
