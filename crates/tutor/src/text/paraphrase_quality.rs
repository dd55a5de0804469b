//! How good paraphrases are: how much they change, and how many had to be refused.

use std::collections::HashMap;

use augment::text::paraphrases::Paraphrases;
use metrics::Bleu;
use serde::Serialize;

/// Figures of paraphrases, those left out that were refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Quality {
    pub(crate) texts: usize,
    pub(crate) copies: usize,
    /// Paraphrases that were refused, since they or their texts are shorter than 10 characters or
    /// their lengths differ by more than half: there the text itself is used.
    pub(crate) refused: usize,
    /// Paraphrases that are their text to the letter.
    pub(crate) unchanged: usize,
    /// Words of the texts that their paraphrases lack, in percent.
    pub(crate) words_changed: Option<f64>,
    /// BLEU of the paraphrases with their texts as references.
    pub(crate) bleu: Option<f64>,
    /// How BLEU is computed.
    pub(crate) bleu_signature: String,
    /// Characters of paraphrases by those of their texts.
    pub(crate) length_ratio: Option<f64>,
}

impl Quality {
    /// Of what was made of `texts`.
    pub(crate) fn of(made: &Paraphrases, texts: &[String]) -> Self {
        let copies = made.made().amount.copies;
        let mut refused = vec![false; texts.len() * copies];
        made.refused().iter().for_each(|&[text, copy]| refused[text * copies + copy] = true);
        let (mut originals, mut paraphrases) = (Vec::new(), Vec::new());
        for (text, original) in texts.iter().enumerate() {
            for copy in (0..copies).filter(|copy| !refused[text * copies + copy]) {
                if let Some(paraphrase) = made.get(copy, text) {
                    originals.push(original.as_str());
                    paraphrases.push(paraphrase);
                }
            }
        }
        let pairs = || originals.iter().zip(&paraphrases);
        let (mut words, mut lost, mut lengths) = (0, 0, [0; 2]);
        for (original, paraphrase) in pairs() {
            let (all, gone) = lost_words(original, paraphrase);
            words += all;
            lost += gone;
            lengths[0] += original.chars().count();
            lengths[1] += paraphrase.chars().count();
        }
        let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        let bleu = Bleu::default();
        let score = bleu.corpus(&paraphrases, &[&originals]);
        Self {
            texts: texts.len(),
            copies,
            refused: made.refused().len(),
            unchanged: pairs().filter(|(original, paraphrase)| original == paraphrase).count(),
            words_changed: share(lost, words).map(|share| 100.0 * share),
            bleu: score.ok().map(|score| score.score).filter(|_| words > 0),
            bleu_signature: bleu.signature(1),
            length_ratio: share(lengths[1], lengths[0]),
        }
    }

    /// In lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let all = self.texts * self.copies;
        let shown = |value: Option<f64>, unit: &str| {
            value.map_or("undefined".to_owned(), |value| format!("{value:.2}{unit}"))
        };
        vec![
            format!("{all} paraphrases: {} of each of {} texts", self.copies, self.texts),
            format!(
                "refused, so that the text itself is used: {} ({:.1} %)",
                self.refused,
                100.0 * self.refused as f64 / all.max(1) as f64
            ),
            format!("unchanged: {}", self.unchanged),
            format!("words changed: {}", shown(self.words_changed, " %")),
            format!("BLEU to the text: {}  ({})", shown(self.bleu, ""), self.bleu_signature),
            format!("length: {} times that of the text", shown(self.length_ratio, "")),
        ]
    }
}

/// How many words a text has, and how many of them its paraphrase lacks. A word that occurs twice
/// must be there twice.
fn lost_words(text: &str, paraphrase: &str) -> (usize, usize) {
    let mut there: HashMap<&str, usize> = HashMap::new();
    paraphrase.split_whitespace().for_each(|word| *there.entry(word).or_default() += 1);
    let (mut all, mut lost) = (0, 0);
    for word in text.split_whitespace() {
        all += 1;
        match there.get_mut(word).filter(|left| **left > 0) {
            Some(left) => *left -= 1,
            None => lost += 1,
        }
    }
    (all, lost)
}

#[cfg(test)]
mod tests {
    use super::lost_words;

    #[test]
    fn words_are_lost_as_often_as_they_are_missing() {
        assert_eq!(lost_words("a b a c", "c a d"), (4, 2));
        assert_eq!(lost_words("", "x"), (0, 0));
        assert_eq!(lost_words("a  b", "b a"), (2, 0));
    }
}
