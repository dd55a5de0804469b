//! The likeliest tokens of a row of logits.

use torch::{Device, Kind, Tensor, no_grad};

use super::Special;
use super::logits::{allowed, host};

/// A token that may follow, and ln of its probability.
pub(super) type Way = (i64, f64);

/// Numbers of a row that are looked at together.
const BLOCK: usize = 256;

/// The `count` likeliest tokens of each row of logits, the likeliest first; on the CPU equal ones
/// in the order of their ids.
pub(super) fn likeliest(logits: &Tensor, special: &Special, count: usize) -> Vec<Vec<Way>> {
    let log_p = no_grad(|| {
        let logits = logits.to_kind(Kind::Float);
        match special.renormalized {
            true => allowed(&logits, special).log_softmax(-1, Kind::Float),
            false => logits.log_softmax(-1, Kind::Float),
        }
    });
    let vocabulary = log_p.size()[1] as usize;
    let count = count.min(vocabulary);
    match log_p.device() {
        // Faster than libtorch's `topk`, by an eighth of a greedy translation
        // (docs/results/translation.md).
        Device::Cpu => {
            let all = host(&log_p);
            let is_allowed = |token: i64| !special.never.contains(&token);
            all.chunks_exact(vocabulary).map(|row| largest(row, count, is_allowed)).collect()
        }
        _ => selected(&allowed(&log_p, special), count),
    }
}

/// The `count` largest numbers of each row with their places, by libtorch.
fn selected(x: &Tensor, count: usize) -> Vec<Vec<Way>> {
    let (values, tokens) = no_grad(|| x.topk(count as i64, 1, true, true));
    let tokens = tokens.to_device(Device::Cpu).reshape([-1]);
    let tokens = Vec::<i64>::try_from(tokens).expect("int64");
    let values = host(&values);
    let ways = tokens.into_iter().zip(values.into_iter().map(f64::from)).collect::<Vec<Way>>();
    ways.chunks_exact(count).map(<[Way]>::to_vec).collect()
}

/// The `count` largest numbers of a row with their places, among those places that are allowed;
/// fewer where there are not as many above −∞.
fn largest(row: &[f32], count: usize, is_allowed: impl Fn(i64) -> bool) -> Vec<Way> {
    let mut best: Vec<(f32, i64)> = Vec::with_capacity(count + 1);
    let mut least = f32::NEG_INFINITY;
    for (block, first) in row.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if greatest(block) <= least {
            continue;
        }
        for (&value, token) in block.iter().zip(first..) {
            if value > least && is_allowed(token) {
                let place = best.partition_point(|&(other, _)| other >= value);
                best.insert(place, (value, token));
                best.truncate(count);
                if best.len() == count {
                    least = best[count - 1].0;
                }
            }
        }
    }
    best.into_iter().map(|(value, token)| (token, f64::from(value))).collect()
}

/// The greatest number, in lanes that a processor compares at once; −∞ of none.
fn greatest(block: &[f32]) -> f32 {
    let more = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; 16];
    let parts = block.chunks_exact(lanes.len());
    let rest = parts.remainder();
    for part in parts {
        for (lane, &value) in lanes.iter_mut().zip(part) {
            *lane = more(*lane, value);
        }
    }
    lanes.into_iter().chain(rest.iter().copied()).fold(f32::NEG_INFINITY, more)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_scan_finds_what_libtorch_does(
            rows in 1_usize..4,
            width in prop_oneof![1_usize..20, 200_usize..700],
            count in 1_usize..9,
            never in prop::collection::vec(0_i64..20, 0..3),
            renormalized: bool,
            seed: u64,
        ) {
            let _alone = torch::rng::exclusive();
            torch::rng::seed(seed);
            let shape = [rows as i64, width as i64];
            let logits = Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 3.0;
            let never: Vec<i64> = never.into_iter().filter(|&t| t < width as i64).collect();
            let special = Special { never, renormalized, ..Special::end(0) };
            let found = likeliest(&logits, &special, count);
            let log_p = match renormalized {
                true => allowed(&logits, &special).log_softmax(-1, Kind::Float),
                false => allowed(&logits.log_softmax(-1, Kind::Float), &special),
            };
            let mut wanted = selected(&log_p, count.min(width));
            wanted.iter_mut().for_each(|row| row.retain(|way| way.1.is_finite()));
            for ((found, wanted), log_p) in found.iter().zip(&wanted).zip(log_p.unbind(0)) {
                // Which of equal numbers comes first, libtorch does not promise.
                let values = |ways: &[Way]| ways.iter().map(|way| way.1).collect::<Vec<_>>();
                prop_assert_eq!(values(found), values(wanted));
                for &(token, p) in found {
                    prop_assert_eq!(log_p.double_value(&[token]), p);
                }
                let mut tokens: Vec<i64> = found.iter().map(|way| way.0).collect();
                tokens.sort_unstable();
                tokens.dedup();
                prop_assert_eq!(tokens.len(), found.len());
            }
        }
    }

    #[test]
    fn equal_numbers_come_in_the_order_of_their_places() {
        let row = [1.0, 3.0, f32::NEG_INFINITY, 3.0, f32::NAN, 2.0, 3.0];
        let all = |count| largest(&row, count, |_| true).into_iter().map(|way| way.0).collect();
        let [three, all]: [Vec<i64>; 2] = [all(3), all(9)];
        assert_eq!((three, all), (vec![1, 3, 6], vec![1, 3, 6, 5, 0]));
        assert_eq!(largest(&row, 2, |token| token != 3), [(1, 3.0), (6, 3.0)]);
        assert!(largest(&[f32::NEG_INFINITY; 3], 2, |_| true).is_empty());
    }
}
