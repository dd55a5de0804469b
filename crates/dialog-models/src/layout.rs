//! Where the tokens of a batch lie while attention and convolutions look at them.
//!
//! Everything else works on real tokens only, one sequence after another. For attention, sequences
//! of about the same length are computed together, and what fills up the shorter ones is masked.
//! For a convolution all sequences lie in one long row with as many rows of zeros between two of
//! them as its reach: these are the zeros that it sees beyond the ends of a sequence.

use std::ops::Range;

use torch::nn::attention;
use torch::rows::Rows;
use torch::{Device, Kind, Mode, Tensor};

/// Groups of lengths between which batches are cut, at most: more take long to weigh.
const GROUPS: usize = 512;

/// What a further bucket costs, in pairs of tokens that attention compares.
const BUCKET: u64 = 1 << 14;
/// The same on a GPU, whose operations wait for each other and not for numbers.
const GPU_BUCKET: u64 = 1 << 22;

/// Sequences that attention computes together.
#[derive(Debug)]
struct Bucket {
    /// How many.
    sequences: i64,
    /// Rows of each for queries, and for keys and values.
    rooms: [i64; 2],
    /// Float32, −∞ where nothing is to be seen; none where all may be seen.
    mask: Option<Tensor>,
}

/// How attention goes through a batch: which queries see which keys.
#[derive(Debug)]
pub(crate) struct Attending {
    buckets: Vec<Bucket>,
    queries: Rows,
    /// None where these are the queries' rows.
    keys: Option<Rows>,
}

impl Attending {
    /// Each token sees its whole sequence.
    pub(crate) fn within(lengths: &[usize], device: Device) -> Self {
        Self::new(lengths, lengths, false, device)
    }

    /// Each token sees its sequence up to itself.
    pub(crate) fn causal(lengths: &[usize], device: Device) -> Self {
        Self::new(lengths, lengths, true, device)
    }

    /// Each token of sequence i sees the whole of sequence i of `keys`.
    pub(crate) fn across(queries: &[usize], keys: &[usize], device: Device) -> Self {
        Self::new(queries, keys, false, device)
    }

    fn new(queries: &[usize], keys: &[usize], causal: bool, device: Device) -> Self {
        let within = std::ptr::eq(queries, keys);
        let mut order: Vec<usize> = (0..queries.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse((queries[i], keys[i])));
        let sorted: Vec<[usize; 2]> = order.iter().map(|&i| [queries[i], keys[i]]).collect();
        let mut places = [Vec::new(), Vec::new()];
        let starts = [queries, keys].map(starts);
        let mut buckets = Vec::new();
        let bucket = if device == Device::Cpu { BUCKET } else { GPU_BUCKET };
        for range in cut(&sorted, bucket) {
            let rooms = longest(&sorted[range.clone()]);
            for &i in &order[range.clone()] {
                for (k, lengths) in [queries, keys].into_iter().enumerate() {
                    let token = |at| (at < lengths[i]).then(|| starts[k][i] + at);
                    places[k].extend((0..rooms[k]).map(token));
                }
            }
            let lengths = order[range.clone()].iter().map(|&i| keys[i]);
            let mask = mask(lengths, rooms, causal, device);
            let sequences = range.len() as i64;
            buckets.push(Bucket { sequences, rooms: rooms.map(|n| n as i64), mask });
        }
        let rows =
            |k: usize, lengths: &[usize]| Rows::new(&places[k], lengths.iter().sum(), device);
        let keys = (!within).then(|| rows(1, keys));
        Self { buckets, queries: rows(0, queries), keys }
    }

