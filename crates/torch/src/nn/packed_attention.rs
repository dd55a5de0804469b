//! Attention over sequences that lie one after another, without padding.
//!
//! Sequences of about the same length are computed together, in buckets; within a bucket the
//! shorter ones are filled up with rows of zeros that nobody sees. Which buckets is decided by what
//! they cost: each is a handful of operations, each filled-up row is work for nothing.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::attention::attention_at;
use crate::rows::Rows;
use crate::{BatchPart, Mode, NoisyRows};

/// Groups of lengths between which batches are cut, at most: more take long to weigh.
const GROUPS: usize = 512;

/// What a further bucket costs, in pairs of tokens that attention compares.
const BUCKET: u64 = 1 << 14;
/// What a further bucket costs on a GPU, whose operations wait for each other and not for numbers.
const GPU_BUCKET: u64 = 1 << 22;

/// Sequences that attention computes together.
#[derive(Debug)]
struct Bucket {
    /// Their numbers, rising.
    sequences: Vec<usize>,
    /// Which they are of the sequences that the whole batch has in this bucket.
    places: Vec<Range<usize>>,
    /// Rows of each for queries, and for keys and values.
    rooms: [i64; 2],
    /// Float32, −∞ where nothing is to be seen; none where all may be seen.
    mask: Option<Tensor>,
}

/// How attention goes through a batch: which queries see which keys.
///
/// ```
/// use torch::nn::PackedAttention;
/// use torch::{Device, Kind, Mode, Tensor};
///
/// // Two sequences of 2 and 3 tokens, 8 numbers a token, two heads.
/// let attention = PackedAttention::within(&[2, 3], Device::Cpu);
/// let x = Tensor::arange(40, (Kind::Float, Device::Cpu)).view([5, 8]);
/// let mixed = attention.forward([&x, &x, &x], 2, 0.0, Mode::Eval);
/// assert_eq!(mixed.size(), [5, 8]);
/// // Its own sequence is all that a token sees.
/// let first = x.narrow(0, 0, 2);
/// let alone = PackedAttention::within(&[2], Device::Cpu);
/// let alone = alone.forward([&first, &first, &first], 2, 0.0, Mode::Eval);
/// assert!(mixed.narrow(0, 0, 2).allclose(&alone, 1e-5, 1e-5, false));
/// ```
#[derive(Debug)]
pub struct PackedAttention {
    buckets: Vec<Bucket>,
    /// From tokens to the buckets' rows; none where these are the same.
    queries: Option<Rows>,
    keys: Keys,
}

/// From the tokens that are seen to the buckets' rows.
#[derive(Debug)]
enum Keys {
    /// As for queries.
    Queries,
    Own(Option<Rows>),
}

impl PackedAttention {
    /// Attention of each token to its whole sequence, for sequences of these lengths in tokens.
    /// Panics if there is no sequence.
    pub fn within(lengths: &[usize], device: Device) -> Self {
        Self::within_rows_of(&BatchPart::whole(lengths), lengths.iter().sum(), device)
    }

    /// Attention of each token to its whole sequence, for some sequences of a batch, which lie in
    /// the buckets of the whole batch and get its dropout; in matrices of `rows` rows: those behind
    /// the sequences are filler, which nobody sees and which sees nothing (zeros). Panics if the
    /// part is empty or has more tokens.
    pub fn within_rows_of(part: &BatchPart, rows: usize, device: Device) -> Self {
        Self::new([part; 2], Keys::Queries, rows, false, device)
    }

    /// Causal attention: each token sees its sequence up to itself. Panics if there is no sequence.
    pub fn causal(lengths: &[usize], device: Device) -> Self {
        Self::causal_of(&BatchPart::whole(lengths), device)
    }

    /// Causal attention for some sequences of a batch, which get the dropout that they have in the
    /// whole. Panics if the part is empty.
    pub fn causal_of(part: &BatchPart, device: Device) -> Self {
        Self::new([part; 2], Keys::Queries, part.tokens(), true, device)
    }

    /// Cross-attention: each token of sequence i of `queries` sees the whole of sequence i of
    /// `keys`; both are lengths in tokens. Panics if there is no sequence, or they are not as many.
    pub fn across(queries: &[usize], keys: &[usize], device: Device) -> Self {
        Self::across_of([queries, keys].map(BatchPart::whole).each_ref(), device)
    }

    /// Cross-attention for some sequences of a batch, which get the dropout that they have in the
    /// whole. Panics if the part is empty, or queries and keys are parts of different sequences.
    pub fn across_of([queries, keys]: [&BatchPart; 2], device: Device) -> Self {
        Self::new([queries, keys], Keys::Own(None), queries.tokens(), false, device)
    }

