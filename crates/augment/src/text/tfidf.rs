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
    /// Of as many equal parts of the last sum as there are words: where a search in a part begins.
    guide: Vec<u32>,
    index: HashMap<String, u32, FixedState>,
    /// `idf` of a word that no document has: that of the rarest.
    unseen: f64,
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

    /// With which chance each word of a document is replaced: `token_prob n z / sum z`, where `z`
    /// is how far the word's TF-IDF within the document lies below the greatest there. Their mean
    /// is `token_prob`; single ones may exceed 1. All are 0 where every word is alike (so with one
    /// word), as the formula has no answer there; an empty document has none.
    pub fn chances(&self, document: &[String], token_prob: f64) -> Vec<f64> {
        let length = document.len() as f64;
        let places: Vec<Option<usize>> = document.iter().map(|word| self.place(word)).collect();
        let mut known = HashMap::<usize, f64, FixedState>::default();
        let mut others = HashMap::<&str, f64, FixedState>::default();
        known.reserve(document.len());
        for (word, place) in document.iter().zip(&places) {
            *match place {
                Some(i) => known.entry(*i).or_default(),
                None => others.entry(word.as_str()).or_default(),
            } += 1.0;
        }
        let score = |(word, place): (&String, &Option<usize>)| match place {
            Some(i) => known[i] * self.idf[*i] / length,
            None => others[word.as_str()] * self.unseen / length,
        };
        let mut gaps: Vec<f64> = document.iter().zip(&places).map(score).collect();
        let most = gaps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        gaps.iter_mut().for_each(|score| *score = most - *score);
        let total: f64 = gaps.iter().sum();
        if total > 0.0 {
            gaps.into_iter().map(|gap| token_prob * length * gap / total).collect()
        } else {
            vec![0.0; document.len()]
        }
    }

    /// A word of the corpus, the likelier the less informative it is: `q(w)` proportional to `max T
    /// - T(w)`, found in its running sums. `None` where all words have one `T`.
    pub fn draw(&self, rng: &mut Rng) -> Option<&str> {
        let total = *self.cumulative.last()?;
        if total <= 0.0 {
            return None;
        }
        let i = self.first_above(rng.unit() * total, total);
        Some(&self.words[i.min(self.words.len() - 1)])
    }

    /// The first word whose sum is above a place below `total`, the last sum: what a binary search
    /// finds, by one step or two.
    fn first_above(&self, place: f64, total: f64) -> usize {
        let parts = self.guide.len();
        let part = (place / total * parts as f64) as usize;
        let mut i = self.guide[part.min(parts - 1)] as usize;
        // Rounding may have gone to a neighbour's part.
        while i > 0 && self.cumulative[i - 1] > place {
            i -= 1;
        }
        while self.cumulative.get(i).is_some_and(|&sum| sum <= place) {
            i += 1;
        }
        i
    }

    /// Replaces words of a document by their chances. `token_prob` is from 0 to 1; a document of
    /// two texts is both, joined.
    pub fn replace(&self, document: &mut [String], token_prob: f64, rng: &mut Rng) {
        let chances = self.chances(document, token_prob);
        for (word, chance) in document.iter_mut().zip(chances) {
            if rng.chance(chance)
                && let Some(new) = self.draw(rng)
            {
                new.clone_into(word);
            }
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
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
                prop_assert_eq!(statistics.first_above(place, total), wanted);
            }
        }
    }
}
