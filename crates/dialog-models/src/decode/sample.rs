//! Independent responses, token by token.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use torch::{Device, Kind, Tensor, no_grad};

use super::draw::uniform;
use super::{Candidate, Prompt, Sampling, Special};
use crate::Autoregressive;

/// How responses are drawn.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `candidates` | 20 | how many responses are drawn | ≥ 1 |
/// | `max_tokens` | 128 | tokens of a response, its end included, after which it is cut off | ≥ 1 |
/// | `sampling` | [`Sampling`] | how a token is drawn | |
///
/// The defaults are Meena's base version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SampleConfig {
    /// How many responses are drawn.
    pub candidates: usize,
    /// Tokens of a response, its end included, after which it is cut off.
    pub max_tokens: usize,
    /// How a token is drawn.
    pub sampling: Sampling,
}

impl Default for SampleConfig {
    fn default() -> Self {
        Self { candidates: 20, max_tokens: 128, sampling: Sampling::default() }
    }
}

impl SampleConfig {
    /// Every value that makes no sense: its key, and what is wrong with it.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        for (key, value) in [("candidates", self.candidates), ("max_tokens", self.max_tokens)] {
            if value == 0 {
                faults.push((key, "0 is not at least 1".to_owned()));
            }
        }
        faults.extend(self.sampling.faults());
        faults
    }
}

/// A token that was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written {
    /// The number of the response.
    pub candidate: usize,
    /// The token's place in it.
    pub place: usize,
    /// The token; the one that ends a response is told too.
    pub token: i64,
}

/// Draws `config.candidates` responses to a context of token ids; see [`sample_each`].
pub fn sample(
    net: &dyn Autoregressive,
    context: &[i64],
    special: &Special,
    config: &SampleConfig,
    seed: u64,
) -> Vec<Candidate> {
    let each = &mut |_| ControlFlow::Continue(());
    sample_each(net, context, special, config, seed, each)
}

/// The same, with every token told to `each` as it is drawn: token by token for a single response,
/// for several ones those of one place after another. If it breaks, drawing ends, and what is not
/// finished by then is cut off there.
///
/// What is drawn follows from the seed, the number of the response and the place of the token, so
/// that the first of 20 responses is that which is drawn alone. Panics as
/// [`Autoregressive::start`] does, and if the configuration has faults.
pub fn sample_each(
    net: &dyn Autoregressive,
    context: &[i64],
    special: &Special,
    config: &SampleConfig,
    seed: u64,
    each: &mut dyn FnMut(Written) -> ControlFlow<()>,
) -> Vec<Candidate> {
    let prompt = Prompt { context, seed, max_tokens: config.max_tokens };
    draw_all(net, &[prompt], special, config, each).remove(0)
}

