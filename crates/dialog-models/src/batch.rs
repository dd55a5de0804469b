//! Batches without padding: sequences one after another, and pairs of them.

use torch::device::tensor_on;
use torch::nn::PackedAttention;
use torch::rows::Rows;
use torch::{BatchPart, Device, Mode, Tensor};

use crate::noise::Noise;
use crate::spread::Spread;

/// Token sequences one after another: the rows of all tensors are real tokens only.
///
/// ```
/// use dialog_models::PackedSequences;
/// use torch::Device;
///
/// let batch = PackedSequences::new(&[&[5, 9, 2], &[7, 2]], Device::Cpu);
/// assert_eq!((batch.sequences(), batch.tokens()), (2, 5));
/// assert_eq!(batch.positions(), &torch::Tensor::from_slice(&[0i64, 1, 2, 0, 1]));
/// ```
#[derive(Debug)]
pub struct PackedSequences {
    ids: Tensor,
    positions: Tensor,
    part: BatchPart,
    /// The largest id.
    largest: i64,
}

impl PackedSequences {
    /// Sequences of token ids on `device`. Panics if there is none, one is empty or an id is below
    /// 0. A network panics if an id is not in its vocabulary.
    pub fn new(sequences: &[&[i64]], device: Device) -> Self {
        let lengths: Vec<usize> = sequences.iter().map(|s| s.len()).collect();
        Self::from_parts(&sequences.concat(), lengths, device)
    }

    /// Sequences of `lengths` whose ids lie one after another already. Panics as
    /// [`new`](Self::new) does, and if the lengths are not those of `ids`.
    pub fn from_parts(ids: &[i64], lengths: Vec<usize>, device: Device) -> Self {
        Self::of_part(ids, BatchPart::whole(&lengths), device)
    }

    /// Some sequences of a batch that several processes share: they get the dropout that they have
    /// in the whole batch. `ids` are those of the part. Panics as
    /// [`new`](Self::new) does, and if the lengths of the part are not those of `ids`.
    pub fn of_part(ids: &[i64], part: BatchPart, device: Device) -> Self {
        let lengths = part.lengths();
        assert!(!lengths.is_empty() && lengths.iter().all(|&n| n > 0), "sequences of {lengths:?}");
        assert_eq!(ids.len(), lengths.iter().sum::<usize>(), "ids of {lengths:?}");
        let positions: Vec<i64> = lengths.iter().flat_map(|&n| 0..n as i64).collect();
        let on = |list: &[i64]| tensor_on(list, device);
        let largest = largest(ids);
        Self { ids: on(ids), positions: on(&positions), part, largest }
    }

    /// The real tokens of padded ones: `ids` is int64 `[sequences, room]`, of which the first
    /// `lengths` are real. What fills the rest does not matter, and may be a real token's id.
    /// Panics as [`new`](Self::new) does.
    pub fn from_padded(ids: &Tensor, lengths: Vec<usize>) -> Self {
        let (device, (count, room)) = (ids.device(), ids.size2().expect("[sequences, room]"));
        assert_eq!(count as usize, lengths.len(), "lengths of the sequences");
        let flat = Vec::<i64>::try_from(ids.to_device(Device::Cpu).reshape([-1])).expect("int64");
        let rows = flat.chunks_exact(room as usize).zip(&lengths);
        let real: Vec<i64> = rows.flat_map(|(row, &n)| row[..n].to_vec()).collect();
        Self::from_parts(&real, lengths, device)
    }

    /// Token ids, int64 `[tokens]`.
    pub fn ids(&self) -> &Tensor {
        &self.ids
    }

    /// Each token's place in its sequence, int64 `[tokens]`.
    pub fn positions(&self) -> &Tensor {
        &self.positions
    }

    /// Tokens of each sequence.
    pub fn lengths(&self) -> &[usize] {
        self.part.lengths()
    }

    /// Which sequences these are of the batch of which they are a part; all of them where this is
    /// the whole batch.
    pub fn part(&self) -> &BatchPart {
        &self.part
    }

    /// How many sequences there are.
    pub fn sequences(&self) -> usize {
        self.part.sequences()
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.part.tokens()
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.lengths().iter().copied().max().unwrap_or(0)
    }

    /// Where the tokens are.
    pub fn device(&self) -> Device {
        self.ids.device()
    }

    /// Panics if an id is not in a vocabulary of so many.
    pub(crate) fn check(&self, vocabulary: i64) {
        check(self.largest, vocabulary);
    }

    /// Rows `[tokens, ...]` of each sequence, in order.
    pub fn split(&self, x: &Tensor) -> Vec<Tensor> {
        let lengths: Vec<i64> = self.lengths().iter().map(|&n| n as i64).collect();
        x.split_with_sizes(lengths, 0)
    }

