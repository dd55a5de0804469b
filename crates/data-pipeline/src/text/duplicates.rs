//! Texts that say the same, word for word or nearly (MinHash; Broder, On the resemblance and
//! containment of documents, 1997).
//!
//! Two texts resemble each other by the share of their shingles, runs of five words, that both have
//! (Jaccard similarity). A [`Signature`] is drawn of a text's shingles such that two texts agree in
//! a number of it with just that probability. For locality-sensitive hashing, its numbers are
//! grouped into bands of some rows; texts that agree in a whole band share a bucket, and only those
//! are compared. With 14 bands of 8 rows, of texts with a similarity of 0.8 92 % meet, of those
//! with 0.9 all but one in 2,600, of those with 0.5 5 %.
//!
//! Which texts stay follows from their ids alone, so that any program that groups by buckets finds
//! the same:
//!
//! 1. Of texts that are the same on [one line](crate::dialog::one_line), that of the lowest id
//!    stays; of those of one id, which should not be, the lowest text.
//! 2. Of those left, each bucket has a first text, that of the lowest id. A text goes that agrees
//!    with the first of one of its buckets in [`MinHash::threshold`] of its numbers or more.
//!
//! What goes may have been the first of a bucket: a text that is nearly that one goes with it, even
//! where it is not so near to any text that stays.

use crate::dialog::{add_words, one_line};
use crate::digest::Digest;
use crate::error::DataError;
use augment::rng::Rng;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use twox_hash::XxHash64;

/// How signatures are made and compared.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `shingle-words` | 5 | words of a shingle | ≥ 1 |
/// | `bands` | 14 | bands of a signature, each of which puts a text into a bucket | 1 to 256 |
/// | `rows` | 8 | numbers of a band, in which all texts of a bucket agree | 1 to 64 |
/// | `threshold` | 0.75 | estimated Jaccard similarity from which two texts are duplicates | 0–1 |
/// | `seed` | 1 | of the hash functions | |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MinHash {
    /// Words of a shingle.
    pub shingle_words: usize,
    /// Bands of a signature, each of which puts a text into a bucket.
    pub bands: usize,
    /// Numbers of a band, in which all texts of a bucket agree.
    pub rows: usize,
    /// Estimated Jaccard similarity from which two texts are duplicates.
    pub threshold: f64,
    /// The seed of the hash functions.
    pub seed: u64,
}

impl Default for MinHash {
    /// Shingles of five words, 14 bands of 8 rows, threshold 0.75.
    fn default() -> Self {
        Self { shingle_words: 5, bands: 14, rows: 8, threshold: 0.75, seed: 1 }
    }
}

/// Makes signatures.
#[derive(Clone, Debug)]
pub struct Hasher {
    how: MinHash,
    /// An odd factor and what is added, for each number.
    draws: Vec<(u64, u64)>,
}

impl MinHash {
    /// What makes signatures so.
    ///
    /// # Errors
    /// When a number is out of its range.
    pub fn hasher(self) -> Result<Hasher, DataError> {
        let Self { shingle_words, bands, rows, threshold, seed } = self;
        let fits = shingle_words > 0 && (1..=256).contains(&bands) && (1..=64).contains(&rows);
        if !fits || !(0.0..=1.0).contains(&threshold) {
            return Err(DataError::Request(format!(
                "shingles of {shingle_words} words, {bands} bands of {rows} rows, threshold \
                 {threshold}: a shingle has 1 word or more, there are 1 to 256 bands of 1 to 64 \
                 rows, and the threshold is from 0 to 1"
            )));
        }
        let mut rng = Rng::new(seed);
        let draws = (0..bands * rows).map(|_| (rng.next_u64() | 1, rng.next_u64())).collect();
        Ok(Hasher { how: self, draws })
    }
}

impl Hasher {
    /// The signature of a text; none of a text without words. A text with fewer words than a
    /// shingle is one shingle.
    pub fn signature(&self, text: &str) -> Option<Signature> {
        let mut words = Vec::new();
        add_words(text, &mut words);
        let starts: Vec<usize> = (!words.is_empty())
            .then_some(0)
            .into_iter()
            .chain(words.iter().enumerate().filter(|(_, byte)| **byte == b' ').map(|(i, _)| i + 1))
            .collect();
        let last = starts.len().checked_sub(1)?;
        let mut least = vec![u32::MAX; self.draws.len()];
        for first in 0..=(last + 1).saturating_sub(self.how.shingle_words) {
            // Behind the last word of the shingle stands a space, or nothing.
            let end =
                starts.get(first + self.how.shingle_words).map_or(words.len(), |next| next - 1);
            let shingle = XxHash64::oneshot(0, &words[starts[first]..end]);
            for (least, (factor, plus)) in least.iter_mut().zip(&self.draws) {
                let drawn = (shingle.wrapping_mul(*factor).wrapping_add(*plus) >> 32) as u32;
                *least = drawn.min(*least);
            }
        }
        Some(Signature { numbers: least, rows: self.how.rows })
    }

    /// Whether two texts of a bucket are duplicates.
    pub fn same(&self, a: &Signature, b: &Signature) -> bool {
        a.agreement(b) >= self.how.threshold
    }
}

/// Numbers drawn of a text, so many of which another text has as resembles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    numbers: Vec<u32>,
    rows: usize,
}