/// Draws `config.candidates` responses to each of several contexts at once: those that are drawn to
/// each alone, to rounding. A context is read once for all of them. Panics as [`sample_each`] does.
pub fn sample_all(
    net: &dyn Autoregressive,
    prompts: &[Prompt<'_>],
    special: &Special,
    config: &SampleConfig,
) -> Vec<Vec<Candidate>> {
    draw_all(net, prompts, special, config, &mut |_| ControlFlow::Continue(()))
}

fn draw_all(
    net: &dyn Autoregressive,
    prompts: &[Prompt<'_>],
    special: &Special,
    config: &SampleConfig,
    each: &mut dyn FnMut(Written) -> ControlFlow<()>,
) -> Vec<Vec<Candidate>> {
    assert!(config.faults().is_empty(), "{:?}", config.faults());
    let new = Candidate { tokens: Vec::new(), log_probability: 0.0, finished: false };
    let mut all = vec![vec![new; config.candidates]; prompts.len()];
    if prompts.is_empty() {
        return all;
    }
    let most: Vec<usize> =
        prompts.iter().map(|prompt| room(net, prompt, config.max_tokens)).collect();
    let contexts: Vec<&[i64]> = prompts.iter().map(|prompt| prompt.context).collect();
    let (mut decoding, logits) = net.start(&contexts);
    // The responses that go on, in the order of rows: context and number of each.
    let of = |context: usize| (0..config.candidates).map(move |candidate| (context, candidate));
    let mut open: Vec<(usize, usize)> =
        (0..prompts.len()).filter(|&context| most[context] > 0).flat_map(of).collect();
    if open.is_empty() {
        return all;
    }
    let rows: Vec<usize> = open.iter().map(|row| row.0).collect();
    let numbers: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let numbers = Tensor::from_slice(&numbers).to_device(net.device());
    let mut logits = logits.index_select(0, &numbers);
    decoding.select(&rows);
    for place in 0.. {
        let number = |&(context, candidate): &(usize, usize)| {
            uniform(prompts[context].seed, candidate, place)
        };
        let numbers = open.iter().map(number).collect();
        let (mut tokens, mut log_probabilities) = draw(&logits, special, config.sampling, numbers);
        let (mut stopped, mut left) = (false, Vec::new());
        for (row, &(context, candidate)) in open.iter().enumerate() {
            let last = place + 1 == most[context];
            if last && special.forced {
                (tokens[row], log_probabilities[row]) = (special.end, 0.0);
            }
            let (token, own) = (tokens[row], &mut all[context][candidate]);
            own.log_probability += log_probabilities[row];
            if token == special.end {
                own.finished = true;
            } else {
                own.tokens.push(token);
                if !last {
                    left.push(row);
                }
            }
            stopped |= each(Written { candidate, place, token }).is_break();
        }
        if left.is_empty() || stopped {
            break;
        }
        if left.len() < open.len() {
            decoding.select(&left);
            open = left.iter().map(|&row| open[row]).collect();
        }
        let given: Vec<i64> = left.iter().map(|&row| tokens[row]).collect();
        logits = decoding.step(&Tensor::from_slice(&given).to_device(net.device()));
    }
    all
}

/// How many tokens may be written after a context.
pub(super) fn room(net: &dyn Autoregressive, prompt: &Prompt<'_>, most: usize) -> usize {
    let most = most.min(prompt.max_tokens);
    let most = net.longest_response().map_or(most, |longest| most.min(longest));
    net.longest().map_or(most, |longest| most.min(longest.saturating_sub(prompt.context.len())))
}

/// Logits without the tokens that no response has.
pub(super) fn allowed(logits: &Tensor, special: &Special) -> Tensor {
    if special.never.is_empty() {
        return logits.shallow_clone();
    }
    let never = Tensor::from_slice(&special.never).to_device(logits.device());
    logits.index_fill(1, &never, f64::NEG_INFINITY)
}

/// Float32 numbers of a tensor, row by row.
pub(super) fn host(x: &Tensor) -> Vec<f32> {
    let flat = x.to_device(Device::Cpu).contiguous().reshape([-1]);
    Vec::try_from(flat).expect("float32")
}

/// A token for each row of logits, with ln of its probability.
fn draw(
    logits: &Tensor,
    special: &Special,
    sampling: Sampling,
    numbers: Vec<f64>,
) -> (Vec<i64>, Vec<f64>) {
    no_grad(|| {
        let logits = logits.to_kind(Kind::Float);
        let vocabulary = logits.size()[1] as usize;
        let warm = if sampling.is_greedy() { 1.0 } else { sampling.temperature };
        let probabilities = host(&(allowed(&logits, special) / warm).softmax(-1, Kind::Float));
        let rows = probabilities.chunks_exact(vocabulary).zip(numbers);
        let tokens: Vec<i64> = rows.map(|(row, at)| sampling.draw(row, at) as i64).collect();
        let chosen = Tensor::from_slice(&tokens).to_device(logits.device()).unsqueeze(1);
        let all = match special.renormalized {
            true => allowed(&logits, special).logsumexp([1].as_slice(), true),
            false => logits.logsumexp([1].as_slice(), true),
        };
        let own = host(&(logits.gather(1, &chosen, false) - all));
        (tokens, own.into_iter().map(f64::from).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coldest_draws_are_the_most_likely_tokens_that_may_be_drawn() {
        let logits = Tensor::from_slice(&[9.0f32, -1.0, 3.0, 2.0, 8.0, -700.0, -699.0, -698.0]);
        let logits = logits.reshape([2, 4]);
        let special = Special { never: vec![0], ..Special::end(1) };
        let drawn = |temperature| {
            let sampling = Sampling { temperature, ..Sampling::default() };
            draw(&logits, &special, sampling, vec![0.999, 0.0])
        };
        let greedy = drawn(0.0);
        assert_eq!(greedy.0, [2, 3]);
        for temperature in [1e-300, 1e-40, 1e-5, 1e-4] {
            assert_eq!(drawn(temperature), greedy, "{temperature}");
        }
    }
}
