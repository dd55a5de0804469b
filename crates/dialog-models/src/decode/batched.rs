//! Many contexts: those of about the same length in a batch, and batches in several threads.

use std::cmp::Reverse;
use std::sync::{Mutex, PoisonError};

use torch::{Device, device};

use super::{Candidate, Prompt};
use crate::Autoregressive;

/// How large batches are.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `rows` | 128 | responses that are written at a time, at most |
/// | `tokens` | 4,096 | tokens of their contexts, what fills up shorter ones included, at most |
///
/// A context whose responses are more than that is a batch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize {
    /// Responses at a time.
    pub rows: usize,
    /// Tokens of the contexts of all of them.
    pub tokens: usize,
}

impl Default for BatchSize {
    fn default() -> Self {
        Self { rows: 128, tokens: 4096 }
    }
}

/// Decodes one batch: responses to each of its contexts.
pub type Decode<'a> = dyn Fn(&dyn Autoregressive, &[Prompt<'_>]) -> Vec<Vec<Candidate>> + Sync + 'a;

/// Responses to any number of contexts, in their order. Each batch is given to `decode`, which
/// writes `copies` responses to each of its contexts ([`sample_all`](super::sample_all)) or follows
/// as many ([`beam_all`](super::beam_all)).
///
/// Each of `nets` works in a thread of its own, on the CPU on one core; they are one network
/// ([`Params::sharing`](torch::Params::sharing)). What is in a batch follows from the contexts
/// alone, so that the number of networks changes no bit. Panics if there is no network.
pub fn decode_batched(
    nets: &mut [Box<dyn Autoregressive + Send>],
    prompts: &[Prompt<'_>],
    copies: usize,
    size: BatchSize,
    decode: &Decode<'_>,
) -> Vec<Vec<Candidate>> {
    assert!(!nets.is_empty(), "no network to decode with");
    let lengths: Vec<usize> = prompts.iter().map(|prompt| prompt.context.len()).collect();
    let batches = batches(&lengths, copies, size);
    let (next, done) = (Mutex::new(batches.iter()), Mutex::new(Vec::new()));
    let work = |net: &dyn Autoregressive| {
        if net.device() == Device::Cpu {
            device::set_threads(1);
        }
        loop {
            let batch = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(batch) = batch else { break };
            let own: Vec<Prompt<'_>> = batch.iter().map(|&i| prompts[i]).collect();
            let made = batch.iter().copied().zip(decode(net, &own));
            done.lock().unwrap_or_else(PoisonError::into_inner).extend(made);
        }
    };
    std::thread::scope(|scope| {
        for net in nets {
            let work = &work;
            scope.spawn(move || work(&**net));
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, made)| made).collect()
}

/// The numbers of the contexts in each batch, the longest ones first.
fn batches(lengths: &[usize], copies: usize, size: BatchSize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| (Reverse(lengths[i]), i));
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut longest = 0;
    for i in order {
        let full = |batch: &Vec<usize>| {
            let rows = (batch.len() + 1) * copies;
            rows > size.rows || rows * longest > size.tokens
        };
        match all.last_mut() {
            Some(batch) if !full(batch) => batch.push(i),
            _ => {
                longest = lengths[i];
                all.push(vec![i]);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_contexts_of_like_lengths_within_their_bounds() {
        let lengths: Vec<usize> = (0..300).map(|i| 1 + (i * 7) % 61).collect();
        let size = BatchSize::default();
        for copies in [1, 5, 200] {
            let all = batches(&lengths, copies, size);
            let mut seen: Vec<usize> = all.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..300).collect::<Vec<_>>());
            for batch in &all {
                let rows = batch.len() * copies;
                let longest = batch.iter().map(|&i| lengths[i]).max().unwrap_or(0);
                assert!(batch.len() == 1 || (rows <= size.rows && rows * longest <= size.tokens));
            }
            assert!(copies > 1 || all.len() < 30, "{}", all.len());
        }
    }
}
