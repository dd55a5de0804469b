//! BLEU (Papineni et al. 2002) as sacrebleu computes it (Post 2018, arXiv 1804.08771).

use std::collections::HashMap;

use crate::spaces::{is_space, words};
use crate::words::counted;

/// Words of the longest n-gram.
const ORDER: usize = 4;

/// What stands in for a precision of 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Smoothing {
    /// Nothing: the score is 0.
    None,
    /// The first precision of 0 counts as half a match, the next as a quarter, and so on
    /// (NIST's script).
    Exp,
    /// This many matches.
    Floor(f64),
    /// This is added to the matches and the number of n-grams of two words and more.
    AddK(f64),
}

/// How texts are cut into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokenization {
    /// As NIST's `mteval-v13a`: punctuation by itself, numbers whole.
    Mteval13a,
    /// At spaces.
    Spaces,
}

/// How BLEU is computed; the defaults are sacrebleu's for whole sets.
///
/// ```
/// use metrics::Bleu;
///
/// let bleu = Bleu::default();
/// let translations = ["The dog bit the man.", "It was cold outside."];
/// let references = ["The dog had bitten the man.", "It was cold outside."];
/// let score = bleu.corpus(&translations, &[&references]).expect("as many references");
/// assert!((score.score - 57.9).abs() < 0.1, "{}", score.score);
/// assert_eq!(bleu.signature(1), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bleu {
    /// How texts are cut into words.
    pub tokenization: Tokenization,
    /// What stands in for a precision of 0.
    pub smoothing: Smoothing,
    /// Whether upper and lower case are the same.
    pub lowercase: bool,
    /// Whether n-grams longer than the translation are left out of the mean, for single sentences.
    pub effective_order: bool,
}

impl Default for Bleu {
    fn default() -> Self {
        Self {
            tokenization: Tokenization::Mteval13a,
            smoothing: Smoothing::Exp,
            lowercase: false,
            effective_order: false,
        }
    }
}

/// What BLEU comes to, and from what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BleuScore {
    /// BLEU, 0 to 100.
    pub score: f64,
    /// The smoothed precisions of one to four words, in percent.
    pub precisions: [f64; ORDER],
    /// What the score is multiplied by for being shorter than the references.
    pub brevity_penalty: f64,
    /// Words of the translations.
    pub translated: usize,
    /// Words of the references that are closest in length.
    pub reference: usize,
    /// n-grams of one to four words that a reference has too.
    pub matches: [usize; ORDER],
    /// All n-grams of one to four words.
    pub totals: [usize; ORDER],
}

/// Translations and references that do not belong together: references are streams, each of which
/// has a line for every translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// There is no stream of references.
    NoReference,
    /// A stream has another number of lines than there are translations.
    Lines {
        /// The stream, from 0.
        stream: usize,
        /// Its lines.
        lines: usize,
        /// How many translations there are.
        translations: usize,
    },
}

impl std::fmt::Display for StreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoReference => write!(f, "no references: give at least one stream of them"),
            Self::Lines { stream, lines, translations } => write!(
                f,
                "reference {} has {} for {}: line i of each must belong to translation i",
                stream + 1,
                counted(lines, "line"),
                counted(translations, "translation")
            ),
        }
    }
}

impl std::error::Error for StreamError {}

/// Checks that every stream has a line for each translation.
pub(crate) fn check<S>(translations: usize, streams: &[&[S]]) -> Result<(), StreamError> {
    if streams.is_empty() {
        return Err(StreamError::NoReference);
    }
    match streams.iter().position(|stream| stream.len() != translations) {
        Some(stream) => {
            Err(StreamError::Lines { stream, lines: streams[stream].len(), translations })
        }
        None => Ok(()),
    }
}

impl Bleu {
    /// Sacrebleu's setting for a single sentence: shorter ones are judged by the n-grams that they
    /// have.
    pub fn of_sentences() -> Self {
        Self { effective_order: true, ..Self::default() }
    }

    /// BLEU of a set of translations: counts are added up over it. Line `i` of each stream of
    /// references belongs to translation `i`.
    ///
    /// # Errors
    /// When there is no stream, or one has another number of lines.
    pub fn corpus<S: AsRef<str>>(
        &self,
        translations: &[S],
        streams: &[&[S]],
    ) -> Result<BleuScore, StreamError> {
        check(translations.len(), streams)?;
        let mut counts = Counts::default();
        for (i, translation) in translations.iter().enumerate() {
            let references: Vec<&str> = streams.iter().map(|stream| stream[i].as_ref()).collect();
            counts.add(self, translation.as_ref(), &references);
        }
        Ok(self.score(&counts))
    }

    /// BLEU of one translation with one or more references. Panics if there is none.
    pub fn sentence(&self, translation: &str, references: &[&str]) -> BleuScore {
        assert!(!references.is_empty(), "BLEU of a sentence without a reference");
        let mut counts = Counts::default();
        counts.add(self, translation, references);
        self.score(&counts)
    }

