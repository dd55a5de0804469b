//! A batch of sequences one after another, without padding.

use std::rc::Rc;

use torch::device::tensor_on;
use torch::nn::{PackedAttention, keyed_dropout_at};
use torch::{BatchPart, Device, IndexOp, Kind, Mode, NoisyRows, Tensor};

/// Token sequences one after another: the rows of all tensors are real tokens only; an encoder adds
/// a few rows that nobody sees. What a sequence becomes in an encoder does not depend on the others
/// beside it.
///
/// ```
/// use electra::PackedSequences;
/// use torch::Device;
///
/// let [a, b] = [[101, 2023, 102].as_slice(), &[101, 2003, 1037, 102]];
/// let batch = PackedSequences::new(&[a, b], &[&[0; 3], &[0; 4]], Device::Cpu);
/// assert_eq!((batch.sequences(), batch.tokens()), (2, 7));
/// assert_eq!(batch.starts(), &torch::Tensor::from_slice(&[0i64, 3]));
/// ```
#[derive(Debug)]
pub struct PackedSequences {
    ids: Tensor,
    segments: Tensor,
    positions: Tensor,
    starts: Tensor,
    part: Rc<BatchPart>,
    /// Rows of the matrices in an encoder: the tokens', and filler behind them.
    rows: usize,
    attention: Rc<PackedAttention>,
    /// The largest id, where ids came from the host, and the largest segment number.
    largest: (Option<i64>, i64),
}

/// Rows of a batch's matrices in an encoder are a multiple of this on a CPU, where libtorch makes
/// code for each new shape of matrices in bfloat16: half a millisecond or more, for as good as
/// every batch. In float32 it is neither a gain nor a loss worth a second way.
const MULTIPLE: usize = 32;

/// Rows for so many tokens.
fn rows(tokens: usize, device: Device) -> usize {
    if device == Device::Cpu { tokens.next_multiple_of(MULTIPLE) } else { tokens }
}

/// The largest of some numbers, of what `noun` says. Panics if one is below 0.
fn largest(numbers: &[i64], noun: &str) -> i64 {
    let least = numbers.iter().copied().min().unwrap_or(0);
    assert!(least >= 0, "{noun} {least}: numbers are 0 and above");
    numbers.iter().copied().max().unwrap_or(0)
}

impl PackedSequences {
    /// Sequences of token ids, and of as many segment numbers, on `device`. Panics if there is no
    /// sequence, one is empty, ids and segments are not as many, or one of them is below 0. An
    /// encoder panics if one is in none of its tables.
    pub fn new(ids: &[&[i64]], segments: &[&[i64]], device: Device) -> Self {
        let lengths: Vec<usize> = ids.iter().map(|s| s.len()).collect();
        assert_eq!(lengths, segments.iter().map(|s| s.len()).collect::<Vec<_>>(), "segments");
        Self::from_parts(&ids.concat(), &segments.concat(), &lengths, device)
    }

    /// Sequences of `lengths` whose ids and segments lie one after another already.
    /// Panics as [`new`](Self::new) does.
    pub fn from_parts(ids: &[i64], segments: &[i64], lengths: &[usize], device: Device) -> Self {
        Self::of_part(ids, segments, BatchPart::whole(lengths), device)
    }

    /// Some sequences of a batch that several processes share: they get the dropout that they have
    /// in the whole batch. `ids` and `segments` are those of the part. Panics as
    /// [`new`](Self::new) does.
    pub fn of_part(ids: &[i64], segments: &[i64], part: BatchPart, device: Device) -> Self {
        let lengths = part.lengths();
        assert!(!lengths.is_empty() && lengths.iter().all(|&n| n > 0), "sequences of {lengths:?}");
        let total: usize = lengths.iter().sum();
        assert_eq!((ids.len(), segments.len()), (total, total), "ids and segments of {lengths:?}");
        let positions: Vec<i64> = lengths.iter().flat_map(|&n| 0..n as i64).collect();
        let ends = lengths.iter().scan(0, |at, &n| {
            *at += n as i64;
            Some(*at)
        });
        let starts: Vec<i64> = std::iter::once(0).chain(ends).take(lengths.len()).collect();
        let on = |list: &[i64]| tensor_on(list, device);
        let rows = rows(total, device);
        let largest = (Some(largest(ids, "token")), largest(segments, "segment"));
        Self {
            largest,
            ids: on(ids),
            segments: on(segments),
            positions: on(&positions),
            starts: on(&starts),
            rows,
            attention: Rc::new(PackedAttention::within_rows_of(&part, rows, device)),
            part: Rc::new(part),
        }
    }

