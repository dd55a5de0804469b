//! Automatic measures of responses, each under its own name. None of them is SSA.

use crate::item::Likelihood;

/// Perplexity of all texts together: exp(sum of negative log-likelihoods / sum of tokens). A mean
/// of the texts' perplexities would be another number, and would depend on how they are batched.
/// `None` without tokens.
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