    /// Queries `[tokens, hidden]`, keys and values `[other tokens, hidden]` to `[tokens, hidden]`.
    pub(crate) fn attention(
        &self,
        [q, k, v]: [&Tensor; 3],
        heads: i64,
        rate: f64,
        mode: Mode,
    ) -> Tensor {
        let hidden = q.size()[1];
        let keys = self.keys.as_ref().unwrap_or(&self.queries);
        let [q, k, v] = [self.queries.forward(q), keys.forward(k), keys.forward(v)];
        let mut starts = [0; 2];
        let parts = self.buckets.iter().map(|bucket| {
            let count = bucket.sequences;
            let part = |x: &Tensor, which: usize| {
                let (start, room) = (starts[which], bucket.rooms[which]);
                let part = x.narrow(0, start, count * room);
                part.view([count, room, heads, hidden / heads]).transpose(1, 2)
            };
            let [q, k, v] = [part(&q, 0), part(&k, 1), part(&v, 1)];
            for (start, room) in starts.iter_mut().zip(bucket.rooms) {
                *start += count * room;
            }
            let mixed = attention([&q, &k, &v], bucket.mask.as_ref(), rate, mode);
            mixed.transpose(1, 2).reshape([count * bucket.rooms[0], hidden])
        });
        let parts: Vec<Tensor> = parts.collect();
        let all = match parts.as_slice() {
            [one] => one.shallow_clone(),
            several => Tensor::cat(several, 0),
        };
        self.queries.back(&all)
    }
}

/// Where each sequence begins.
fn starts(lengths: &[usize]) -> Vec<usize> {
    let next = |at: &mut usize, &n: &usize| {
        *at += n;
        Some(*at - n)
    };
    lengths.iter().scan(0, next).collect()
}

/// The longest of queries, and of keys.
fn longest(lengths: &[[usize; 2]]) -> [usize; 2] {
    [0, 1].map(|k| lengths.iter().map(|pair| pair[k]).max().unwrap_or(0))
}

/// What attention may see, `[sequences, 1, queries, keys]` or what expands to it.
fn mask(
    keys: impl Iterator<Item = usize>,
    [queries, room]: [usize; 2],
    causal: bool,
    device: Device,
) -> Option<Tensor> {
    let on = |values: Vec<f32>, shape: [usize; 4]| {
        let tensor = Tensor::from_slice(&values).view(shape.map(|n| n as i64));
        tensor.to_device(device).to_kind(Kind::Float)
    };
    let seen = |seen: bool| if seen { 0.0 } else { f32::NEG_INFINITY };
    if causal {
        // A token sees no later one, so none of what fills up a sequence either.
        let values = (0..queries).flat_map(|q| (0..room).map(move |k| seen(k <= q))).collect();
        return (room > 1).then(|| on(values, [1, 1, queries, room]));
    }
    let keys: Vec<usize> = keys.collect();
    let full = keys.iter().all(|&n| n == room);
    let values = keys.iter().flat_map(|&n| (0..room).map(move |k| seen(k < n))).collect();
    (!full).then(|| on(values, [keys.len(), 1, 1, room]))
}

