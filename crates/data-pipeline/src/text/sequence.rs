//! Sequences of tokens as models read them, and batches of them without padding.

use super::tokenizer::Specials;
use crate::error::DataError;
use crate::loader::{Collate, Items};
use augment::rng::Key;

/// `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]` in token ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// All ids, the special ones included.
    pub ids: Vec<u32>,
    /// How many of them are segment 0, the first `[SEP]` included; the others are segment 1.
    pub first: u32,
}

impl Sequence {
    /// A sequence of one or two segments, with special tokens around them. A second one without
    /// tokens counts as none.
    pub fn new(a: &[u32], b: &[u32], specials: Specials) -> Self {
        let mut whole = Self::pair(a, b, specials);
        if b.is_empty() {
            whole.ids.truncate(whole.first as usize);
        }
        whole
    }

    /// A sequence of two segments, of which the second may have no tokens.
    pub fn pair(a: &[u32], b: &[u32], specials: Specials) -> Self {
        let mut ids = Vec::with_capacity(a.len() + b.len() + 3);
        ids.push(specials.cls);
        ids.extend_from_slice(a);
        ids.push(specials.sep);
        let first = ids.len() as u32;
        ids.extend_from_slice(b);
        ids.push(specials.sep);
        Self { ids, first }
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Sequences one behind the other without padding: `n` tokens of `b` sequences.
///
/// ```
/// use data_pipeline::text::{Packed, Sequence};
/// let a = Sequence { ids: vec![2, 7, 3], first: 3 };
/// let b = Sequence { ids: vec![2, 8, 3, 9, 3], first: 3 };
/// let packed = Packed::of(&[a, b]);
/// assert_eq!(packed.positions, [0, 1, 2, 0, 1, 2, 3, 4]);
/// assert_eq!(packed.segments, [0, 0, 0, 0, 0, 0, 1, 1]);
/// assert_eq!((packed.lengths.clone(), packed.starts()), (vec![3, 5], vec![0, 3, 8]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Token ids, length `n`.
    pub ids: Vec<u32>,
    /// Segment of each token, 0 or 1, length `n`.
    pub segments: Vec<u8>,
    /// Place of each token in its sequence, length `n`.
    pub positions: Vec<u32>,
    /// Tokens of each sequence, length `b`.
    pub lengths: Vec<u32>,
    /// What the random numbers of each sequence are drawn from (view 0), length `b`; empty when the
    /// batch was not made by a loader.
    pub keys: Vec<Key>,
}

impl Packed {
    /// Packs sequences in their order.
    pub fn of<'a>(sequences: impl IntoIterator<Item = &'a Sequence>) -> Self {
        let mut packed = Self::default();
        sequences.into_iter().for_each(|sequence| packed.push(sequence));
        packed
    }

    /// Adds a sequence.
    pub fn push(&mut self, sequence: &Sequence) {
        let (length, first) = (sequence.len() as u32, sequence.first);
        self.ids.extend_from_slice(&sequence.ids);
        self.segments.extend((0..length).map(|at| u8::from(at >= first)));
        self.positions.extend(0..length);
        self.lengths.push(length);
    }

    /// Where each sequence starts and the last one ends, length `b + 1`.
    pub fn starts(&self) -> Vec<u32> {
        let mut starts = Vec::with_capacity(self.lengths.len() + 1);
        let mut at = 0;
        starts.push(at);
        starts.extend(self.lengths.iter().map(|length| {
            at += length;
            at
        }));
        starts
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> u32 {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// The number of sequences.
    pub fn sequences(&self) -> usize {
        self.lengths.len()
    }
}

/// The places of sequences of such lengths in batches, those of like length together and the
/// longest first: a batch has `most` sequences at most, and `tokens` tokens unless it is one
/// sequence.
///
/// ```
/// use data_pipeline::text::batches_by_length;
/// let batches = batches_by_length(&[3, 9, 2, 4], 3, 8);
/// assert_eq!(batches, [vec![1], vec![3, 0], vec![2]]);
/// ```
pub fn batches_by_length(lengths: &[usize], most: usize, tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lengths[i]), i));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for i in order {
        match batches.last_mut() {
            Some(batch) if batch.len() < most && lengths[i] <= room => batch.push(i),
            _ => {
                batches.push(vec![i]);
                room = tokens;
            }
        }
        room = room.saturating_sub(lengths[i]);
    }
    batches
}

/// Packs the sequences of a batch in the order drawn. With
/// [`Order::Bucketed`](crate::sampler::Order::Bucketed) they are of like length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pack;

impl Collate for Pack {
    type Item = Sequence;
    type Batch = Packed;
    type Scratch = ();

    fn collate(&self, items: Items<'_, Sequence>, _: &mut ()) -> Result<Packed, DataError> {
        let mut packed = Packed::default();
        for drawn in items {
            let drawn = drawn?;
            if drawn.item.is_empty() {
                return Err(DataError::Request(format!("{} has no tokens", drawn.id())));
            }
            packed.push(&drawn.item);
            packed.keys.push(drawn.key(0));
        }
        Ok(packed)
    }
}