    /// `rows` are the queries', filler included; `kind` says whether keys are of other tokens.
    fn new(parts: [&BatchPart; 2], kind: Keys, count: usize, causal: bool, device: Device) -> Self {
        let [queries, keys] = parts.map(BatchPart::all);
        let (number, ranges) = (queries.len(), parts[0].ranges());
        let alike = number == keys.len() && ranges == parts[1].ranges();
        let some = parts[0].sequences() > 0;
        assert!(some && alike, "sequences {ranges:?} of {queries:?} and {keys:?}");
        // Of each sequence of the batch its number in the part.
        let mut own = vec![None; number];
        ranges.iter().cloned().flatten().enumerate().for_each(|(i, which)| own[which] = Some(i));
        let mut order: Vec<usize> = (0..number).collect();
        order.sort_by_key(|&i| std::cmp::Reverse((queries[i], keys[i])));
        let sorted: Vec<[usize; 2]> = order.iter().map(|&i| [queries[i], keys[i]]).collect();
        let mut places = [Vec::new(), Vec::new()];
        let lengths = parts.map(BatchPart::lengths);
        let starts = lengths.map(starts);
        let mut buckets = Vec::new();
        let bucket = if device == Device::Cpu { BUCKET } else { GPU_BUCKET };
        for range in cut(&sorted, bucket) {
            let rooms = longest(&sorted[range.clone()]);
            order[range.clone()].sort_unstable();
            let here = order[range].iter().enumerate().filter_map(|(at, &i)| Some((at, own[i]?)));
            let (at, sequences): (Vec<usize>, Vec<usize>) = here.unzip();
            for &i in &sequences {
                for (k, lengths) in lengths.into_iter().enumerate() {
                    let token = |at| (at < lengths[i]).then(|| starts[k][i] + at);
                    places[k].extend((0..rooms[k]).map(token));
                }
            }
            let mask = mask(sequences.iter().map(|&i| lengths[1][i]), rooms, causal, device);
            let (places, rooms) = (runs(&at), rooms.map(|n| n as i64));
            buckets.push(Bucket { sequences, places, rooms, mask });
        }
        let rows = |places: &[Option<usize>], count: usize| {
            let same = places.iter().enumerate().all(|(i, &place)| place == Some(i));
            (!same || places.len() != count).then(|| Rows::new(places, count, device))
        };
        let keys = match kind {
            Keys::Queries => kind,
            Keys::Own(_) => Keys::Own(rows(&places[1], lengths[1].iter().sum())),
        };
        Self { buckets, queries: rows(&places[0], count), keys }
    }

    /// Queries `[tokens, hidden]` (or as many rows as [`within_rows_of`](Self::within_rows_of) was
    /// told), keys and values `[other tokens, hidden]` to `[tokens, hidden]`,
    /// by `heads` heads with dropout at `rate`. Where `mode` speaks of rows, these are sequences.
    pub fn forward(&self, [q, k, v]: [&Tensor; 3], heads: i64, rate: f64, mode: Mode) -> Tensor {
        let hidden = q.size()[1];
        let keys = match &self.keys {
            Keys::Queries => self.queries.as_ref(),
            Keys::Own(rows) => rows.as_ref(),
        };
        let moved = |rows: Option<&Rows>, x: &Tensor| match rows {
            Some(rows) => rows.forward(x),
            None => x.shallow_clone(),
        };
        let [q, k, v] = [moved(self.queries.as_ref(), q), moved(keys, k), moved(keys, v)];
        let mut starts = [0; 2];
        let parts = self.buckets.iter().map(|bucket| {
            let count = bucket.sequences.len() as i64;
            let part = |x: &Tensor, which: usize| {
                let (start, room) = (starts[which], bucket.rooms[which]);
                let part = x.narrow(0, start, count * room);
                part.view([count, room, heads, hidden / heads]).transpose(1, 2)
            };
            let [q, k, v] = [part(&q, 0), part(&k, 1), part(&v, 1)];
            for (start, room) in starts.iter_mut().zip(bucket.rooms) {
                *start += count * room;
            }
            let (mask, mode) = (bucket.mask.as_ref(), bucket.mode(mode));
            let mixed = attention_at(&bucket.places, [&q, &k, &v], mask, rate, mode);
            mixed.transpose(1, 2).reshape([count * bucket.rooms[0], hidden])
        });
        let parts: Vec<Tensor> = parts.collect();
        let all = match parts.as_slice() {
            [one] => one.shallow_clone(),
            several => Tensor::cat(several, 0),
        };
        match &self.queries {
            Some(rows) => rows.back(&all),
            None => all,
        }
    }
}

