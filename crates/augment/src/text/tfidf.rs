//! TF-IDF word replacement: words that say little are replaced by words that say little (UDA, section 2.2, and
//! `word_level_augment.py` of the released code).

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::{TextError, io, write};
use crate::rng::Rng;

/// Statistics of a corpus of N documents, each a list of words.
///
/// `idf(w) = ln(N / df(w))`, where `df` counts the documents with the word; `T(w)` sums `idf(w) / len(d)` over all its occurrences. Words
/// that replace others are drawn with probability proportional to `max T - T(w)`.
#[derive(Clone, Debug, PartialEq)]
pub struct TfIdf {
    /// In rising order.
    words: Vec<String>,
    idf: Vec<f64>,
    tf_idf: Vec<f64>,
    /// Sums of `max T - T(w)` up to and with each word.
    cumulative: Vec<f64>,
    index: HashMap<String, usize>,
    /// Of a word that no document has: as if one had it.
    unseen: f64,
}

impl TfIdf {
    /// The statistics of a corpus. Where each sample has two texts, join them first. Empty documents count but hold nothing.
    pub fn of<D: AsRef<[String]>>(documents: &[D]) -> Self {
        let mut counts = HashMap::<&str, usize>::new();
        for document in documents {
            let mut words: Vec<&str> = document.as_ref().iter().map(String::as_str).collect();
            words.sort_unstable();
            words.dedup();
            words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
        }
        let total = documents.len() as f64;
        let idf: HashMap<&str, f64> =
            counts.into_iter().map(|(word, count)| (word, (total / count as f64).ln())).collect();
        let mut sums: BTreeMap<&str, f64> = idf.keys().map(|&word| (word, 0.0)).collect();
        for document in documents {
            let document = document.as_ref();
            for word in document {
                let share = idf[word.as_str()] / document.len() as f64;
                *sums.entry(word).or_default() += share;
            }
        }
        let table = sums.into_iter().map(|(word, sum)| (word.to_owned(), idf[word], sum));
        Self::from_table(table.collect(), total.ln().max(0.0))
    }

    fn from_table(table: Vec<(String, f64, f64)>, unseen: f64) -> Self {
        let most = table.iter().map(|row| row.2).fold(0.0, f64::max);
        let mut sum = 0.0;
        let cumulative = table.iter().map(|row| {
            sum += most - row.2;
            sum
        });
        let cumulative = cumulative.collect();
        let index = table.iter().enumerate().map(|(i, row)| (row.0.clone(), i)).collect();
        let (mut words, mut idf, mut tf_idf) = (Vec::new(), Vec::new(), Vec::new());
        for (word, i, t) in table {
            words.push(word);
            idf.push(i);
            tf_idf.push(t);
        }
        Self { words, idf, tf_idf, cumulative, index, unseen }
    }

    /// The words of the corpus in rising order.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// `idf` of a word.
    pub fn idf(&self, word: &str) -> f64 {
        self.index.get(word).map_or(self.unseen, |&i| self.idf[i])
    }

    /// `T` of a word; 0 for one that the corpus lacks.
    pub fn tf_idf(&self, word: &str) -> f64 {
        self.index.get(word).map_or(0.0, |&i| self.tf_idf[i])
    }

    /// With which chance each word of a document is replaced. Their mean is `token_prob`; single ones may exceed 1. All are 0 where every
    /// word is alike, as the formula has no answer there.
    pub fn chances(&self, document: &[String], token_prob: f64) -> Vec<f64> {
        let length = document.len() as f64;
        let mut counts = HashMap::<&str, f64>::new();
        document.iter().for_each(|word| *counts.entry(word).or_default() += 1.0);
        let score = |word: &String| counts[word.as_str()] * self.idf(word) / length;
        let most = document.iter().map(score).fold(f64::NEG_INFINITY, f64::max);
        let gaps: Vec<f64> = document.iter().map(|word| most - score(word)).collect();
        let total: f64 = gaps.iter().sum();
        if total > 0.0 {
            gaps.into_iter().map(|gap| token_prob * length * gap / total).collect()
        } else {
            vec![0.0; document.len()]
        }
    }

    /// A word of the corpus, the likelier the less it says; `None` where the corpus has no such word.
    pub fn draw(&self, rng: &mut Rng) -> Option<&str> {
        let total = *self.cumulative.last()?;
        if total <= 0.0 {
            return None;
        }
        let place = rng.unit() * total;
        let i = self.cumulative.partition_point(|&sum| sum <= place);
        Some(&self.words[i.min(self.words.len() - 1)])
    }

    /// Replaces words of a document by their chances.
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

    /// Writes `tf_idf.json` and `idf.json` into a folder, each a map from word to number.
    pub fn save(&self, folder: &Path) -> Result<(), TextError> {
        let [tf_idf, idf] = Self::files(folder);
        for (path, values) in [(tf_idf, &self.tf_idf), (idf, &self.idf)] {
            let map: BTreeMap<&str, f64> =
                self.words.iter().map(String::as_str).zip(values.iter().copied()).collect();
            write(&path, &serde_json::to_vec(&map).expect("numbers by word are JSON"))?;
        }
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote, or UDA's code.
    pub fn load(folder: &Path) -> Result<Self, TextError> {
        let read = |path: &PathBuf| -> Result<BTreeMap<String, f64>, TextError> {
            let text = std::fs::read(path).map_err(io(path))?;
            let fault = |error: serde_json::Error| TextError::Format {
                path: path.clone(),
                fault: format!("not a JSON map from word to number: {error}"),
            };
            serde_json::from_slice(&text).map_err(fault)
        };
        let [path, idf] = Self::files(folder);
        let (tf_idf, mut idf) = (read(&path)?, read(&idf)?);
        let mut table = Vec::with_capacity(tf_idf.len());
        for (word, t) in tf_idf {
            let Some(i) = idf.remove(&word) else {
                let fault = format!("`{word}` has no entry in idf.json; make both files anew");
                return Err(TextError::Format { path, fault });
            };
            table.push((word, i, t));
        }
        let unseen = table.iter().map(|row| row.1).fold(0.0, f64::max);
        Ok(Self::from_table(table, unseen))
    }

    fn files(folder: &Path) -> [PathBuf; 2] {
        ["tf_idf.json", "idf.json"].map(|name| folder.join(name))
    }
}
