//! Which of several responses is given.

use super::{Candidate, Repetition};

/// Why a response is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It says nothing.
    Empty,
    /// It repeats the earlier turn of this number.
    Repeats(usize),
    /// It is one of [`Ranking::refused`].
    Refused,
    /// It was cut off, and others came to an end.
    Truncated,
}

/// A response with its score, and why it is not given if it is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Its number among the candidates.
    pub candidate: usize,
    /// By which it stands where it does: [`Candidate::score`], −∞ if nothing was written, or that
    /// of [`Ranking::scores`].
    pub score: f64,
    /// Why it is not given.
    pub dropped: Option<Dropped>,
}

/// What responses are refused for.
#[derive(Clone, Copy, Default)]
pub struct Ranking<'a> {
    /// The rule against repetition; none without.
    pub repetition: Option<Repetition>,
    /// The turns before, as token ids.
    pub earlier: &'a [&'a [i64]],
    /// For each candidate whether it must not be given, as a safety filter says; none without.
    pub refused: Option<&'a [bool]>,
    /// What candidates are ordered by, a number for each, in place of their own scores: that of a
    /// network that reads backwards ([`mmi`](crate::mmi)).
    pub scores: Option<&'a [f64]>,
}

/// All candidates in order: those that may be given, the best score first, then those that may not,
/// the same way; of equal scores the lower number first. The first one is the response, if it is
/// not dropped.
///
/// Empty responses are never given. Those that were cut off are given only if no other one is left.
///
/// ```
/// use dialog_models::decode::{Candidate, Dropped, Ranking, rank};
///
/// let candidate = |tokens: &[i64], log_probability| {
///     Candidate { tokens: tokens.to_vec(), log_probability, finished: true }
/// };
/// let candidates = [candidate(&[], -0.1), candidate(&[5, 6], -1.5), candidate(&[7], -0.9)];
/// let ranked = rank(&candidates, &Ranking::default());
/// assert_eq!(ranked.iter().map(|r| r.candidate).collect::<Vec<_>>(), [2, 1, 0]);
/// assert_eq!((ranked[0].score, ranked[2].dropped), (-0.45, Some(Dropped::Empty)));
/// ```
pub fn rank(candidates: &[Candidate], ranking: &Ranking<'_>) -> Vec<Ranked> {
    let fault = |number: usize| {
        if candidates[number].is_empty() {
            return Some(Dropped::Empty);
        }
        let tokens = candidates[number].tokens.as_slice();
        let repeated = ranking
            .repetition
            .and_then(|rule| ranking.earlier.iter().position(|turn| rule.repeats(tokens, turn)));
        if let Some(turn) = repeated {
            return Some(Dropped::Repeats(turn));
        }
        ranking.refused.is_some_and(|refused| refused[number]).then_some(Dropped::Refused)
    };
    let other = ranking.scores.map_or(candidates.len(), <[f64]>::len);
    assert_eq!(other, candidates.len(), "scores of the candidates");
    let judged = ranking.refused.map_or(candidates.len(), <[bool]>::len);
    assert_eq!(judged, candidates.len(), "candidates that were judged");
    let mut ranked: Vec<Ranked> = candidates
        .iter()
        .enumerate()
        .map(|(candidate, of)| {
            let own = of.score().unwrap_or(f64::NEG_INFINITY);
            let score = ranking.scores.map_or(own, |scores| scores[candidate]);
            Ranked { candidate, score, dropped: fault(candidate) }
        })
        .collect();
    let whole = |r: &Ranked| candidates[r.candidate].finished;
    if ranked.iter().any(|r| r.dropped.is_none() && whole(r)) {
        for r in ranked.iter_mut().filter(|r| r.dropped.is_none()) {
            r.dropped = (!candidates[r.candidate].finished).then_some(Dropped::Truncated);
        }
    }
    ranked.sort_by(|a, b| {
        a.dropped.is_some().cmp(&b.dropped.is_some()).then(b.score.total_cmp(&a.score))
    });
    ranked
}
