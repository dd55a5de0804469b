//! Exact match and F1 of answers to questions, as the official scripts of SQuAD 1.1
//! (`evaluate-v1.1.py`) and SQuAD 2.0 (`evaluate-v2.0.py`) compute them.

use std::collections::HashMap;

use crate::spaces::words;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Whose script: they differ where an answer has no words, and in what counts as a right answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SquadVersion {
    /// Every question has an answer.
    V1,
    /// A question may have none; the right prediction is then empty.
    V2,
}

/// Exact match and F1 of one answer in percent, as all scores here.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AnswerScore {
    /// 100 if the answer is the same but for case, punctuation, articles and spaces, else 0.
    pub exact: f64,
    /// F1 of its words in percent.
    pub f1: f64,
}

/// Exact match and F1 of one answer from 0 to 1, as the scripts sum them.
#[derive(Clone, Copy, Default)]
struct Shares {
    exact: f64,
    f1: f64,
}

/// A text in lower case without ASCII punctuation and articles, its words separated by one space.
///
/// ```
/// assert_eq!(metrics::normalize_answer(" The  Beatles' A-side!"), "beatles aside");
/// ```
pub fn normalize_answer(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept: String = lower.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let mut plain = String::with_capacity(kept.len());
    // Articles stand between characters that are no parts of words.
    let mut rest = kept.as_str();
    while !rest.is_empty() {
        let inside = rest.starts_with(is_word);
        let end = rest.find(|c| is_word(c) != inside).unwrap_or(rest.len());
        let (piece, later) = rest.split_at(end);
        plain.push_str(if inside && matches!(piece, "a" | "an" | "the") { " " } else { piece });
        rest = later;
    }
    words(&plain).collect::<Vec<_>>().join(" ")
}

/// What Python's `\w` matches.
fn is_word(c: char) -> bool {
    let group = c.general_category_group();
    c == '_' || matches!(group, GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
}

/// The best score of an answer over all right ones.
///
/// ```
/// use metrics::{SquadVersion, answer_score};
/// let score = answer_score("cat sat on the mat", &["the cat sat"], SquadVersion::V2);
/// assert!(score.exact == 0.0 && (score.f1 - 200.0 / 3.0).abs() < 1e-12);
/// assert_eq!(answer_score("", &[""; 0], SquadVersion::V2).f1, 100.0);
/// ```
pub fn answer_score(
    prediction: &str,
    golds: &[impl AsRef<str>],
    version: SquadVersion,
) -> AnswerScore {
    let Shares { exact, f1 } = shares(prediction, golds, version);
    AnswerScore { exact: 100.0 * exact, f1: 100.0 * f1 }
}

fn shares(prediction: &str, golds: &[impl AsRef<str>], version: SquadVersion) -> Shares {
    let prediction = normalize_answer(prediction);
    let golds = golds.iter().map(|gold| normalize_answer(gold.as_ref()));
    let mut golds: Vec<String> =
        golds.filter(|gold| version == SquadVersion::V1 || !gold.is_empty()).collect();
    if golds.is_empty() && version == SquadVersion::V2 {
        golds.push(String::new());
    }
    let score = |gold: &String| Shares {
        exact: f64::from(*gold == prediction),
        f1: words_f1(&prediction, gold, version),
    };
    let better = |a: Shares, b: Shares| Shares { exact: a.exact.max(b.exact), f1: a.f1.max(b.f1) };
    golds.iter().map(score).fold(Shares::default(), better)
}

fn words_f1(prediction: &str, gold: &str, version: SquadVersion) -> f64 {
    let words = |text: &str| -> Vec<String> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (predicted, right) = (words(prediction), words(gold));
    if version == SquadVersion::V2 && (predicted.is_empty() || right.is_empty()) {
        return f64::from(predicted == right);
    }
    let mut counts: HashMap<&str, i64> = HashMap::new();
    right.iter().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut common = 0;
    for word in &predicted {
        if let Some(left) = counts.get_mut(word.as_str()).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    if common == 0 {
        return 0.0;
    }
    let precision = f64::from(common) / predicted.len() as f64;
    let recall = f64::from(common) / right.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

/// A question with what was predicted.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered<'a> {
    /// The right answers; none if the question has none.
    pub golds: Vec<&'a str>,
    /// The prediction, empty for «no answer»; none if there is no prediction: 1.1 counts that as
    /// wrong, 2.0 leaves the question out.
    pub prediction: Option<&'a str>,
    /// How much more «no answer» is likely; only 2.0 uses it.
    pub no_answer: f64,
}

/// Percentages over a set of questions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SquadScore {
    /// Exact match in percent.
    pub exact: f64,
    /// F1 in percent.
    pub f1: f64,
    /// The number of questions.
    pub questions: usize,
}

/// What the script of SQuAD 2.0 prints.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Squad2Scores {
    /// All questions, at the threshold.
    pub all: SquadScore,
    /// Those with an answer; none if there are none.
    pub has_answer: Option<SquadScore>,
    /// Those without; none if there are none.
    pub no_answer: Option<SquadScore>,
    /// The best exact match in percent at any threshold, and that threshold.
    pub best_exact: (f64, f64),
    /// The best F1 in percent at any threshold, and that threshold.
    pub best_f1: (f64, f64),
    /// What makes the thresholds meaningless.
    pub warnings: Vec<String>,
}

