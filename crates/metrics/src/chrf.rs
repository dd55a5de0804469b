//! chrF (Popović 2015) as sacrebleu computes it: F-scores of sequences of characters.

use std::collections::HashMap;

use crate::bleu::{StreamError, check};
use crate::spaces::is_space;

/// How chrF is computed; the defaults are sacrebleu's, chrF2.
///
/// ```
/// let chrf = metrics::Chrf::default();
/// let score = chrf.sentence("The dogs bark.", &["The dog barks."]);
/// assert!((score.score - 52.7).abs() < 0.1, "{}", score.score);
/// assert_eq!(chrf.signature(1), "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chrf {
    /// Characters of the longest sequence.
    pub order: usize,
    /// How many times recall counts as much as precision.
    pub beta: f64,
}

impl Default for Chrf {
    fn default() -> Self {
        Self { order: 6, beta: 2.0 }
    }
}

/// What chrF comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChrfScore {
    /// chrF, 0 to 100.
    pub score: f64,
}

/// Counts of sequences of one length: in the translation, in the reference, and in both.
type Counts = [usize; 3];

impl Chrf {
    /// chrF of a set of translations: counts are added up over it, those of the reference that
    /// suits a translation best. Line `i` of each stream of references belongs to translation `i`.
    ///
    /// # Errors
    /// When there is no stream, or one has another number of lines.
    pub fn corpus<S: AsRef<str>>(
        &self,
        translations: &[S],
        streams: &[&[S]],
    ) -> Result<ChrfScore, StreamError> {
        check(translations.len(), streams)?;
        let mut sums = vec![Counts::default(); self.order];
        for (i, translation) in translations.iter().enumerate() {
            let references: Vec<&str> = streams.iter().map(|stream| stream[i].as_ref()).collect();
            for (sum, counts) in sums.iter_mut().zip(self.counts(translation.as_ref(), &references))
            {
                (0..3).for_each(|k| sum[k] += counts[k]);
            }
        }
        Ok(ChrfScore { score: self.score(&sums) })
    }

    /// chrF of one translation with one or more references. Panics if there is none.
    pub fn sentence(&self, translation: &str, references: &[&str]) -> ChrfScore {
        assert!(!references.is_empty(), "chrF of a sentence without a reference");
        ChrfScore { score: self.score(&self.counts(translation, references)) }
    }

    /// What a score must be stated with, in sacrebleu's words (its version left out).
    pub fn signature(&self, references: usize) -> String {
        format!("nrefs:{references}|case:mixed|eff:yes|nc:{}|nw:0|space:no", self.order)
    }

    /// Counts with the reference that suits best.
    fn counts(&self, translation: &str, references: &[&str]) -> Vec<Counts> {
        let letters = |text: &str| text.chars().filter(|&c| !is_space(c)).collect::<Vec<char>>();
        let (translation, mut best) = (letters(translation), (-1.0, Vec::new()));
        for reference in references.iter().map(|text| letters(text)) {
            let counts: Vec<Counts> =
                (1..=self.order).map(|n| counts(&translation, &reference, n)).collect();
            let score = self.score(&counts);
            if score > best.0 {
                best = (score, counts);
            }
        }
        best.1
    }

    /// The F-score of the mean precision and the mean recall over the lengths that both texts have.
    fn score(&self, counts: &[Counts]) -> f64 {
        let both: Vec<[f64; 3]> = counts
            .iter()
            .filter(|counts| counts[0] > 0 && counts[1] > 0)
            .map(|counts| counts.map(|n| n as f64))
            .collect();
        let mean = |k: usize| {
            both.iter().map(|counts| counts[2] / counts[k]).sum::<f64>() / both.len().max(1) as f64
        };
        let (precision, recall, factor) = (mean(0), mean(1), self.beta * self.beta);
        if precision + recall == 0.0 {
            return 0.0;
        }
        100.0 * (1.0 + factor) * precision * recall / (factor * precision + recall)
    }
}

fn counts(translation: &[char], reference: &[char], n: usize) -> Counts {
    let mut allowed: HashMap<&[char], usize> = HashMap::new();
    reference.windows(n).for_each(|gram| *allowed.entry(gram).or_default() += 1);
    let all = |letters: &[char]| (letters.len() + 1).saturating_sub(n);
    if allowed.is_empty() {
        return [0, 0, 0];
    }
    let mut common = 0;
    for gram in translation.windows(n) {
        if let Some(left) = allowed.get_mut(gram).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    [all(translation), all(reference), common]
}
