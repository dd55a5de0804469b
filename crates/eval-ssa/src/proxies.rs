//! Automatic measures of responses, each under its own name. None of them is SSA.

use crate::item::{Item, Likelihood};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use unicode_segmentation::UnicodeSegmentation;

/// Perplexity of all texts together: exp(sum of negative log-likelihoods / sum of tokens). A mean
/// of the texts' perplexities would be another number, and would depend on how they are batched.
/// `None` without tokens.
///
/// Perplexities compare only between models with the same tokens; otherwise take
/// [`word_perplexity`] or [`bits_per_byte`].
///
/// ```
/// use eval_ssa::{Likelihood, proxies::perplexity};
/// let texts = [Likelihood { nll: 2.0, tokens: 2 }, Likelihood { nll: 24.0, tokens: 8 }];
/// assert!((perplexity(&texts).unwrap() - 13.4637380).abs() < 1e-7);
/// ```
pub fn perplexity(texts: &[Likelihood]) -> Option<f64> {
    let tokens: u64 = texts.iter().map(|text| text.tokens).sum();
    let nll: f64 = texts.iter().map(|text| text.nll).sum();
    (tokens > 0).then(|| (nll / tokens as f64).exp())
}

/// exp(nll / words) of texts whose negative log-likelihoods sum up to `nll` nats, words as
/// [`words`] finds them. `None` without words.
pub fn word_perplexity<'a>(nll: f64, texts: impl IntoIterator<Item = &'a str>) -> Option<f64> {
    let words: usize = texts.into_iter().map(|text| words(text).len()).sum();
    (words > 0).then(|| (nll / words as f64).exp())
}

/// Bits for each byte (UTF-8) of texts whose negative log-likelihoods sum up to `nll` nats. `None`
/// without bytes.
pub fn bits_per_byte<'a>(nll: f64, texts: impl IntoIterator<Item = &'a str>) -> Option<f64> {
    let bytes: usize = texts.into_iter().map(str::len).sum();
    (bytes > 0).then(|| nll / std::f64::consts::LN_2 / bytes as f64)
}

/// The words of a text in lower case, by Unicode's rules (UAX 29), punctuation left out. Each
/// ideograph is a word.
pub fn words(text: &str) -> Vec<String> {
    text.unicode_words().map(str::to_lowercase).collect()
}

/// How many of the most frequent responses count as generic.
pub const GENERIC: usize = 10;

/// Automatic measures of a system's responses. Shares are from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proxies {
    /// How many responses.
    pub responses: usize,
    /// Mean number of words.
    pub mean_words: Option<f64>,
    /// Different words / words, of all responses together (Li et al. 2016).
    pub distinct_1: Option<f64>,
    /// Different pairs of words / pairs of words, of all responses together (Li et al. 2016).
    pub distinct_2: Option<f64>,
    /// Entropy of the distribution of four words in a row, in nats (Zhang et al. 2018).
    pub entropy_4: Option<f64>,
    /// Share of responses with three words in a row that stand in an earlier turn.
    pub repeats_earlier_turn: Option<f64>,
    /// Share of responses with three words in a row that come twice in the response itself.
    pub repeats_itself: Option<f64>,
    /// Share of responses that are one of the [`GENERIC`] most frequent ones, which count only if
    /// they come at least twice, whatever the case and punctuation.
    pub generic: Option<f64>,
    /// Share of responses without a word.
    pub empty: Option<f64>,
}

/// Measures responses in their contexts.
pub fn measure<'a>(items: impl IntoIterator<Item = &'a Item>) -> Proxies {
    let items: Vec<&Item> = items.into_iter().collect();
    let texts: Vec<Vec<String>> = items.iter().map(|item| words(&item.response)).collect();
    let share = |hits: usize| (!items.is_empty()).then(|| hits as f64 / items.len() as f64);
    let count = |f: &dyn Fn(&Item, &[String]) -> bool| {
        share(items.iter().zip(&texts).filter(|(item, words)| f(item, words)).count())
    };
    Proxies {
        responses: items.len(),
        mean_words: share(texts.iter().map(Vec::len).sum()),
        distinct_1: distinct(&texts, 1),
        distinct_2: distinct(&texts, 2),
        entropy_4: entropy(&texts, 4),
        repeats_earlier_turn: count(&|item, response| {
            let earlier: Vec<Vec<String>> = item.context.iter().map(|t| words(&t.text)).collect();
            let earlier: BTreeSet<&[String]> = earlier.iter().flat_map(|w| w.windows(3)).collect();
            response.windows(3).any(|three| earlier.contains(three))
        }),
        repeats_itself: count(&|_, response| {
            let mut seen = BTreeSet::new();
            response.windows(3).any(|three| !seen.insert(three))
        }),
        generic: share(generic(&texts)),
        empty: count(&|_, response| response.is_empty()),
    }
}

fn grams(texts: &[Vec<String>], n: usize) -> BTreeMap<&[String], u64> {
    let mut counts = BTreeMap::new();
    for gram in texts.iter().flat_map(|words| words.windows(n)) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}

/// Different runs of `n` words / all runs of `n` words, of all texts together; `None` if there are
/// none.
pub fn distinct(texts: &[Vec<String>], n: usize) -> Option<f64> {
    let counts = grams(texts, n);
    let all: u64 = counts.values().sum();
    (all > 0).then(|| counts.len() as f64 / all as f64)
}

/// Entropy of the runs of `n` words of all texts together, in nats; `None` if there are none.
pub fn entropy(texts: &[Vec<String>], n: usize) -> Option<f64> {
    let counts = grams(texts, n);
    let all = counts.values().sum::<u64>() as f64;
    let part = |count: &u64| *count as f64 / all;
    (all > 0.0).then(|| counts.values().map(|count| part(count) * part(count).recip().ln()).sum())
}

fn generic(texts: &[Vec<String>]) -> usize {
    let mut counts: BTreeMap<&[String], usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let mut counts: Vec<usize> = counts.into_values().filter(|count| *count > 1).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.iter().take(GENERIC).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Turn;

    fn item(context: &[&str], response: &str) -> Item {
        Item {
            context: context.iter().map(|text| Turn::new("A", *text)).collect(),
            response: response.into(),
            ..Item::default()
        }
    }

    #[test]
    fn each_measure_counts_what_its_name_says() {
        let items = [
            item(&["I like green tea a lot."], "So you like green tea, too?"),
            item(&["Hi!"], "I don't know."),
            item(&["What?"], "i don't KNOW"),
            item(&["Again?"], "on and on and on and on"),
            item(&["..."], "?!"),
        ];
        let found = measure(&items);
        assert_eq!(found.responses, 5);
        assert_eq!(found.mean_words, Some((6 + 3 + 3 + 7) as f64 / 5.0));
        assert_eq!(found.repeats_earlier_turn, Some(0.2));
        assert_eq!(found.repeats_itself, Some(0.2));
        assert_eq!(found.generic, Some(0.4));
        assert_eq!(found.empty, Some(0.2));
        assert_eq!(found.distinct_1, Some(11.0 / 19.0));
        let none = measure(&[]);
        assert_eq!((none.mean_words, none.distinct_1, none.entropy_4), (None, None, None));
    }

    #[test]
    fn units_of_information() {
        assert_eq!(word_perplexity(2.0 * 3f64.ln(), ["two words"]).map(|p| p.round()), Some(3.0));
        assert_eq!(bits_per_byte(8.0 * std::f64::consts::LN_2, ["byte"]), Some(2.0));
        assert_eq!((word_perplexity(1.0, ["?"]), bits_per_byte(1.0, [])), (None, None));
    }
}