impl Bucket {
    /// The mode for this bucket's sequences. A part of a larger batch has noise for all of its
    /// sequences or for none: processes would draw unequally often otherwise.
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

/// Rising numbers as ranges.
fn runs(numbers: &[usize]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for &number in numbers {
        match runs.last_mut().filter(|run| run.end == number) {
            Some(run) => run.end += 1,
            None => runs.push(number..number + 1),
        }
    }
    runs
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
    fn lengths_are_cut_where_it_costs_least() {
        let ends = |lengths: &[usize]| {
            let pairs: Vec<_> = lengths.iter().map(|&n| [n, n]).collect();
            cut(&pairs, BUCKET).iter().map(|r| r.end).collect::<Vec<_>>()
        };
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
    fn filler_is_not_seen_and_sees_nothing() {
        for lengths in [[5, 7], [6, 6]] {
            let x = Tensor::arange(32 * 8, (Kind::Float, Device::Cpu)).view([32, 8]).sin();
            let _ = x.narrow(0, 12, 20).fill_(f64::NAN);
            let both = BatchPart::whole(&lengths);
            let filled = PackedAttention::within_rows_of(&both, 32, Device::Cpu);
            let found = filled.forward([&x, &x, &x], 2, 0.0, Mode::Eval);
            let own = x.narrow(0, 0, 12);
            let alone = PackedAttention::within(&lengths, Device::Cpu);
            let expected = alone.forward([&own, &own, &own], 2, 0.0, Mode::Eval);
            assert_eq!(found.narrow(0, 0, 12), expected, "{lengths:?}");
            assert_eq!(found.narrow(0, 12, 20), Tensor::zeros_like(&x).narrow(0, 12, 20));
        }
    }

    /// Parts of a batch that different processes have, some of them without a sequence in a bucket,
    /// some with several runs of them there.
    #[test]
    fn parts_are_those_of_the_whole_batch_with_its_dropout() {
        let _alone = crate::rng::exclusive();
        let lengths: Vec<usize> = [vec![3; 4], vec![90, 85, 2, 7], vec![80; 4]].concat();
        let others: Vec<usize> = lengths.iter().rev().copied().collect();
        let rows = |lengths: &[usize], step: f64| {
            let tokens = lengths.iter().sum::<usize>() as i64;
            (Tensor::arange(8 * tokens, (Kind::Float, Device::Cpu)) * step).sin().view([-1, 8])
        };
        let (x, read) = (rows(&lengths, 1.0), rows(&others, 0.3));
        let own_rows = |part: &BatchPart, x: &Tensor| {
            let ranges = part.token_ranges().iter();
            let own = ranges.map(|own| x.narrow(0, own.start as i64, own.len() as i64));
            Tensor::cat(&own.collect::<Vec<_>>(), 0)
        };
        let mixed = |attention: &PackedAttention, x: &Tensor, read: &Tensor| {
            crate::rng::seed(5);
            let made = attention.forward([x, read, read], 2, 0.3, Mode::Train);
            let evaluated =
                crate::no_grad(|| attention.forward([x, read, read], 2, 0.3, Mode::Eval));
            // Further numbers are the same for all too.
            ([made, evaluated], Tensor::rand([1], (Kind::Float, Device::Cpu)))
        };
        let device = Device::Cpu;
        let whole = [
            mixed(&PackedAttention::within(&lengths, device), &x, &x),
            mixed(&PackedAttention::causal(&lengths, device), &x, &x),
            mixed(&PackedAttention::across(&lengths, &others, device), &x, &read),
        ];
        for own in [
            &[0..2, 2..4][..],
            &[4..8, 8..8],
            &[8..10, 10..12],
            &[0..1, 3..5, 6..7, 9..11],
            &[1..3, 5..6, 7..9, 11..12],
        ] {
            let [part, seen] = [&lengths, &others].map(|all| BatchPart::new(all, own.to_vec()));
            let [x, read] = [own_rows(&part, &x), own_rows(&seen, &read)];
            let within = PackedAttention::within_rows_of(&part, part.tokens(), device);
            assert!(within.buckets.len() > 1, "{within:?}");
            let found = [
                mixed(&within, &x, &x),
                mixed(&PackedAttention::causal_of(&part, device), &x, &x),
                mixed(&PackedAttention::across_of([&part, &seen], device), &x, &read),
            ];
            for (i, ((found, then), (whole, next))) in found.iter().zip(&whole).enumerate() {
                for (found, whole) in found.iter().zip(whole) {
                    let wanted = own_rows(&part, whole);
                    assert!(found.allclose(&wanted, 1e-5, 1e-6, false), "{i} of {own:?}");
                }
                assert_eq!(then, next, "{i} of {own:?}");
            }
        }
    }

    #[test]
    fn rising_numbers_are_ranges() {
        assert_eq!(runs(&[0, 1, 4, 6, 7]), [0..2, 4..5, 6..8]);
        assert!(runs(&[]).is_empty());
    }

    #[test]
    fn equal_lengths_need_no_rows_moved() {
        assert!(PackedAttention::within(&[7; 3], Device::Cpu).queries.is_none());
        assert!(PackedAttention::causal(&[5, 7], Device::Cpu).queries.is_some());
        let across = PackedAttention::across(&[7; 3], &[5, 5, 4], Device::Cpu);
        assert!(across.queries.is_none() && matches!(across.keys, Keys::Own(Some(_))));
    }
}
