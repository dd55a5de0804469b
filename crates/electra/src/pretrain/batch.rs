//! A batch of sequences with the positions that the generator fills in.

use std::collections::{BTreeMap, BTreeSet};

use torch::device::tensor_on;
use torch::{Device, Kind, Tensor};

use crate::PackedSequences;

/// One draw of a position that the generator fills in. Positions are drawn with replacement, so
/// that two slots of a sequence may have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its place in the sequence.
    pub position: usize,
    /// Whether the generator sees `[MASK]` there, as 85 of 100 times; else it sees the token.
    pub masked: bool,
    /// Whether it counts: the released code draws as many for each sequence, and leaves out some
    /// of a short one.
    pub kept: bool,
}

/// A batch for pre-training: the original tokens, and where some of them are filled in.
#[derive(Debug)]
pub struct MaskedBatch {
    packed: PackedSequences,
    /// Rows of the slots that count, int64 `[slots]`.
    rows: Tensor,
    /// For each slot the first one at the same place, int64 `[slots]`: its token is what stands
    /// there.
    firsts: Tensor,
    /// Rows of which some slot counts, each once, int64.
    places: Tensor,
    /// Rows at which the generator sees `[MASK]`, int64.
    masked: Tensor,
    /// Where this is in a batch that several processes share.
    whole: Option<Whole>,
}

/// Numbers of a batch that several processes share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// Slots of the parts before this one, and of those behind it.
    pub(super) around: [i64; 2],
    /// What a mean over the own part's slots, places or tokens counts for in the mean over
    /// processes, so that this is the mean over those of all.
    pub(super) slots: f64,
    pub(super) places: f64,
    pub(super) tokens: f64,
}

/// What of a sequence a shared batch is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotCounts {
    /// Slots that count.
    pub slots: usize,
    /// Positions at which some slot counts.
    pub places: usize,
}

impl SlotCounts {
    /// Those of a sequence.
    pub fn of(slots: &[Slot]) -> Self {
        let kept = || slots.iter().filter(|slot| slot.kept).map(|slot| slot.position);
        Self { slots: kept().count(), places: kept().collect::<BTreeSet<_>>().len() }
    }
}

impl MaskedBatch {
    /// Slots for each sequence. Panics if these are not as many as sequences, none counts, or one
    /// that counts lies outside of its sequence.
    pub fn new(packed: PackedSequences, slots: &[impl AsRef<[Slot]>]) -> Self {
        let lengths = packed.lengths();
        assert_eq!(slots.len(), lengths.len(), "slots for each sequence");
        let (mut rows, mut firsts, mut masked) = (Vec::new(), Vec::new(), Vec::new());
        let mut known = BTreeMap::new();
        let mut start = 0;
        for (slots, &length) in slots.iter().zip(lengths) {
            for slot in slots.as_ref().iter().filter(|slot| slot.kept) {
                assert!(slot.position < length, "{slot:?} in a sequence of {length}");
                let row = (start + slot.position) as i64;
                firsts.push(*known.entry(row).or_insert(rows.len() as i64));
                rows.push(row);
                if slot.masked {
                    masked.push(row);
                }
            }
            start += length;
        }
        assert!(!rows.is_empty(), "no position of {} sequences is to be filled in", slots.len());
        let places: Vec<i64> = known.into_keys().collect();
        let device = packed.device();
        let on = |list: &[i64]| tensor_on(list, device);
        let [rows, firsts, places, masked] =
            [&rows, &firsts, &places, &masked].map(|list| on(list));
        Self { packed, rows, firsts, places, masked, whole: None }
    }

    /// Makes this batch the [part](PackedSequences::of_part) of one that `processes` share equally,
    /// with the counts of all its sequences: losses are then such that their mean over the
    /// processes is the loss of the whole batch, and tokens are drawn as in it. Panics if there are
    /// not as many sequences, or those of the part do not follow one another.
    #[must_use]
    pub fn shared(self, counts: &[SlotCounts], processes: usize) -> Self {
        let part = self.packed.part();
        let [own] = part.ranges() else { panic!("several ranges: {part:?}") };
        assert_eq!(counts.len(), own.len() * processes, "counts of all processes' sequences");
        let slots = |part: &[SlotCounts]| part.iter().map(|c| c.slots).sum::<usize>();
        let share = |own: usize, all: usize| (own * processes) as f64 / all as f64;
        let places = counts.iter().map(|c| c.places).sum();
        let around = [slots(&counts[..own.start]), slots(&counts[own.end..])];
        let whole = Whole {
            around: around.map(|n| n as i64),
            slots: share(self.rows.numel(), slots(counts)),
            places: share(self.places.numel(), places),
            tokens: share(self.packed.tokens(), part.all().iter().sum()),
        };
        Self { whole: Some(whole), ..self }
    }

    /// Where this is in a batch that several processes share.
    pub(super) fn whole(&self) -> Option<Whole> {
        self.whole
    }

    /// The sequences as they are.
    pub fn packed(&self) -> &PackedSequences {
        &self.packed
    }

    /// Rows of the slots that count, int64 `[slots]`.
    pub fn rows(&self) -> &Tensor {
        &self.rows
    }

    /// Rows of which some slot counts, each once and rising, int64.
    pub fn places(&self) -> &Tensor {
        &self.places
    }

    /// The true tokens of the slots, int64 `[slots]`.
    pub fn truth(&self) -> Tensor {
        self.packed.ids().index_select(0, &self.rows)
    }

    /// What the generator sees.
    pub fn masked(&self, mask: i64) -> PackedSequences {
        self.packed.with_ids(self.packed.ids().index_fill(0, &self.masked, mask))
    }

    /// The original tokens with those of the slots, int64 `[slots]`, put in. Of several slots at
    /// one place the first one's token counts.
    pub fn replaced(&self, tokens: &Tensor) -> Replaced {
        let tokens = tokens.index_select(0, &self.firsts);
        let ids = self.packed.ids().index_copy(0, &self.rows, &tokens);
        let labels = ids.ne_tensor(self.packed.ids()).to_kind(Kind::Float);
        Replaced { packed: self.packed.with_ids(ids), tokens, labels }
    }

    /// Where the batch is.
    pub fn device(&self) -> Device {
        self.packed.device()
    }
}

/// A batch in which tokens were replaced.
#[derive(Debug)]
pub struct Replaced {
    /// The sequences as the discriminator sees them.
    pub packed: PackedSequences,
    /// What stands at each slot now, int64 `[slots]`.
    pub tokens: Tensor,
    /// 1 where a token is another than the original one, else 0, float32 `[tokens]`: a token that
    /// was drawn and is the original one is no replaced one.
    pub labels: Tensor,
}
