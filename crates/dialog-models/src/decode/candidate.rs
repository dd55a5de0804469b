//! What is read and what is written, and the tokens that mean something to decoding.

use std::collections::BTreeSet;

/// A context to which responses are written.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// Its token ids.
    pub context: &'a [i64],
    /// From which random numbers follow, where there are any.
    pub seed: u64,
    /// Tokens of a response, its end included, after which it is cut off.
    pub max_tokens: usize,
}

/// Tokens that are no text. Decoding panics if one is not in the vocabulary, or no token is left
/// that a response may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Special {
    /// What ends a response.
    pub end: i64,
    /// What no response has, such as the token that separates turns.
    pub never: Vec<i64>,
    /// Whether a response that reaches the most tokens has the end as its last one, for certain.
    pub forced: bool,
    /// Whether the probabilities of the tokens that a response may have sum up to 1, rather than
    /// those of all.
    pub renormalized: bool,
}

impl Special {
    /// Nothing but the token that ends a response.
    pub fn end(end: i64) -> Self {
        Self { end, ..Self::default() }
    }

    /// Panics if a network of so many tokens cannot keep to this.
    pub(super) fn check(&self, vocabulary: i64) {
        let never = self.never.iter().map(|&token| (token, "which no response has"));
        for (token, what) in std::iter::once((self.end, "which ends responses")).chain(never) {
            let known = (0..vocabulary).contains(&token);
            assert!(known, "token {token}, {what}, is not in a vocabulary of {vocabulary}");
        }
        let never: BTreeSet<i64> = self.never.iter().copied().collect();
        let left = (never.len() as i64) < vocabulary;
        assert!(left, "no response may have any of the {vocabulary} tokens of the vocabulary");
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its tokens, without the one that ends it.
    pub tokens: Vec<i64>,
    /// ln of the probability that the network gives it, at temperature 1 and over all tokens
    /// ([`Special::renormalized`] takes others), that of the end included if it has one.
    pub log_probability: f64,
    /// Whether it came to an end by itself, or was cut off.
    pub finished: bool,
}

impl Candidate {
    /// How many tokens were written, the end included.
    pub fn generated(&self) -> usize {
        self.tokens.len() + usize::from(self.finished)
    }

    /// ln of its probability, divided by the number of tokens written (the prompt does not count);
    /// none if nothing was.
    pub fn score(&self) -> Option<f64> {
        let generated = self.generated();
        (generated > 0).then(|| self.log_probability / generated as f64)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}
