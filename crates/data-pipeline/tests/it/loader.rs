//! The same bytes for any number of workers; every entry once in a pass; errors are reported and
//! nothing hangs.

use crate::{noisy, toy};
use augment::Image;
use data_pipeline::dataset::{ImageSamples, Samples};
use data_pipeline::error::DataError;
use data_pipeline::loader::{Collate, Loader, NO_LABEL, Share, Step, Stream, View, Views, plain};
use data_pipeline::sampler::Order;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn stream(n: usize, batch: usize, seed: u64, order: Order) -> Stream<Views> {
    let views: Vec<View> = vec![plain(), Arc::new(noisy), Arc::new(noisy)];
    Stream {
        set: Arc::new(toy(n)),
        entries: (0..n as u32).chain([0, 0]).collect(),
        collate: Views(views),
        batch,
        seed,
        order,
    }
}

fn collect<C: Collate>(loader: Loader<C>) -> Vec<Step<C::Batch>> {
    loader.map(Result::unwrap).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn workers_do_not_matter(n in 1usize..30, batch in 1usize..20, from in 0u64..9, workers in 1usize..5, seed: u64) {
        let streams = || vec![stream(n, batch, seed, Order::Shuffled), stream(7, 3, seed ^ 1, Order::Sequential)];
        let whole = collect(Loader::builder(streams()).steps(0..12).start());
        prop_assert_eq!(whole.iter().map(|s| s.step).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
        let resumed = collect(Loader::builder(streams()).steps(from..12).workers(workers).start());
        prop_assert_eq!(&whole[from as usize..], &resumed[..]);
        let pass = |workers| collect(Loader::pass(stream(n, batch, seed, Order::Shuffled), workers));
        prop_assert_eq!(pass(0), pass(workers));
    }

    #[test]
    fn a_pass_has_every_entry_once(n in 1usize..40, batch in 1usize..50, workers in 0usize..4) {
        for order in [Order::Shuffled, Order::Sequential] {
            let steps = collect(Loader::pass(stream(n, batch, 5, order), workers));
            prop_assert_eq!(steps.len(), (n + 2).div_ceil(batch));
            let mut slots: Vec<u32> = steps.iter().flat_map(|s| s.batches[0].slots.clone()).collect();
            if order == Order::Shuffled {
                slots.sort();
            }
            prop_assert_eq!(slots, (0..n as u32 + 2).collect::<Vec<_>>());
        }
    }
}

/// Each part of a batch, which is computed by itself, is shared by the processes.
#[test]
fn processes_take_their_share_of_each_part() {
    let slots = |share| -> Vec<u32> {
        let streams = vec![stream(30, 12, 3, Order::Shuffled)];
        let steps = collect(Loader::builder(streams).steps(1..2).share(share).start());
        steps[0].batches[0].slots.clone()
    };
    let whole = slots(Share::WHOLE);
    assert_eq!(whole, slots(Share { parts: 3, ..Share::WHOLE }));
    for (parts, size) in [(1, 4), (3, 2), (2, 3), (6, 2)] {
        let own: Vec<_> = (0..size).map(|rank| slots(Share { rank, size, parts })).collect();
        let each = 12 / parts / size;
        let of_part = |part: usize| own.iter().flat_map(move |own| &own[part * each..][..each]);
        assert!((0..parts).flat_map(of_part).eq(&whole), "{parts} parts of {size} processes");
    }
    let streams = vec![stream(30, 12, 3, Order::Shuffled)];
    let share = Share { rank: 0, size: 4, parts: 2 };
    let error = Loader::builder(streams).steps(0..1).share(share).start().next().expect("an error");
    assert!(error.expect_err("6 for 4").to_string().contains("a batch of 6 samples"));
}

#[test]
fn batches_hold_what_they_say() {
    let steps = collect(
        Loader::builder(vec![stream(9, 4, 3, Order::Shuffled)]).steps(0..6).workers(2).start(),
    );
    let mut copies = vec![];
    for batch in steps.iter().flat_map(|step| &step.batches) {
        assert_eq!(batch.data.iter().map(|v| v.dim()).collect::<Vec<_>>(), [(4, 5, 4, 1); 3]);
        for i in 0..4 {
            let (slot, index) = (batch.slots[i], batch.indices[i]);
            assert_eq!(index, if slot < 9 { slot } else { 0 });
            assert_eq!(batch.labels[i], index % 3);
            assert_eq!(u32::from(batch.data[0][[i, 0, 0, 0]]), index);
            if index == 0 {
                copies.push(batch.data[1].index_axis(ndarray::Axis(0), i).to_owned());
            }
        }
        assert_ne!(batch.data[1], batch.data[2], "views are drawn apart");
    }
    // Copies of one image, and one copy in different epochs, are augmented apart.
    for (i, a) in copies.iter().enumerate() {
        assert!(copies[..i].iter().all(|b| a != b));
    }
    assert!(copies.len() >= 6);
}

#[test]
fn an_endless_loader_can_be_dropped() {
    let mut loader = Loader::builder(vec![stream(9, 4, 3, Order::Shuffled)])
        .steps(1_000_000..)
        .workers(3)
        .start();
    assert_eq!(loader.next().unwrap().unwrap().step, 1_000_000);
    assert_eq!(loader.next().unwrap().unwrap().step, 1_000_001);
}

/// A set whose images count the reads, and whose sample 5 fails or panics.
struct Faulty {
    reads: AtomicUsize,
    panics: bool,
}

impl Samples for Faulty {
    type Item = Image;

    fn len(&self) -> usize {
        10
    }
    fn item(&self, index: usize) -> Result<Image, DataError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match index {
            5 if self.panics => panic!("sample five panics"),
            5 => Err(DataError::Request("sample five is bad".into())),
            7 => Ok(Image::filled(3, 2, 1, 7)),
            _ => Ok(Image::filled(2, 2, 1, 1)),
        }
    }
    fn label(&self, _: usize) -> Option<u32> {
        None
    }
    fn id(&self, index: usize) -> String {
        format!("faulty/{index}")
    }
    fn classes(&self) -> &[String] {
        &[]
    }
}

