//! Where the tokens of a batch lie while attention looks at them: sequences of about the same
//! length are computed together.
//!
//! Only attention needs to know where a sequence begins. For it, sequences are put into buckets;
//! within a bucket the shorter ones are filled up with rows of zeros that nobody sees. Which
//! buckets is decided by what they cost: each is a handful of operations, each filled-up row is
//! work for nothing.

use std::ops::Range;

use torch::nn::attention;
use torch::rows::Rows;
use torch::{Device, Kind, Mode, NoisyRows, Tensor};

/// What a further bucket costs, in pairs of tokens that attention compares.
const BUCKET: u64 = 1 << 14;

/// Sequences that attention computes together.
#[derive(Debug)]
struct Bucket {
    /// Their numbers, rising.
    sequences: Vec<usize>,
    /// Rows of each.
    length: usize,
    /// Float32 `[sequences, 1, 1, length]`, −∞ at rows without a token; none where all are full.
    mask: Option<Tensor>,
}

/// The lengths of a batch's sequences, and their buckets.
#[derive(Debug)]
pub(crate) struct Layout {
    lengths: Vec<usize>,
    starts: Vec<i64>,
    buckets: Vec<Bucket>,
    /// From tokens to the buckets' rows; none where these are the same.
    rows: Option<Rows>,
}

impl Layout {
    pub(crate) fn new(lengths: &[usize], device: Device) -> Self {
        assert!(!lengths.is_empty() && lengths.iter().all(|&n| n > 0), "sequences of {lengths:?}");
        let starts: Vec<usize> = lengths
            .iter()
            .scan(0, |at, &n| {
                *at += n;
                Some(*at - n)
            })
            .collect();
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
        let sorted: Vec<usize> = order.iter().map(|&i| lengths[i]).collect();
        let mut places = Vec::new();
        let buckets = cut(&sorted).into_iter().map(|range| {
            let length = sorted[range.start];
            let mut sequences = order[range].to_vec();
            sequences.sort_unstable();
            for &i in &sequences {
                let token = |at| (at < lengths[i]).then(|| starts[i] + at);
                places.extend((0..length).map(token));
            }
            let full = sequences.iter().all(|&i| lengths[i] == length);
            let mask = (!full).then(|| mask(sequences.iter().map(|&i| lengths[i]), length, device));
            Bucket { sequences, length, mask }
        });
        let buckets: Vec<Bucket> = buckets.collect();
        let same = places.iter().enumerate().all(|(i, &place)| place == Some(i));
        let count = lengths.iter().sum();
        let rows = (!same).then(|| Rows::new(&places, count, device));
        let starts = starts.iter().map(|&at| at as i64).collect();
        Self { lengths: lengths.to_vec(), starts, buckets, rows }
    }

    pub(crate) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    pub(crate) fn starts(&self) -> &[i64] {
        &self.starts
    }

    /// Attention within each sequence: queries, keys and values `[tokens, hidden]` to `[tokens,
    /// hidden]`.
    pub(crate) fn attention(&self, qkv: [&Tensor; 3], heads: i64, rate: f64, mode: Mode) -> Tensor {
        let hidden = qkv[0].size()[1];
        let qkv = qkv.map(|x| match &self.rows {
            Some(rows) => rows.forward(x),
            None => x.shallow_clone(),
        });
        let mut start = 0;
        let parts = self.buckets.iter().map(|bucket| {
            let (count, length) = (bucket.sequences.len() as i64, bucket.length as i64);
            let [q, k, v] = qkv.each_ref().map(|x| {
                let part = x.narrow(0, start, count * length);
                part.view([count, length, heads, hidden / heads]).transpose(1, 2)
            });
            start += count * length;
            let mixed = attention([&q, &k, &v], bucket.mask.as_ref(), rate, bucket.mode(mode));
            mixed.transpose(1, 2).reshape([count * length, hidden])
        });
        let parts: Vec<Tensor> = parts.collect();
        let all = match parts.as_slice() {
            [one] => one.shallow_clone(),
            several => Tensor::cat(several, 0),
        };
        match &self.rows {
            Some(rows) => rows.back(&all),
            None => all,
        }
    }
}

impl Bucket {
    /// The mode for this bucket's sequences.
    fn mode(&self, mode: Mode) -> Mode {
        match mode.noise() {
            NoisyRows::First(n) => {
                let noisy = self.sequences.iter().filter(|&&i| (i as i64) < n).count();
                Mode::TrainNoisyRows(noisy as i64)
            }
            NoisyRows::None | NoisyRows::All => mode,
        }
    }
}

/// What attention may see of sequences of these lengths in a bucket.
fn mask(lengths: impl Iterator<Item = usize>, room: usize, device: Device) -> Tensor {
    let seen = |at: usize, length: usize| if at < length { 0.0 } else { f32::NEG_INFINITY };
    let lengths: Vec<usize> = lengths.collect();
    let values: Vec<f32> =
        lengths.iter().flat_map(|&n| (0..room).map(move |at| seen(at, n))).collect();
    let shape = [lengths.len() as i64, 1, 1, room as i64];
    Tensor::from_slice(&values).view(shape).to_device(device).to_kind(Kind::Float)
}

/// Cuts lengths that never rise into buckets, such that all together cost least: one bucket of n
/// sequences whose longest is L costs n · L² and [`BUCKET`].
fn cut(lengths: &[usize]) -> Vec<Range<usize>> {
    // Equal lengths are always together.
    let mut ends: Vec<usize> =
        (1..lengths.len()).filter(|&i| lengths[i] != lengths[i - 1]).collect();
    ends.push(lengths.len());
    // For each end the least cost up to it, and where the last bucket begins.
    let mut best: Vec<(u64, usize)> = vec![(0, 0)];
    let bounds: Vec<usize> = std::iter::once(0).chain(ends).collect();
    for end in 1..bounds.len() {
        let cost = |begin: usize| {
            let longest = lengths[bounds[begin]] as u64;
            best[begin].0 + (bounds[end] - bounds[begin]) as u64 * longest * longest + BUCKET
        };
        let begin = (0..end).min_by_key(|&begin| cost(begin)).expect("one");
        best.push((cost(begin), begin));
    }
    let mut cuts = Vec::new();
    let mut end = bounds.len() - 1;
    while end > 0 {
        let begin = best[end].1;
        cuts.push(bounds[begin]..bounds[end]);
        end = begin;
    }
    cuts.reverse();
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_cut_where_it_costs_least() {
        let ends = |lengths: &[usize]| cut(lengths).iter().map(|r| r.end).collect::<Vec<_>>();
        assert_eq!(ends(&[128; 5]), [5]);
        // Another bucket costs less than filling 90 up to 128 ten times.
        let mut lengths = vec![128; 10];
        lengths.extend([90; 10]);
        assert_eq!(ends(&lengths), [10, 20]);
        // A few short ones are filled up.
        assert_eq!(ends(&[20, 19, 18, 5]), [4]);
        assert_eq!(ends(&[512, 500, 3, 2]), [2, 4]);
    }

    #[test]
    fn equal_lengths_need_no_rows_moved() {
        assert!(Layout::new(&[7; 3], Device::Cpu).rows.is_none());
        assert!(Layout::new(&[5, 7], Device::Cpu).rows.is_some());
    }
}