/// Cuts sorted pairs of lengths into buckets, such that all together cost least: one bucket of n
/// pairs whose longest are q and k costs n · q · k and `bucket`.
fn cut(lengths: &[[usize; 2]], bucket: u64) -> Vec<Range<usize>> {
    // Equal pairs are always together.
    let mut bounds: Vec<usize> = vec![0];
    bounds.extend((1..lengths.len()).filter(|&i| lengths[i] != lengths[i - 1]));
    let every = bounds.len().div_ceil(GROUPS);
    bounds = bounds.into_iter().step_by(every).chain([lengths.len()]).collect();
    // For each end the least cost up to it, and where the last bucket begins.
    let mut best: Vec<(u64, usize)> = vec![(0, 0)];
    for end in 1..bounds.len() {
        let mut rooms = [0, 0];
        let mut least = (u64::MAX, 0);
        for begin in (0..end).rev() {
            let more = longest(&lengths[bounds[begin]..bounds[begin + 1]]);
            rooms = [0, 1].map(|k| rooms[k].max(more[k]));
            let pairs = (bounds[end] - bounds[begin]) * rooms[0] * rooms[1];
            least = least.min((best[begin].0 + pairs as u64 + bucket, begin));
        }
        best.push(least);
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

/// Sequences in one row with zeros between them, for convolutions.
#[derive(Debug)]
pub(crate) struct Spread {
    /// From tokens to the row with zeros.
    inside: Rows,
    /// From tokens to what a convolution makes of the row.
    outside: Rows,
    /// Rows that a convolution makes.
    count: i64,
    /// Rows of zeros before a sequence.
    gap: i64,
    /// How far behind a token a convolution looks.
    ahead: i64,
}

impl Spread {
    /// For convolutions that look back by up to `gap` tokens.
    pub(crate) fn causal(lengths: &[usize], gap: usize, device: Device) -> Self {
        Self::new(lengths, gap, 0, device)
    }

    /// For convolutions that look `reach` tokens both ways.
    pub(crate) fn same(lengths: &[usize], reach: usize, device: Device) -> Self {
        Self::new(lengths, reach, reach, device)
    }

    fn new(lengths: &[usize], gap: usize, ahead: usize, device: Device) -> Self {
        let mut inside = Vec::new();
        let mut token = 0;
        for &n in lengths {
            inside.extend(std::iter::repeat_n(None, gap));
            inside.extend((token..token + n).map(Some));
            token += n;
        }
        inside.extend(std::iter::repeat_n(None, ahead));
        let outside = &inside[gap..inside.len() - ahead];
        let (count, rows) = (outside.len() as i64, Rows::new(outside, token, device));
        let inside = Rows::new(&inside, token, device);
        Self { inside, outside: rows, count, gap: gap as i64, ahead: ahead as i64 }
    }

    /// `[tokens, width]` with the zeros.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        self.inside.forward(x)
    }

    /// The convolution of a row [with zeros](Self::forward): `kernel` is `[outputs, inputs /
    /// groups, taps]`, the result `[tokens, outputs]`.
    pub(crate) fn conv(&self, row: &Tensor, kernel: &Tensor, groups: i64) -> Tensor {
        let (width, taps) = (row.size()[1], kernel.size()[2]);
        let reach = if self.ahead == 0 { taps - 1 } else { taps / 2 };
        assert!(reach <= self.gap, "{taps} taps where {} rows of zeros are", self.gap);
        let rows = self.count + taps - 1;
        let seen = row.narrow(0, self.gap - reach, rows);
        // An image with its channels last, one place wide.
        let image = seen.reshape([1, rows, 1, width]).permute([0, 3, 1, 2]);
        let none = None::<&Tensor>;
        let made = image.conv2d(&kernel.unsqueeze(3), none, [1, 1], [0, 0], [1, 1], groups);
        let outputs = made.size()[1];
        self.outside.back(&made.permute([0, 2, 3, 1]).reshape([self.count, outputs]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_cut_where_it_costs_least() {
        let cuts =
            |pairs: &[[usize; 2]], cost| cut(pairs, cost).iter().map(|r| r.end).collect::<Vec<_>>();
        let ends = |pairs: &[[usize; 2]]| cuts(pairs, BUCKET);
        assert_eq!(ends(&[[128, 128]; 5]), [5]);
        // Short answers to long questions are worth a bucket of their own, few short ones are not.
        let mut pairs = vec![[128, 128]; 10];
        pairs.extend([[20, 128]; 10]);
        assert_eq!(ends(&pairs), [10, 20]);
        assert_eq!(cuts(&pairs, GPU_BUCKET), [20]);
        assert_eq!(ends(&[[20, 9], [19, 30], [18, 2], [5, 5]]), [4]);
        // Of very many lengths not all places to cut are weighed.
        let pairs: Vec<_> = (1..=3000).rev().map(|n| [n, n]).collect();
        let ends = ends(&pairs);
        assert!(ends.len() > 3 && ends.last() == Some(&3000), "{ends:?}");
        assert!(ends.iter().all(|end| end % 6 == 0), "{ends:?}");
    }

    #[test]
    fn convolutions_see_zeros_beyond_the_ends_of_a_sequence() {
        let x = Tensor::from_slice(&[1f32, 2.0, 4.0, 8.0, 16.0]).view([5, 1]);
        let kernel = Tensor::from_slice(&[100f32, 10.0, 1.0]).view([1, 1, 3]);
        let lengths = [2, 1, 2];
        let list = |t: Tensor| Vec::<f32>::try_from(t.reshape([-1])).unwrap();
        for (spread, expected) in [
            (Spread::same(&lengths, 4, Device::Cpu), [12.0, 120.0, 40.0, 96.0, 960.0]),
            (Spread::causal(&lengths, 10, Device::Cpu), [1.0, 12.0, 4.0, 8.0, 96.0]),
        ] {
            assert_eq!(list(spread.conv(&spread.forward(&x), &kernel, 1)), expected);
        }
    }
}