#[test]
fn faults_surface_in_their_place() {
    for (panics, expected) in
        [(false, "sample five is bad"), (true, "stopped at step 5: sample five panics")]
    {
        for workers in [0, 1, 3] {
            let set = Arc::new(Faulty { reads: AtomicUsize::new(0), panics });
            let entries = (0..10).collect();
            let stream = Stream {
                set,
                entries,
                collate: Views(vec![plain()]),
                batch: 1,
                seed: 0,
                order: Order::Sequential,
            };
            let mut loader = Loader::builder(vec![stream]).workers(workers).start();
            for step in 0..5 {
                assert_eq!(
                    loader.next().unwrap().unwrap().batches[0].labels,
                    [NO_LABEL],
                    "step {step}"
                );
            }
            let error = loader.next().unwrap().unwrap_err().to_string();
            assert!(error.contains(expected), "{workers} workers: {error}");
            assert!(loader.next().is_none(), "a loader ends after an error");
        }
    }
}

#[test]
fn requests_are_checked() {
    let set: Arc<ImageSamples> = Arc::new(Faulty { reads: AtomicUsize::new(0), panics: false });
    let stream = |entries: Vec<u32>, batch| {
        let set = set.clone();
        Stream {
            set,
            entries,
            collate: Views(vec![plain()]),
            batch,
            seed: 0,
            order: Order::Sequential,
        }
    };
    let refuse = |stream: Stream<Views>, expected: &str| {
        for workers in [0, 2] {
            let mut loader = Loader::builder(vec![stream.clone()]).workers(workers).start();
            let error = loader.next().unwrap().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(loader.next().is_none());
        }
    };
    refuse(stream(vec![], 4), "has 0 entries");
    refuse(stream(vec![1], 0), "a batch of 0 samples");
    refuse(stream(vec![1, 10], 4), "sample 10 of a set of 10");
    refuse(
        stream(vec![6, 7], 2),
        "faulty/7 does not fit into its batch: [2, 3, 1] beside [2, 2, 1]",
    );
    assert!(Loader::pass(stream(vec![], 4), 2).next().is_none());
}

#[test]
fn dropping_stops_the_work() {
    let set = Arc::new(Faulty { reads: AtomicUsize::new(0), panics: false });
    let entries = vec![0; 10];
    let slow: View = Arc::new(|_, _, _, _| std::thread::sleep(std::time::Duration::from_millis(5)));
    let stream = Stream {
        set: set.clone(),
        entries,
        collate: Views(vec![slow]),
        batch: 10_000,
        seed: 0,
        order: Order::Sequential,
    };
    let loader = Loader::builder(vec![stream]).workers(2).start();
    while set.reads.load(Ordering::Relaxed) < 4 {
        std::thread::yield_now();
    }
    drop(loader);
    let reads = set.reads.load(Ordering::Relaxed);
    assert!(reads < 1000, "{reads} of 20,000 images were read before the workers stopped");
}

/// Batches that are said to take a megabyte, and how many have been made.
struct Large(Arc<AtomicUsize>);

impl Collate for Large {
    type Item = Image;
    type Batch = ();
    type Scratch = ();

    fn collate(
        &self,
        items: data_pipeline::loader::Items<'_, Image>,
        _: &mut (),
    ) -> Result<(), DataError> {
        items.for_each(drop);
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn bytes(_: &()) -> u64 {
        1 << 20
    }
}

#[test]
fn workers_are_no_further_ahead_than_memory_allows() {
    // What is allowed, and how many batches may then be made and not taken.
    for (memory, most) in [(0, 1), (1 << 20, 1), (3 << 20, 3), (1 << 30, 12)] {
        let made = Arc::new(AtomicUsize::new(0));
        let stream = Stream {
            set: Arc::new(toy(4)),
            entries: vec![0, 1, 2, 3],
            collate: Large(made.clone()),
            batch: 2,
            seed: 1,
            order: Order::Sequential,
        };
        let mut loader =
            Loader::builder(vec![stream]).steps(5..60).workers(4).memory_limit(memory).start();
        for taken in 0..55 {
            // Time for workers that would go on.
            std::thread::sleep(std::time::Duration::from_millis(1));
            let ahead = made.load(Ordering::SeqCst) - taken;
            assert!(ahead <= most, "{ahead} batches ahead with {memory} bytes");
            assert_eq!(loader.next().unwrap().unwrap().step, 5 + taken as u64);
        }
        assert!(loader.next().is_none());
    }
}

#[test]
fn batches_of_images_know_their_size() {
    let step = Loader::builder(vec![stream(9, 4, 3, Order::Shuffled)]).steps(0..1).start().next();
    let views = &step.unwrap().unwrap().batches[0].data;
    let bytes: usize = views.iter().map(|view| view.len()).sum();
    assert_eq!(Views::bytes(views), bytes as u64);
}