    /// The noise of a pass over these tokens.
    pub(crate) fn noise(&self, mode: Mode) -> Noise<'_> {
        Noise::new(self.part.token_ranges(), mode)
    }
}

/// The largest of some token ids; −1 of none. Panics if one is below 0.
pub(crate) fn largest(ids: &[i64]) -> i64 {
    let least = ids.iter().copied().min().unwrap_or(0);
    assert!(least >= 0, "token {least}: ids are 0 and above");
    ids.iter().copied().max().unwrap_or(-1)
}

/// Panics if `largest`, the largest of some ids, is not in a vocabulary of so many.
pub(crate) fn check(largest: i64, vocabulary: i64) {
    assert!(largest < vocabulary, "token {largest} is not in a vocabulary of {vocabulary}");
}

/// Contexts and their responses: what a network reads, and what it has to write.
///
/// A response ends with the token that ends all responses, which is predicted like any other; what
/// is predicted are the tokens of the responses alone.
///
/// ```
/// use dialog_models::Pairs;
/// use torch::Device;
///
/// let end = 1;
/// let batch = Pairs::new(&[&[5, 9], &[7]], &[&[8, 3, end], &[4, end]], Device::Cpu);
/// assert_eq!((batch.context().tokens(), batch.response().tokens()), (3, 5));
/// ```
#[derive(Debug)]
pub struct Pairs {
    context: PackedSequences,
    response: PackedSequences,
    /// From tokens of responses to what the decoder is given in their place: the token before.
    pub(crate) shifted: Rows,
    pub(crate) reading: Reading,
    pub(crate) writing: Writing,
}

/// How an encoder goes through contexts.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) attending: PackedAttention,
    pub(crate) spread: Spread,
    part: BatchPart,
}

impl Reading {
    pub(crate) fn new(context: &PackedSequences) -> Self {
        let (part, device) = (context.part(), context.device());
        let spread = Spread::same(part.lengths(), 4, device);
        let attending = PackedAttention::within_rows_of(part, part.tokens(), device);
        Self { attending, spread, part: part.clone() }
    }

    /// The noise of a pass over the contexts' tokens.
    pub(crate) fn noise(&self, mode: Mode) -> Noise<'_> {
        Noise::new(self.part.token_ranges(), mode)
    }
}

/// How a decoder goes through responses.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) attending: PackedAttention,
    pub(crate) memory: PackedAttention,
    pub(crate) spread: Spread,
    part: BatchPart,
}

impl Writing {
    fn new(context: &PackedSequences, response: &PackedSequences) -> Self {
        let (part, device) = (response.part(), response.device());
        Self {
            attending: PackedAttention::causal_of(part, device),
            memory: PackedAttention::across_of([part, context.part()], device),
            spread: Spread::causal(part.lengths(), 10, device),
            part: part.clone(),
        }
    }

    /// The noise of a pass over the responses' tokens.
    pub(crate) fn noise(&self, mode: Mode) -> Noise<'_> {
        Noise::new(self.part.token_ranges(), mode)
    }
}

/// Panics unless there are as many responses as contexts.
fn as_many(contexts: usize, responses: usize) {
    let counted = |n, noun| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    let [read, written] = [counted(contexts, "context"), counted(responses, "response")];
    assert!(contexts == responses, "{read} and {written}: there has to be one for each");
}

impl Pairs {
    /// Contexts and as many responses on `device`, each with the token that ends it. Panics if
    /// there is none, one is empty, or they are not as many.
    pub fn new(contexts: &[&[i64]], responses: &[&[i64]], device: Device) -> Self {
        as_many(contexts.len(), responses.len());
        Self::from_packed(
            PackedSequences::new(contexts, device),
            PackedSequences::new(responses, device),
        )
    }

    /// Pairs of packed contexts and responses, all of a batch or [parts](PackedSequences::of_part)
    /// of one. Panics as [`new`](Self::new) does, and if contexts and responses are other parts.
    pub fn from_packed(context: PackedSequences, response: PackedSequences) -> Self {
        as_many(context.sequences(), response.sequences());
        let (lengths, device) = (response.lengths(), response.device());
        let mut row = 0;
        let mut before = Vec::with_capacity(response.tokens());
        for &n in lengths {
            before.push(None);
            before.extend((row..row + n - 1).map(Some));
            row += n;
        }
        let shifted = Rows::new(&before, row, device);
        let (reading, writing) = (Reading::new(&context), Writing::new(&context, &response));
        Self { context, response, shifted, reading, writing }
    }

    /// What is read.
    pub fn context(&self) -> &PackedSequences {
        &self.context
    }

    /// What is written, with the tokens that end responses.
    pub fn response(&self) -> &PackedSequences {
        &self.response
    }
}
