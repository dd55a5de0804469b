//! Texts that say the same, word for word or nearly (MinHash; Broder, On the resemblance and
//! containment of documents, 1997).
//!
//! Two texts resemble each other by the share of their runs of five words that both have (Jaccard).
//! A [`Signature`] is drawn of a text's runs such that two texts agree in a number of it with just
//! that probability. Numbers are grouped into buckets, and only texts that share a bucket are
//! compared: with 14 buckets of 8 numbers, of texts that resemble each other by 0.8 92 % meet, of
//! those by 0.9 all but one in 2,600, of those by 0.5 5 %.
//!
//! Which texts stay follows from their ids alone, so that any program that groups by buckets finds
//! the same:
//!
//! 1. Of texts that are the same on [one line](crate::dialog::one_line), that of the lowest id
//!    stays; of those of one id, which should not be, the lowest text.
//! 2. Of those left, each bucket has a first text, that of the lowest id. A text goes that agrees
//!    with the first of one of its buckets in [`MinHash::least`] of its numbers or more.
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
/// | `words` | 5 | words of a run | ≥ 1 |
/// | `buckets` | 14 | buckets of a text | 1 to 256 |
/// | `rows` | 8 | numbers that texts of a bucket share | 1 to 64 |
/// | `least` | 0.75 | the share of all numbers from which on two texts of a bucket are the same | 0 to 1 |
/// | `seed` | 1 | of what is drawn | |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MinHash {
    /// Words of a run.
    pub words: usize,
    /// Buckets of a text.
    pub buckets: usize,
    /// Numbers that texts of a bucket share.
    pub rows: usize,
    /// The share of all numbers from which on two texts of a bucket are the same.
    pub least: f64,
    /// Of what is drawn.
    pub seed: u64,
}

impl Default for MinHash {
    /// Five words, 14 buckets of 8 numbers, 0.75.
    fn default() -> Self {
        Self { words: 5, buckets: 14, rows: 8, least: 0.75, seed: 1 }
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
        let Self { words, buckets, rows, least, seed } = self;
        let fits = words > 0 && (1..=256).contains(&buckets) && (1..=64).contains(&rows);
        if !fits || !(0.0..=1.0).contains(&least) {
            return Err(DataError::Request(format!(
                "{words} words, {buckets} buckets of {rows} numbers, {least} of which agree: there \
                 are 1 word or more, 1 to 256 buckets of 1 to 64 numbers, and a share from 0 to 1"
            )));
        }
        let mut rng = Rng::new(seed);
        let draws = (0..buckets * rows).map(|_| (rng.next_u64() | 1, rng.next_u64())).collect();
        Ok(Hasher { how: self, draws })
    }
}

impl Hasher {
    /// The signature of a text; none of a text without words. A text with fewer words than a run
    /// has one run.
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
        for first in 0..=(last + 1).saturating_sub(self.how.words) {
            // Behind the last word of the run stands a space, or nothing.
            let end = starts.get(first + self.how.words).map_or(words.len(), |next| next - 1);
            let run = XxHash64::oneshot(0, &words[starts[first]..end]);
            for (least, (factor, plus)) in least.iter_mut().zip(&self.draws) {
                let drawn = (run.wrapping_mul(*factor).wrapping_add(*plus) >> 32) as u32;
                *least = drawn.min(*least);
            }
        }
        Some(Signature { numbers: least, rows: self.how.rows })
    }

    /// Whether two texts of a bucket are the same.
    pub fn same(&self, a: &Signature, b: &Signature) -> bool {
        a.agreement(b) >= self.how.least
    }
}

/// Numbers drawn of a text, so many of which another text has as resembles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    numbers: Vec<u32>,
    rows: usize,
}

impl Signature {
    /// The buckets that the text is in, by number: texts that share none of them are never
    /// compared.
    pub fn buckets(&self) -> impl Iterator<Item = u64> {
        self.numbers.chunks_exact(self.rows).enumerate().map(|(place, rows)| {
            let bytes: Vec<u8> = rows.iter().flat_map(|number| number.to_le_bytes()).collect();
            XxHash64::oneshot(place as u64, &bytes)
        })
    }

    /// The share of numbers in which both agree, an estimate of what share of their runs of words
    /// both texts have.
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
        let whole = bytes.len() == 4 * how.buckets * how.rows;
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
        let first = *known.entry(exact(texts[i].1)).or_insert(i);
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

/// What texts have in common that are the same.
pub fn exact(text: &str) -> Digest {
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
            let how = MinHash { words, buckets: 64, rows: 64, seed, ..MinHash::default() };
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
        assert!(MinHash { least: f64::NAN, ..MinHash::default() }.hasher().is_err());
    }
}