    /// What a score must be stated with, in sacrebleu's words (its version left out).
    pub fn signature(&self, references: usize) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let effective = if self.effective_order { "yes" } else { "no" };
        let tokenization = match self.tokenization {
            Tokenization::Mteval13a => "13a",
            Tokenization::Spaces => "none",
        };
        let smoothing = match self.smoothing {
            Smoothing::None => "none".to_owned(),
            Smoothing::Exp => "exp".to_owned(),
            Smoothing::Floor(value) => format!("floor[{value:.2}]"),
            Smoothing::AddK(value) => format!("add-k[{value:.2}]"),
        };
        format!(
            "nrefs:{references}|case:{case}|eff:{effective}|tok:{tokenization}|smooth:{smoothing}"
        )
    }

    fn words(&self, text: &str) -> Vec<String> {
        let text = text.trim_end_matches(is_space);
        let text = if self.lowercase { text.to_lowercase() } else { text.to_owned() };
        match self.tokenization {
            Tokenization::Mteval13a => mteval_13a(&text),
            Tokenization::Spaces => words(&text).map(str::to_owned).collect(),
        }
    }

    fn score(&self, counts: &Counts) -> BleuScore {
        let &Counts { matches, totals, translated, reference } = counts;
        let brevity_penalty = match translated {
            // Nothing is as long as nothing.
            0 if reference > 0 => 0.0,
            _ if translated < reference => (1.0 - reference as f64 / translated as f64).exp(),
            _ => 1.0,
        };
        let mut precisions = [0.0; ORDER];
        let none = BleuScore {
            score: 0.0,
            precisions,
            brevity_penalty,
            translated,
            reference,
            matches,
            totals,
        };
        if matches.iter().all(|&n| n == 0) {
            return none;
        }
        let (mut order, mut halves) = (ORDER, 1.0);
        for n in 0..ORDER {
            let (mut found, mut all) = (matches[n] as f64, totals[n] as f64);
            if let Smoothing::AddK(k) = self.smoothing
                && n > 0
            {
                (found, all) = (found + k, all + k);
            }
            if all == 0.0 {
                break;
            }
            if self.effective_order {
                order = n + 1;
            }
            if found == 0.0 {
                match self.smoothing {
                    Smoothing::Exp => {
                        halves *= 2.0;
                        found = 1.0 / halves;
                    }
                    Smoothing::Floor(value) => found = value,
                    Smoothing::None | Smoothing::AddK(_) => {}
                }
            }
            precisions[n] = 100.0 * found / all;
        }
        let ln = precisions[..order].iter().map(|p| p.ln()).sum::<f64>() / order as f64;
        BleuScore { score: brevity_penalty * ln.exp(), precisions, ..none }
    }
}

#[derive(Default)]
struct Counts {
    matches: [usize; ORDER],
    totals: [usize; ORDER],
    translated: usize,
    reference: usize,
}

type NGrams<'a> = HashMap<&'a [String], usize>;

fn n_grams(words: &[String]) -> NGrams<'_> {
    let mut counts = NGrams::new();
    for n in 1..=ORDER {
        words.windows(n).for_each(|gram| *counts.entry(gram).or_default() += 1);
    }
    counts
}

impl Counts {
    fn add(&mut self, bleu: &Bleu, translation: &str, references: &[&str]) {
        let words = bleu.words(translation);
        let references: Vec<Vec<String>> = references.iter().map(|text| bleu.words(text)).collect();
        // The closest one in length; of two that are as close the shorter.
        let lengths = references.iter().map(Vec::len);
        let closest = lengths.min_by_key(|&length| (length.abs_diff(words.len()), length));
        self.translated += words.len();
        self.reference += closest.unwrap_or_default();
        let mut allowed = NGrams::new();
        for reference in &references {
            for (gram, count) in n_grams(reference) {
                let most = allowed.entry(gram).or_default();
                *most = count.max(*most);
            }
        }
        for (gram, count) in n_grams(&words) {
            self.totals[gram.len() - 1] += count;
            self.matches[gram.len() - 1] += count.min(allowed.get(gram).copied().unwrap_or(0));
        }
    }
}

/// The words of a text by the rules of `mteval-v13a`, which were made for Western languages.
fn mteval_13a(text: &str) -> Vec<String> {
    let mut text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    for (name, letter) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        text = text.replace(name, letter);
    }
    // ASCII punctuation but for the apostrophe, comma, hyphen and full stop.
    let alone = |c: char| c.is_ascii_punctuation() && !matches!(c, '\'' | ',' | '-' | '.');
    let mut spaced = vec![' '];
    for c in text.chars() {
        if alone(c) { spaced.extend([' ', c, ' ']) } else { spaced.push(c) }
    }
    spaced.push(' ');
    let digit = |c: char| c.is_ascii_digit();
    let stop = |c: char| matches!(c, '.' | ',');
    // Full stops and commas stand alone unless they are between digits; hyphens, behind digits.
    let spaced = pairs(&spaced, |a, b| !digit(a) && stop(b), |a, b| [a, ' ', b, ' ']);
    let spaced = pairs(&spaced, |a, b| stop(a) && !digit(b), |a, b| [' ', a, ' ', b]);
    let spaced = pairs(&spaced, |a, b| digit(a) && b == '-', |a, b| [a, ' ', b, ' ']);
    let spaced: String = spaced.into_iter().collect();
    words(&spaced).map(str::to_owned).collect()
}

/// Replaces pairs of letters from the left; a letter that was replaced is in no other pair.
fn pairs(
    text: &[char],
    wanted: impl Fn(char, char) -> bool,
    with: impl Fn(char, char) -> [char; 4],
) -> Vec<char> {
    let mut out = Vec::with_capacity(2 * text.len());
    let mut i = 0;
    while i < text.len() {
        match text.get(i + 1) {
            Some(&next) if wanted(text[i], next) => {
                out.extend(with(text[i], next));
                i += 2;
            }
            _ => {
                out.push(text[i]);
                i += 1;
            }
        }
    }
    out
}
