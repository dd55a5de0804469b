//! Each slot once an epoch; resuming anywhere gives the same sequence.

use data_pipeline::sampler::{Order, Sampler};
use proptest::prelude::*;

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Shuffled), Just(Order::Sequential)]
}

proptest! {
    #[test]
    fn each_slot_once_an_epoch(len in 1u32..200, seed: u64, epoch in 0u64..1_000_000, order in order()) {
        let mut sampler = Sampler::new(len, seed, order);
        let first = epoch * u64::from(len);
        let draws: Vec<_> = (first..first + u64::from(len)).map(|p| sampler.at(p)).collect();
        prop_assert!(draws.iter().all(|draw| draw.epoch == epoch));
        let mut slots: Vec<u32> = draws.iter().map(|draw| draw.slot).collect();
        slots.sort();
        prop_assert_eq!(slots, (0..len).collect::<Vec<_>>());
    }

    #[test]
    fn resuming_gives_the_same(len in 1u32..60, seed: u64, batch in 1usize..90, from in 0u64..12, order in order()) {
        let mut whole = Sampler::new(len, seed, order);
        let unbroken: Vec<_> = (0..16).map(|step| whole.batch(step, batch)).collect();
        let mut resumed = Sampler::new(len, seed, order);
        for step in from..16 {
            prop_assert_eq!(&resumed.batch(step, batch), &unbroken[step as usize]);
        }
        // Backwards too.
        prop_assert_eq!(&resumed.batch(0, batch), &unbroken[0]);
    }
}

#[test]
fn epochs_and_seeds_differ_and_positions_are_uniform() {
    let epoch = |seed, epoch: u64| {
        let mut sampler = Sampler::new(50, seed, Order::Shuffled);
        (0..50).map(|p| sampler.at(epoch * 50 + p).slot).collect::<Vec<_>>()
    };
    assert_ne!(epoch(1, 0), epoch(1, 1));
    assert_ne!(epoch(1, 0), epoch(2, 0));
    // Slot 0 falls on each of 5 places equally often: 2,000 epochs, expected 400 each, standard
    // deviation 17.9.
    let mut places = [0u32; 5];
    let mut sampler = Sampler::new(5, 3, Order::Shuffled);
    for position in 0..10_000u64 {
        if sampler.at(position).slot == 0 {
            places[(position % 5) as usize] += 1;
        }
    }
    assert!(places.iter().all(|&n| n.abs_diff(400) < 90), "{places:?}");
}

/// In whole batches of an epoch, sizes lie side by side, wherever the epoch begins in a batch.
#[test]
fn buckets_hold_like_sizes() {
    // 130 slots in batches of 8: an epoch may begin in the middle of a batch.
    let sizes: Vec<u32> = (0..130).map(|slot| slot * 37 % 130).collect();
    let mut sampler = Sampler::bucketed(sizes.clone(), 8, 5);
    let mut first_of_batches = vec![];
    for step in 0..160 {
        let batch = sampler.batch(step, 8);
        if batch[0].epoch != batch[7].epoch {
            continue;
        }
        let of_batch: Vec<u32> = batch.iter().map(|draw| sizes[draw.slot as usize]).collect();
        let (least, most) = (of_batch.iter().min().unwrap(), of_batch.iter().max().unwrap());
        // The samples that end the batch begun in the epoch before may be missing among them.
        assert!(most - least < 16, "step {step}: {of_batch:?}");
        first_of_batches.push(*least);
    }
    assert!(!first_of_batches.is_sorted(), "batches come in random order");
    for epoch in 0..10 {
        let mut slots: Vec<u32> = (0..130).map(|p| sampler.at(epoch * 130 + p).slot).collect();
        slots.sort();
        assert_eq!(slots, (0..130).collect::<Vec<_>>());
    }
}
