//! From logits to tokens, and how many of these there may be.

use torch::device::tensor_on;
use torch::{Device, Kind, Tensor, no_grad};

use super::{Prompt, Sampling, Special};
use crate::Autoregressive;

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
    let never = tensor_on(&special.never, logits.device());
    logits.index_fill(1, &never, f64::NEG_INFINITY)
}

/// Float32 numbers of a tensor, row by row.
pub(super) fn host(x: &Tensor) -> Vec<f32> {
    let flat = x.to_device(Device::Cpu).contiguous().reshape([-1]);
    Vec::try_from(flat).expect("float32")
}

/// A token for each row of logits, with ln of its probability; each row has a way to draw and a
/// number from which the token follows.
pub(super) fn draw(
    logits: &Tensor,
    special: &Special,
    samplings: &[Sampling],
    numbers: &[f64],
) -> (Vec<i64>, Vec<f64>) {
    no_grad(|| {
        let logits = logits.to_kind(Kind::Float);
        let vocabulary = logits.size()[1] as usize;
        // Row by row whatever the temperatures, so that a row is rounded alike in any company.
        let warm = |s: &Sampling| if s.is_greedy() { 1.0 } else { s.temperature as f32 };
        let warm: Vec<f32> = samplings.iter().map(warm).collect();
        let warm = tensor_on(&warm, logits.device()).unsqueeze(1);
        let probabilities = host(&(allowed(&logits, special) / warm).softmax(-1, Kind::Float));
        let rows = probabilities.chunks_exact(vocabulary).zip(samplings).zip(numbers);
        let tokens: Vec<i64> =
            rows.map(|((row, sampling), &at)| sampling.draw(row, at) as i64).collect();
        let chosen = tensor_on(&tokens, logits.device()).unsqueeze(1);
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
            draw(&logits, &special, &[sampling; 2], &[0.999, 0.0])
        };
        let greedy = drawn(0.0);
        assert_eq!(greedy.0, [2, 3]);
        for temperature in [1e-300, 1e-40, 1e-5, 1e-4] {
            assert_eq!(drawn(temperature), greedy, "{temperature}");
        }
    }
}
