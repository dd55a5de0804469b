//! Masking: counts, positions and what stands in their place.

use augment::rng::Key;
use data_pipeline::text::{MaskPlan, Masking, Packed, Replacement, Sequence, Specials};
use proptest::prelude::*;

const SPECIALS: Specials = Specials { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

/// Halves round to even in single precision; never none.
#[test]
fn masked_counts_round_half_to_even() {
    let masking = Masking::default();
    for (real, count) in [(30, 4), (70, 10), (10, 2), (128, 19), (1, 1), (2, 1), (50, 8), (90, 14)]
    {
        assert_eq!(masking.count(real, 128), count, "{real} real tokens");
    }
    let large = Masking { share: 0.25, ..masking };
    assert_eq!((masking.slots(512), large.slots(512)), (79, 130));
}

fn batch(lengths: &[u32]) -> Packed {
    let sequence = |&length: &u32| {
        let ids: Vec<u32> = (10..10 + length - 3).collect();
        Sequence::new(&ids[..ids.len() / 2], &ids[ids.len() / 2..], SPECIALS)
    };
    let sequences: Vec<Sequence> = lengths.iter().map(sequence).collect();
    let mut packed = Packed::of(&sequences);
    let key = |index| Key { seed: 5, epoch: 1, index, view: 0 };
    packed.keys = (0..lengths.len() as u64).map(key).collect();
    packed
}

fn plan(masking: Masking, packed: &Packed) -> MaskPlan {
    masking.plan(packed, SPECIALS, 500, 128)
}

#[test]
fn shares_of_what_stands_there() {
    let packed = batch(&[128; 400]);
    let share = |plan: &MaskPlan, is: &dyn Fn(u32, u32) -> bool| {
        let shown = plan.positions.iter().map(|&at| plan.inputs[at as usize]);
        let hits = shown.zip(&plan.originals).filter(|(now, was)| is(*now, **was)).count();
        hits as f64 / plan.positions.len() as f64
    };
    let once = Masking { with_repeats: false, ..Masking::default() };
    let electra = plan(once, &packed);
    assert_eq!(electra.positions.len(), 400 * 19);
    assert!((share(&electra, &|now, _| now == SPECIALS.mask) - 0.85).abs() < 0.015);
    assert!((share(&electra, &|now, was| now == was) - 0.15).abs() < 0.015);
    let bert = plan(Masking::bert(), &packed);
    assert!((share(&bert, &|now, _| now == SPECIALS.mask) - 0.8).abs() < 0.015);
    assert!((share(&bert, &|now, was| now == was) - 0.1).abs() < 0.015);
    assert!((share(&bert, &|now, was| now != was && now != SPECIALS.mask) - 0.1).abs() < 0.015);
    let all = plan(Masking { replacement: Replacement::Mask, ..Masking::bert() }, &packed);
    assert_eq!(share(&all, &|now, _| now == SPECIALS.mask), 1.0);
    // With repeats, 19 draws of 125 places meet as often as birthdays do.
    let repeats = plan(Masking::default(), &packed);
    let mut distinct = repeats.positions.clone();
    distinct.sort();
    distinct.dedup();
    let expected = 125.0 * (1.0 - (124.0f64 / 125.0).powi(19)) / 19.0;
    let found = distinct.len() as f64 / repeats.positions.len() as f64;
    assert!((found - expected).abs() < 0.01, "{found} {expected}");
}

#[test]
fn rows_have_weights() {
    let packed = batch(&[10, 30, 5]);
    let plan = plan(Masking::default(), &packed);
    assert_eq!(plan.counts, [2, 4, 1]);
    let (positions, weights) = plan.rows(&packed, 19);
    let sums: Vec<f32> = weights.chunks(19).map(|row| row.iter().sum()).collect();
    assert_eq!(sums, [2.0, 4.0, 1.0]);
    assert_eq!(positions[4], 0);
    assert_eq!(positions[19], packed.positions[plan.positions[2] as usize]);
    // Only special tokens: nothing can be masked.
    let none = Packed::of(&[Sequence { ids: vec![2, 3], first: 2 }]);
    let none = self::plan(Masking::default(), &none);
    assert_eq!((none.counts, none.inputs), (vec![0], vec![2, 3]));
}

proptest! {
    #[test]
    fn plans_keep_their_promises(
        lengths in proptest::collection::vec(4u32..100, 1..8), share in 0.01f64..0.6, with_repeats: bool,
    ) {
        let packed = batch(&lengths);
        let masking = Masking { share, with_repeats, replacement: Replacement::Bert };
        let whole = plan(masking, &packed);
        let starts = packed.starts();
        let mut next = 0;
        for (row, &count) in whole.counts.iter().enumerate() {
            let text = packed.lengths[row] as usize - 3;
            let wanted = masking.count(packed.lengths[row] as usize, 128);
            prop_assert_eq!(count as usize, if with_repeats { wanted } else { wanted.min(text) });
            let mut positions = whole.positions[next..next + count as usize].to_vec();
            for &at in &positions {
                prop_assert!((starts[row]..starts[row + 1]).contains(&at));
                prop_assert!(packed.ids[at as usize] >= 10, "special tokens stay");
            }
            if !with_repeats {
                positions.sort();
                positions.dedup();
                prop_assert_eq!(positions.len(), count as usize);
            }
            next += count as usize;
            // A sequence's plan depends on its key, not on its neighbours.
            let (from, to) = (starts[row] as usize, starts[row + 1] as usize);
            let alone = Packed {
                ids: packed.ids[from..to].to_vec(),
                segments: packed.segments[from..to].to_vec(),
                positions: packed.positions[from..to].to_vec(),
                lengths: vec![packed.lengths[row]],
                keys: vec![packed.keys[row]],
            };
            prop_assert_eq!(&plan(masking, &alone).inputs, &whole.inputs[from..to]);
        }
        for (at, (now, was)) in whole.inputs.iter().zip(&packed.ids).enumerate() {
            prop_assert!(now == was || whole.positions.contains(&(at as u32)));
        }
        for (at, original) in whole.positions.iter().zip(&whole.originals) {
            prop_assert_eq!(packed.ids[*at as usize], *original);
        }
    }
}
