//! Which tokens are masked, and what stands in their place: ELECTRA's rule (`pretrain_helpers.py`)
//! and BERT's.

use super::sequence::Packed;
use super::tokenizer::Specials;
use augment::rng::{Key, Rng};
use serde::{Deserialize, Serialize};

/// What stands in the place of a token that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replacement {
    /// `[MASK]` with a probability of 85 %, else the token itself.
    Electra,
    /// `[MASK]` in 80 %, a random token in 10 %, the token itself in 10 %.
    Bert,
    /// `[MASK]` always.
    Mask,
}

/// How tokens are masked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Masking {
    /// The share of tokens, `[CLS]` and `[SEP]` counted among them.
    pub share: f64,
    /// What stands in their place.
    pub replacement: Replacement,
    /// Whether a position may be drawn twice. It is replaced once then, and its loss counts twice.
    pub with_repeats: bool,
}

impl Default for Masking {
    /// ELECTRA's: 15 %, with repeats.
    fn default() -> Self {
        Self { share: 0.15, replacement: Replacement::Electra, with_repeats: true }
    }
}

/// The view of a key that masking draws from.
const VIEW: u64 = 2000;

impl Masking {
    /// BERT's: 15 %, each position once, 80/10/10.
    pub fn bert() -> Self {
        Self { share: 0.15, replacement: Replacement::Bert, with_repeats: false }
    }

    /// The places for masked tokens in rows of `longest` tokens: no sequence has more.
    ///
    /// ```
    /// use data_pipeline::text::Masking;
    /// let masking = Masking::default();
    /// assert_eq!((masking.slots(128), masking.slots(512)), (19, 79));
    /// // Halves round to even, in single precision.
    /// assert_eq!([30, 70, 10, 128, 1].map(|real| masking.count(real, 128)), [4, 10, 2, 19, 1]);
    /// ```
    pub fn slots(&self, longest: usize) -> usize {
        ((self.share + 0.005) * longest as f64) as usize
    }

    /// How many tokens are masked of a sequence with `real` tokens in rows of `longest`.
    pub fn count(&self, real: usize, longest: usize) -> usize {
        let count = (self.share as f32 * real as f32).round_ties_even() as usize;
        count.min(self.slots(longest)).max(1)
    }

    /// Draws what is masked in a batch. Rows may have up to `longest` tokens; random tokens are
    /// below `vocabulary`. What is drawn for a sequence depends on its key alone, and for one
    /// without a key on its place in the batch.
    pub fn plan(
        &self,
        packed: &Packed,
        specials: Specials,
        vocabulary: usize,
        longest: usize,
    ) -> MaskPlan {
        let mut plan = MaskPlan { inputs: packed.ids.clone(), ..MaskPlan::default() };
        let (mut candidates, mut start) = (Vec::new(), 0);
        for (row, &length) in packed.lengths.iter().enumerate() {
            let end = start + length as usize;
            let unkeyed = Key { seed: 0, epoch: 0, index: row as u64, view: 0 };
            let key = packed.keys.get(row).copied().unwrap_or(unkeyed);
            let mut rng = Key { view: VIEW, ..key }.rng();
            candidates.clear();
            let is_text = |&at: &usize| {
                let id = packed.ids[at];
                id != specials.cls && id != specials.sep && id != specials.mask
            };
            candidates.extend((start..end).filter(is_text).map(|at| at as u32));
            let before = plan.positions.len();
            self.draw(&mut candidates, self.count(length as usize, longest), &mut rng, &mut plan);
            for &at in &plan.positions[before..] {
                let original = packed.ids[at as usize];
                plan.originals.push(original);
                let shown = self.shown(original, specials, vocabulary, &mut rng);
                // A position that was drawn twice stays masked if either draw masks it.
                if shown != original {
                    plan.inputs[at as usize] = shown;
                }
            }
            plan.counts.push((plan.positions.len() - before) as u32);
            start = end;
        }
        plan
    }

    fn draw(&self, candidates: &mut [u32], count: usize, rng: &mut Rng, plan: &mut MaskPlan) {
        if candidates.is_empty() {
            return;
        }
        if self.with_repeats {
            let any = |_| candidates[rng.below(candidates.len())];
            return plan.positions.extend((0..count).map(any));
        }
        for at in 0..count.min(candidates.len()) {
            let other = at + rng.below(candidates.len() - at);
            candidates.swap(at, other);
            plan.positions.push(candidates[at]);
        }
    }

    fn shown(&self, original: u32, specials: Specials, vocabulary: usize, rng: &mut Rng) -> u32 {
        let coin = rng.unit();
        match self.replacement {
            Replacement::Mask => specials.mask,
            Replacement::Electra if coin < 0.85 => specials.mask,
            Replacement::Bert if coin < 0.8 => specials.mask,
            Replacement::Bert if coin < 0.9 => rng.below(vocabulary.max(1)) as u32,
            _ => original,
        }
    }
}

/// What is masked in a batch of `b` sequences with `n` tokens; `m` tokens are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskPlan {
    /// The batch's ids with tokens replaced, length `n`.
    pub inputs: Vec<u32>,
    /// Places in the batch, length `m`; each has weight 1 in the loss, so one that stands twice
    /// counts twice. Those of a sequence stand together, in the order drawn.
    pub positions: Vec<u32>,
    /// The tokens that were there, length `m`.
    pub originals: Vec<u32>,
    /// How many of each sequence, length `b`; 0 for one without text.
    pub counts: Vec<u32>,
}

impl MaskPlan {
    /// Positions within their sequence and weights as rows of `slots` places, each `b * slots`
    /// long, as upstream has them: places that are not used have position 0 and weight 0. Panics if
    /// a sequence has more.
    pub fn rows(&self, packed: &Packed, slots: usize) -> (Vec<u32>, Vec<f32>) {
        let size = self.counts.len() * slots;
        let (mut positions, mut weights) = (vec![0; size], vec![0.0; size]);
        let mut next = self.positions.iter();
        for (row, &count) in self.counts.iter().enumerate() {
            assert!(count as usize <= slots, "{count} masked tokens in {slots} places");
            for slot in 0..count as usize {
                let at = next.next().map_or(0, |&at| packed.positions[at as usize]);
                positions[row * slots + slot] = at;
                weights[row * slots + slot] = 1.0;
            }
        }
        (positions, weights)
    }
}
