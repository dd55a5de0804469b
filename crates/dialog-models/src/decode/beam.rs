//! Beam search, for comparison: it finds likely responses, which are dull ones.

use serde::{Deserialize, Serialize};
use torch::{Kind, Tensor, no_grad};

use super::sample::{allowed, go_on_with, host, room};
use super::{Candidate, Special};
use crate::Autoregressive;

/// Beam search.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `width` | 4 | responses that are followed, and given at the end | ≥ 1 |
/// | `max_tokens` | 128 | tokens of a response, its end included, after which it is cut off | ≥ 1 |
/// | `length_power` | 1 | responses are compared by ln p / tokens ^ this; 0 favours short ones | ≥ 0 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Beam {
    /// Responses that are followed, and given at the end.
    pub width: usize,
    /// Tokens of a response, its end included, after which it is cut off.
    pub max_tokens: usize,
    /// The power of the length by which ln p is divided.
    pub length_power: f64,
}

impl Default for Beam {
    fn default() -> Self {
        Self { width: 4, max_tokens: 128, length_power: 1.0 }
    }
}

impl Beam {
    /// Every value that makes no sense: its key, and what is wrong with it.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        for (key, value) in [("width", self.width), ("max_tokens", self.max_tokens)] {
            if value == 0 {
                faults.push((key, "0 is not at least 1".to_owned()));
            }
        }
        let power = self.length_power;
        if !(power >= 0.0 && power.is_finite()) {
            faults.push(("length_power", format!("{power} is not at least 0")));
        }
        faults
    }

    fn value(&self, log_probability: f64, tokens: usize) -> f64 {
        log_probability / (tokens.max(1) as f64).powf(self.length_power)
    }
}

/// The likeliest responses that beam search finds, the best first: at most `beam.width`, those that
/// came to an end before those that were cut off. A response without a token is none. Panics as
/// [`Autoregressive::start`] does, and if the configuration has faults.
pub fn beam(
    net: &dyn Autoregressive,
    context: &[i64],
    special: &Special,
    beam: &Beam,
) -> Vec<Candidate> {
    assert!(beam.faults().is_empty(), "{:?}", beam.faults());
    let most = room(net, context.len(), beam.max_tokens);
    let (mut decoding, mut logits) = net.start(context);
    let nothing = Candidate { tokens: Vec::new(), log_probability: 0.0, finished: false };
    let (mut open, mut finished) = (vec![nothing], Vec::<Candidate>::new());
    let value = |c: &Candidate| beam.value(c.log_probability, c.generated());
    for place in 0..most {
        let mut next = Vec::new();
        for (row, token, log_probability) in best(&logits, special, &open, 2 * beam.width) {
            let before = &open[row];
            let tokens = before.tokens.clone();
            if token == special.end {
                if !tokens.is_empty() {
                    finished.push(Candidate { tokens, log_probability, finished: true });
                }
            } else if next.len() < beam.width {
                let tokens = [tokens.as_slice(), &[token]].concat();
                next.push((row, Candidate { tokens, log_probability, finished: false }));
            }
        }
        finished.sort_by(|a, b| value(b).total_cmp(&value(a)));
        finished.truncate(beam.width);
        let rows: Vec<usize> = next.iter().map(|(row, _)| *row).collect();
        open = next.into_iter().map(|(_, candidate)| candidate).collect();
        // No response gets likelier by growing: at best its sum stays, over the most tokens.
        let hope = open.iter().map(|c| beam.value(c.log_probability, most));
        let hope = hope.fold(f64::NEG_INFINITY, f64::max);
        let settled = finished.len() == beam.width && finished.last().map(&value) >= Some(hope);
        if open.is_empty() || settled || place + 1 == most {
            break;
        }
        go_on_with(decoding.as_mut(), &rows, net.device());
        let given: Vec<i64> = open.iter().map(|c| c.tokens[place]).collect();
        logits = decoding.step(&Tensor::from_slice(&given).to_device(net.device()));
    }
    open.retain(|candidate| !candidate.is_empty());
    open.sort_by(|a, b| value(b).total_cmp(&value(a)));
    finished.extend(open);
    finished.truncate(beam.width);
    finished
}

/// The `count` likeliest ways on: row, token, ln of the probability up to it. Of equally likely
/// ones the first row, then the lower id comes first.
fn best(
    logits: &Tensor,
    special: &Special,
    open: &[Candidate],
    count: usize,
) -> Vec<(usize, i64, f64)> {
    let (log_p, left) = no_grad(|| {
        let logits = logits.to_kind(Kind::Float);
        (host(&logits.log_softmax(-1, Kind::Float)), host(&allowed(&logits, special)))
    });
    let vocabulary = log_p.len() / open.len();
    let sum = |i: usize| match left[i] {
        f32::NEG_INFINITY => f64::NEG_INFINITY,
        _ => open[i / vocabulary].log_probability + f64::from(log_p[i]),
    };
    let sums: Vec<f64> = (0..log_p.len()).map(sum).collect();
    let mut order: Vec<usize> = (0..sums.len()).collect();
    let by = |a: &usize, b: &usize| sums[*b].total_cmp(&sums[*a]).then(a.cmp(b));
    if count < order.len() {
        order.select_nth_unstable_by(count, by);
        order.truncate(count);
    }
    order.sort_unstable_by(by);
    let possible = order.into_iter().filter(|&i| sums[i].is_finite());
    possible.map(|i| (i / vocabulary, (i % vocabulary) as i64, sums[i])).collect()
}