/// Exact match and F1 as SQuAD 1.1's script computes them; none without questions.
pub fn squad1(answered: &[Answered<'_>]) -> Option<SquadScore> {
    let score = |one: &Answered<'_>| match one.prediction {
        Some(prediction) => shares(prediction, &one.golds, SquadVersion::V1),
        None => Shares::default(),
    };
    mean(answered.iter().map(score))
}

/// What SQuAD 2.0's script computes: a question whose `no_answer` is above the threshold counts as
/// answered with nothing. None without predictions.
pub fn squad2(answered: &[Answered<'_>], threshold: f64) -> Option<Squad2Scores> {
    let there: Vec<(&Answered<'_>, &str)> =
        answered.iter().filter_map(|one| Some((one, one.prediction?))).collect();
    let raw: Vec<Shares> =
        there.iter().map(|(one, p)| shares(p, &one.golds, SquadVersion::V2)).collect();
    let at_threshold: Vec<(bool, Shares)> = there
        .iter()
        .zip(&raw)
        .map(|((one, _), &score)| {
            let has = !one.golds.is_empty();
            let none = f64::from(!has);
            let nothing = Shares { exact: none, f1: none };
            (has, if one.no_answer > threshold { nothing } else { score })
        })
        .collect();
    let of = |has: bool| {
        mean(at_threshold.iter().filter(|(has_answer, _)| *has_answer == has).map(|(_, s)| *s))
    };
    let all = mean(at_threshold.iter().map(|(_, score)| *score))?;
    let mut warnings = Vec::new();
    let first = there[0].0.no_answer;
    if there.len() > 1 && there.iter().all(|(one, _)| one.no_answer == first) {
        let what = format!("all no-answer scores are {first}: the best thresholds mean nothing");
        warnings.push(what);
    }
    if there.iter().any(|(one, _)| one.no_answer.is_nan()) {
        warnings.push("a no-answer score is no number".into());
    }
    // Those without a prediction count towards the score of answering nothing, as in the script.
    let without = answered.iter().filter(|one| one.golds.is_empty()).count() as f64;
    let exact: Vec<f64> = raw.iter().map(|score| score.exact).collect();
    let f1: Vec<f64> = raw.iter().map(|score| score.f1).collect();
    Some(Squad2Scores {
        all,
        has_answer: of(true),
        no_answer: of(false),
        best_exact: best(&there, &exact, without),
        best_f1: best(&there, &f1, without),
        warnings,
    })
}

fn mean(scores: impl Iterator<Item = Shares>) -> Option<SquadScore> {
    let (mut exact, mut f1, mut questions) = (0.0, 0.0, 0);
    for score in scores {
        exact += score.exact;
        f1 += score.f1;
        questions += 1;
    }
    let all = questions as f64;
    (questions > 0).then(|| SquadScore {
        exact: 100.0 * exact / all,
        f1: 100.0 * f1 / all,
        questions,
    })
}

/// The best sum over all thresholds in percent, and where: answers are given one after the other in
/// the order of their no-answer scores.
fn best(there: &[(&Answered<'_>, &str)], scores: &[f64], without: f64) -> (f64, f64) {
    let mut order: Vec<usize> = (0..there.len()).collect();
    order.sort_by(|&a, &b| there[a].0.no_answer.total_cmp(&there[b].0.no_answer));
    let (mut now, mut most, mut at) = (without, without, 0.0);
    for i in order {
        let (one, prediction) = there[i];
        now += match (one.golds.is_empty(), prediction.is_empty()) {
            (false, _) => scores[i],
            (true, false) => -1.0,
            (true, true) => 0.0,
        };
        if now > most {
            (most, at) = (now, one.no_answer);
        }
    }
    (100.0 * most / there.len() as f64, at)
}