    /// The real tokens of padded ones: `x` is int64 `[batch, 2, tokens]`, ids and segments, and a
    /// sequence ends before the first `pad`. Reads `x` back to the host. Within a
    /// [group](torch::group) they are taken to be this process's part of a batch
    /// ([`BatchPart::of_group`]), and all processes have to call this together. Panics if a
    /// sequence is empty.
    pub fn from_padded(x: &Tensor, pad: i64) -> Self {
        let (batch, two, room) = x.size3().expect("ids and segments [batch, 2, tokens]");
        assert_eq!(two, 2, "ids and segments [batch, 2, tokens], not {:?}", x.size());
        let flat = Vec::<i64>::try_from(x.to_device(Device::Cpu).reshape([-1])).expect("int64");
        let (mut ids, mut segments, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for both in flat.chunks_exact(2 * room as usize).take(batch as usize) {
            let (own, kinds) = both.split_at(room as usize);
            let length = own.iter().position(|&id| id == pad).unwrap_or(own.len());
            lengths.push(length);
            ids.extend_from_slice(&own[..length]);
            segments.extend_from_slice(&kinds[..length]);
        }
        Self::of_part(&ids, &segments, BatchPart::of_group(&lengths), x.device())
    }

    /// These sequences with other tokens: `ids` is int64 `[tokens]`, and taken to be in the
    /// vocabulary.
    #[must_use]
    pub fn with_ids(&self, ids: Tensor) -> Self {
        assert_eq!(ids.size(), self.ids.size(), "as many tokens");
        Self {
            ids,
            segments: self.segments.shallow_clone(),
            positions: self.positions.shallow_clone(),
            starts: self.starts.shallow_clone(),
            part: Rc::clone(&self.part),
            rows: self.rows,
            attention: Rc::clone(&self.attention),
            largest: (None, self.largest.1),
        }
    }

    /// Panics if an encoder with so many token ids and segments does not know one of these.
    pub(crate) fn check(&self, vocabulary: i64, segments: i64) {
        let (id, segment) = (self.largest.0.unwrap_or(0), self.largest.1);
        assert!(id < vocabulary, "token {id} is not in a vocabulary of {vocabulary}");
        assert!(segment < segments, "segment {segment} of an encoder of {segments}");
    }

    /// Token ids, int64 `[tokens]`.
    pub fn ids(&self) -> &Tensor {
        &self.ids
    }

    /// Segment numbers, int64 `[tokens]`.
    pub fn segments(&self) -> &Tensor {
        &self.segments
    }

    /// Each token's place in its sequence, int64 `[tokens]`.
    pub fn positions(&self) -> &Tensor {
        &self.positions
    }

    /// The row of each sequence's first token, int64 `[sequences]`.
    pub fn starts(&self) -> &Tensor {
        &self.starts
    }

    /// Tokens of each sequence.
    pub fn lengths(&self) -> &[usize] {
        self.part.lengths()
    }

    /// How many sequences there are.
    pub fn sequences(&self) -> usize {
        self.lengths().len()
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.lengths().iter().sum()
    }

    /// Which sequences these are of the batch of which they are a part; all of them where this is
    /// the whole batch.
    pub(crate) fn part(&self) -> &BatchPart {
        &self.part
    }

    /// Where the tokens are.
    pub fn device(&self) -> Device {
        self.ids.device()
    }

    /// Rows of vectors `[tokens, width]` as one matrix for each sequence, in order.
    pub fn split(&self, x: &Tensor) -> Vec<Tensor> {
        let mut start = 0;
        let parts = self.lengths().iter().map(|&n| {
            let part = x.i(start..start + n as i64);
            start += n as i64;
            part
        });
        parts.collect()
    }

    /// Rows `[tokens, width]` as `[sequences, longest, width]`, with zeros behind the shorter ones.
    pub fn padded(&self, x: &Tensor) -> Tensor {
        let longest = self.lengths().iter().copied().max().unwrap_or(0);
        let rows = self.split(x).into_iter().map(|part| {
            let room = longest as i64 - part.size()[0];
            part.constant_pad_nd([0, 0, 0, room])
        });
        Tensor::stack(&rows.collect::<Vec<_>>(), 0)
    }

    /// The rows `[tokens, width]` that [`padded`](Self::padded) ones `[sequences, room, width]`
    /// have at real tokens. Panics if there is no room for a sequence.
    pub fn unpadded(&self, padded: &Tensor) -> Tensor {
        let (sequences, room, width) = padded.size3().expect("[sequences, room, width]");
        assert_eq!(sequences, self.sequences() as i64, "as many sequences");
        assert!(self.lengths().iter().all(|&n| n as i64 <= room), "room for {room} tokens");
        let places: Vec<i64> = (0..sequences)
            .zip(self.lengths())
            .flat_map(|(i, &n)| i * room..i * room + n as i64)
            .collect();
        let places = tensor_on(&places, padded.device());
        padded.reshape([sequences * room, width]).index_select(0, &places)
    }

    /// The mean of each sequence's vectors: `[tokens, width]` to `[sequences, width]`, float32.
    pub fn mean(&self, x: &Tensor) -> Tensor {
        let numbers: Vec<i64> = self
            .lengths()
            .iter()
            .enumerate()
            .flat_map(|(i, &n)| std::iter::repeat_n(i as i64, n))
            .collect();
        let numbers = tensor_on(&numbers, x.device());
        let counts: Vec<f32> = self.lengths().iter().map(|&n| n as f32).collect();
        let counts = tensor_on(&counts, x.device()).unsqueeze(1);
        let x = x.to_kind(Kind::Float);
        let sums = Tensor::zeros([self.sequences() as i64, x.size()[1]], (Kind::Float, x.device()));
        sums.index_add(0, &numbers, &x) / counts
    }

    /// Dropout on rows of tokens `[tokens, width]`, filler behind them or not.
    pub(crate) fn drop_tokens(&self, x: &Tensor, rate: f64, mode: Mode) -> Tensor {
        keyed_dropout_at(self.part.token_ranges(), x, rate, self.token_mode(mode))
    }

    /// Dropout on rows of sequences `[sequences, width]`.
    pub(crate) fn drop_sequences(&self, x: &Tensor, rate: f64, mode: Mode) -> Tensor {
        keyed_dropout_at(self.part.ranges(), x, rate, mode)
    }

    /// The mode for rows of tokens, where `mode` speaks of sequences.
    fn token_mode(&self, mode: Mode) -> Mode {
        match mode.noise() {
            NoisyRows::First(n) => {
                let n = (n.max(0) as usize).min(self.sequences());
                let rows: usize = self.lengths()[..n].iter().sum();
                Mode::TrainNoisyRows(rows as i64)
            }
            NoisyRows::None | NoisyRows::All => mode,
        }
    }

    /// Vectors `[tokens, width]` with the filler behind them that [`attention`](Self::attention)
    /// counts on; [`without_filler`](Self::without_filler) is the way back.
    pub(crate) fn with_filler(&self, x: Tensor) -> Tensor {
        match self.rows - self.tokens() {
            0 => x,
            filler => x.constant_pad_nd([0, 0, 0, filler as i64]),
        }
    }

    /// The vectors of the tokens alone.
    pub(crate) fn without_filler(&self, x: &Tensor) -> Tensor {
        x.narrow(0, 0, self.tokens() as i64)
    }

    /// Attention of each sequence's first token to the whole sequence.
    pub(crate) fn attention_of_first(&self) -> PackedAttention {
        PackedAttention::across(&vec![1; self.sequences()], self.lengths(), self.device())
    }

    /// Attention within each sequence.
    pub(crate) fn attention(&self) -> &PackedAttention {
        &self.attention
    }
}