impl Signature {
    /// The buckets that the text is in, one for each band, by number: texts that share none of them
    /// are never compared.
    pub fn buckets(&self) -> impl Iterator<Item = u64> {
        self.numbers.chunks_exact(self.rows).enumerate().map(|(band, rows)| {
            let bytes: Vec<u8> = rows.iter().flat_map(|number| number.to_le_bytes()).collect();
            XxHash64::oneshot(band as u64, &bytes)
        })
    }

    /// The share of numbers in which both agree, an estimate of the Jaccard similarity of both
    /// texts.
    ///
    /// # Panics
    /// If they are of different lengths.
    pub fn agreement(&self, other: &Self) -> f64 {
        assert_eq!(self.numbers.len(), other.numbers.len(), "signatures made the same way");
        let same = self.numbers.iter().zip(&other.numbers).filter(|(a, b)| a == b).count();
        same as f64 / self.numbers.len() as f64
    }

    /// As bytes, four a number.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// From what [`Signature::to_bytes`] gave; none if these are no such bytes.
    pub fn from_bytes(bytes: &[u8], how: &MinHash) -> Option<Self> {
        let numbers: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|number| u32::from_le_bytes([number[0], number[1], number[2], number[3]]))
            .collect();
        let whole = bytes.len() == 4 * how.bands * how.rows;
        whole.then_some(Self { numbers, rows: how.rows })
    }
}

/// What becomes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It stays.
    Kept,
    /// Another one is the same.
    Duplicate,
    /// Another one is nearly the same.
    NearDuplicate,
}

/// What becomes of each of these texts, which stand behind their ids.
///
/// ```
/// use data_pipeline::text::duplicates::{Fate, MinHash, fates};
/// let texts = [
///     ("b", "It was a long film, and not a good one: we left before the end."),
///     ("c", "It was a long film, and not a good one; we left before the end!"),
///     ("a", "It was  a long film, and not a good one: we left before the end."),
///     ("d", "We left before it began."),
/// ];
/// let fates = fates(&texts, MinHash::default())?;
/// assert_eq!(fates, [Fate::Duplicate, Fate::NearDuplicate, Fate::Kept, Fate::Kept]);
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
///
/// # Errors
/// When a number of `how` is out of its range.
pub fn fates(texts: &[(&str, &str)], how: MinHash) -> Result<Vec<Fate>, DataError> {
    let hasher = how.hasher()?;
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&i| texts[i]);
    let mut fates = vec![Fate::Kept; texts.len()];
    let mut known = HashMap::new();
    for &i in &order {
        let first = *known.entry(exact_key(texts[i].1)).or_insert(i);
        if first != i {
            fates[i] = Fate::Duplicate;
        }
    }
    let signature = |i: usize| (fates[i] == Fate::Kept).then(|| hasher.signature(texts[i].1));
    let signatures = crate::parallel::map(texts.len(), |i| signature(i).flatten());
    let mut firsts = HashMap::new();
    for &i in &order {
        let Some(signature) = &signatures[i] else { continue };
        for bucket in signature.buckets() {
            let first: usize = *firsts.entry(bucket).or_insert(i);
            let of_first = signatures[first].as_ref().expect("it is in a bucket");
            if first != i && hasher.same(signature, of_first) {
                fates[i] = Fate::NearDuplicate;
            }
        }
    }
    Ok(fates)
}

/// The key that texts have in common which are the same on [one line](crate::dialog::one_line).
pub fn exact_key(text: &str) -> Digest {
    Digest::of(one_line(text).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn runs(text: &str, words: usize) -> BTreeSet<Vec<&str>> {
        let all: Vec<&str> = text.split(' ').collect();
        if all.len() < words {
            return BTreeSet::from([all]);
        }
        all.windows(words).map(<[&str]>::to_vec).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Numbers agree as often as the texts resemble each other: within five standard
        /// deviations of 4,096 draws.
        #[test]
        fn signatures_agree_by_the_share_of_common_runs(
            a in "[abc]( [abc]){0,30}", b in "[abc]( [abc]){0,30}", words in 1usize..5, seed: u64,
        ) {
            let shape = MinHash { shingle_words: words, bands: 64, rows: 64, ..MinHash::default() };
            let how = MinHash { seed, ..shape };
            let hasher = how.hasher().expect("it makes sense");
            let [of_a, of_b] = [&a, &b].map(|text| hasher.signature(text).expect("words"));
            let [runs_a, runs_b] = [&a, &b].map(|text| runs(text, words));
            let union = runs_a.union(&runs_b).count() as f64;
            let share = runs_a.intersection(&runs_b).count() as f64 / union;
            let deviation = (share * (1.0 - share) / 4096.0).sqrt();
            prop_assert!((of_a.agreement(&of_b) - share).abs() <= 5.0 * deviation + 1e-9);
            prop_assert_eq!(Signature::from_bytes(&of_a.to_bytes(), &how), Some(of_a));
        }
    }

    #[test]
    fn what_has_no_words_is_no_near_duplicate() {
        let texts = [("a", "!!"), ("b", "?!"), ("c", ""), ("d", " "), ("e", "Yes."), ("f", "yes")];
        let found = fates(&texts, MinHash::default()).expect("fates");
        use Fate::{Duplicate, Kept, NearDuplicate};
        assert_eq!(found, [Kept, Kept, Kept, Duplicate, Kept, NearDuplicate]);
        assert!(MinHash { rows: 0, ..MinHash::default() }.hasher().is_err());
        assert!(MinHash { threshold: f64::NAN, ..MinHash::default() }.hasher().is_err());
    }
}
