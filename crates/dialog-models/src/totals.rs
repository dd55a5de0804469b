//! Perplexity over many batches.

use torch::{Kind, Tensor};

/// Sums of −ln p and of tokens over batches of any sizes, from which the perplexity comes.
///
/// ```
/// use dialog_models::Totals;
///
/// let mut totals = Totals::default();
/// totals.add_sum(2.0, 2);
/// totals.add_sum(24.0, 8);
/// assert!((totals.perplexity().expect("tokens") - (26.0_f64 / 10.0).exp()).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Σ −ln p, in nats.
    pub nll: f64,
    /// How many tokens that is of.
    pub tokens: u64,
}

impl Totals {
    /// Adds −ln p of tokens, float32 `[tokens]`. The sum is in float64.
    pub fn add(&mut self, nll: &Tensor) {
        let sum = nll.to_kind(Kind::Double).sum(Kind::Double).double_value(&[]);
        self.add_sum(sum, nll.numel() as u64);
    }

    /// Adds a sum of −ln p over some tokens.
    pub fn add_sum(&mut self, nll: f64, tokens: u64) {
        self.nll += nll;
        self.tokens += tokens;
    }

    /// Mean −ln p of a token, in nats; none without a token.
    pub fn mean(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.nll / self.tokens as f64)
    }

    /// exp(Σ −ln p / tokens), whatever the batches were; none without a token.
    pub fn perplexity(&self) -> Option<f64> {
        self.mean().map(f64::exp)
    }

    /// The perplexity of another unit of the same texts, such as words: exp(Σ −ln p / units).
    pub fn perplexity_per(&self, units: u64) -> Option<f64> {
        (units > 0).then(|| (self.nll / units as f64).exp())
    }
}
