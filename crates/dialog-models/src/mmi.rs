//! Maximum mutual information (Li et al. 2016; DialoGPT, section 3.2): of several responses the one
//! from which the context can be told best.

use torch::{Kind, Mode, no_grad};

use crate::{Autoregressive, Gpt2, LanguageModel, Texts, joined};

/// ln P(context | response) for each response, by a network that was trained on dialogues in
/// reverse: it reads a response, and the turns before it, the last one first, are predicted with
/// their ends. `turns` are those of the context in order. Panics if there is none, or if response
/// and context have more tokens than `reverse` has positions.
pub fn scores(reverse: &Gpt2, turns: &[Vec<i64>], responses: &[Vec<i64>], end: i64) -> Vec<f64> {
    assert!(!turns.is_empty(), "a context without a turn");
    let mut backwards = turns.to_vec();
    backwards.reverse();
    let context = joined(&backwards, end);
    let each = responses.iter().map(|response| {
        let read = joined(std::slice::from_ref(response), end);
        let first = read.len();
        ([read, context.clone()].concat(), first)
    });
    let each: Vec<(Vec<i64>, usize)> = each.collect();
    let texts: Vec<(&[i64], usize)> = each.iter().map(|(t, n)| (t.as_slice(), *n)).collect();
    if texts.is_empty() {
        return Vec::new();
    }
    let batch = Texts::new(&texts, reverse.device());
    let nll = no_grad(|| reverse.token_loss(&batch, 0.0, Mode::Eval)).nll;
    let rows = nll.view([responses.len() as i64, context.len() as i64]);
    let sums = rows.to_kind(Kind::Double).sum_dim_intlist(1, false, Kind::Double);
    Vec::try_from(-sums).expect("float64")
}
