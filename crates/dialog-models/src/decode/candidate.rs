//! A response that a network has written, and the tokens that mean something to decoding.

/// Tokens that are no text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Special {
    /// What ends a response.
    pub end: i64,
    /// What no response has, such as the token that separates turns.
    pub never: Vec<i64>,
}

impl Special {
    /// Nothing but the token that ends a response.
    pub fn end(end: i64) -> Self {
        Self { end, never: Vec::new() }
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its tokens, without the one that ends it.
    pub tokens: Vec<i64>,
    /// ln of the probability that the network gives it, at temperature 1 and over all tokens,
    /// that of the end included if it has one.
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
