//! A loader of samples that are not images: token ids, padded to the longest of a batch.

use augment::rng::Rng;
use data_pipeline::dataset::{Concat, Samples, VecSet};
use data_pipeline::error::DataError;
use data_pipeline::loader::{Collate, Items, Loader, NO_LABEL, Step, Stream};
use data_pipeline::sampler::Order;
use ndarray::{Array2, s};
use std::sync::Arc;

/// Replaces token ids at random by 1, in `dropped` of 10, and pads with 0.
#[derive(Clone)]
struct Pad {
    dropped: usize,
}

/// Token ids `[b, longest]` and lengths `[b]`.
type Padded = (Array2<u32>, Vec<usize>);

impl Collate for Pad {
    type Item = Vec<u32>;
    type Batch = Padded;
    type Scratch = Vec<Vec<u32>>;

    fn collate(
        &self,
        items: Items<'_, Vec<u32>>,
        rows: &mut Vec<Vec<u32>>,
    ) -> Result<Padded, DataError> {
        rows.clear();
        let expected = items.len();
        for drawn in items {
            let mut drawn = drawn?;
            if drawn.item.is_empty() {
                return Err(DataError::Request(format!("{} has no tokens", drawn.id())));
            }
            let mut rng: Rng = drawn.key(0).rng();
            drawn.item.iter_mut().for_each(|id| {
                if rng.below(10) < self.dropped {
                    *id = 1;
                }
            });
            rows.push(drawn.item);
        }
        assert_eq!(rows.len(), expected);
        let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
        let mut ids = Array2::zeros((rows.len(), lengths.iter().copied().max().unwrap_or(0)));
        for (mut to, row) in ids.rows_mut().into_iter().zip(&*rows) {
            to.slice_mut(s![..row.len()]).assign(&ndarray::aview1(row));
        }
        Ok((ids, lengths))
    }
}

/// Text `i` is `i % 4 + 1` times the id `10 + i`; its label is `i % 2`.
fn texts(n: u32) -> VecSet<Vec<u32>> {
    let texts = (0..n).map(|i| vec![10 + i; i as usize % 4 + 1]).collect();
    let labels = (0..n).map(|i| i % 2).collect();
    VecSet::new("texts", texts, Some(labels), vec!["neg".into(), "pos".into()]).unwrap()
}

fn streams() -> Vec<Stream<Pad>> {
    let labeled = Stream {
        set: Arc::new(texts(6)),
        entries: (0..6).collect(),
        collate: Pad { dropped: 0 },
        batch: 4,
        seed: 1,
        order: Order::Sequential,
    };
    let more = VecSet::new("more", vec![vec![7, 8]; 5], None, vec![]).unwrap();
    let both = Concat::new(vec![Arc::new(texts(8)), Arc::new(more)]).unwrap();
    let unlabeled = Stream {
        set: Arc::new(both),
        entries: (0..13).collect(),
        collate: Pad { dropped: 3 },
        batch: 9,
        seed: 2,
        order: Order::Shuffled,
    };
    vec![labeled, unlabeled]
}

fn steps(from: u64, workers: usize) -> Vec<Step<Padded>> {
    Loader::builder(streams()).steps(from..8).workers(workers).start().map(Result::unwrap).collect()
}

#[test]
fn token_ids_are_padded_in_the_order_drawn() {
    let steps = steps(0, 0);
    let batch = &steps[1].batches[0];
    assert_eq!((&batch.slots[..], &batch.epochs[..]), (&[4, 5, 0, 1][..], &[0, 0, 1, 1][..]));
    assert_eq!(batch.labels, [0, 1, 0, 1]);
    assert_eq!(batch.data.0, ndarray::array![[14, 0], [15, 15], [10, 0], [11, 11]]);
    assert_eq!(batch.data.1, [1, 2, 1, 2]);
    let longest = |step: &Step<Padded>| step.batches[0].data.0.dim();
    assert_eq!((longest(&steps[0]), longest(&steps[1])), ((4, 4), (4, 2)));
    let unlabeled = steps.iter().map(|step| &step.batches[1]);
    for (slot, label) in unlabeled.clone().flat_map(|batch| batch.slots.iter().zip(&batch.labels)) {
        assert_eq!(*label, if *slot < 8 { slot % 2 } else { NO_LABEL });
    }
    // One epoch of the shuffled stream has every entry once, and its tokens are replaced again in
    // the next one.
    let mut slots: Vec<u32> = unlabeled.clone().flat_map(|batch| batch.slots.clone()).collect();
    slots[..13].sort();
    assert_eq!(slots[..13], (0..13).collect::<Vec<_>>());
    let rows_of = |wanted: u32| {
        unlabeled.clone().flat_map(move |batch| {
            let at = batch.slots.iter().position(|&slot| slot == wanted);
            at.map(|row| batch.data.0.slice(s![row, ..batch.data.1[row]]).to_vec())
        })
    };
    let draws: Vec<Vec<u32>> = rows_of(7).collect();
    assert!(draws.len() >= 4, "{draws:?}");
    assert!(draws.iter().all(|row| row.len() == 4 && row.iter().all(|&id| id == 1 || id == 17)));
    assert!(draws.iter().any(|row| *row != draws[0]), "{draws:?}");
}

#[test]
fn workers_and_resuming_do_not_change_token_batches() {
    let whole = steps(0, 0);
    assert_eq!(whole.len(), 8);
    for workers in [0, 1, 3] {
        for from in [0, 1, 5] {
            assert_eq!(steps(from, workers), whole[from as usize..], "{workers} from {from}");
        }
        let pass = Loader::pass(streams().remove(1), workers).map(Result::unwrap);
        let sizes: Vec<usize> = pass.map(|step| step.batches[0].data.1.len()).collect();
        assert_eq!(sizes, [9, 4]);
    }
}

#[test]
fn a_collate_can_refuse_a_sample() {
    let set = VecSet::new("t", vec![vec![1], vec![]], None, vec![]).unwrap();
    let stream = Stream { set: Arc::new(set), entries: vec![0, 1], ..streams().remove(0) };
    for workers in [0, 2] {
        let mut loader = Loader::builder(vec![stream.clone()]).workers(workers).start();
        let error = loader.next().unwrap().unwrap_err().to_string();
        assert_eq!(error, "t/1 has no tokens");
        assert!(loader.next().is_none());
    }
}

#[test]
fn the_labels_of_a_set_must_fit() {
    let refuse = |labels: Vec<u32>, expected: &str| {
        let error = VecSet::new("t", vec!["a", "b"], Some(labels), vec!["c".into()]).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    refuse(vec![0], "set `t`: 2 samples but 1 labels");
    refuse(vec![0, 1], "set `t`: sample 1 has label 1 of 1 class");
    let error = VecSet::new("t", vec!["a"], None, vec![]).unwrap().labels().unwrap_err();
    assert!(error.to_string().contains("t/0 has no label"), "{error}");
}
