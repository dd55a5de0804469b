//! Stratified folds of the labelled samples.

use augment::rng::Key;

/// Some labelled samples to train on and the others, by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fold {
    pub(crate) trained: Vec<usize>,
    pub(crate) held_out: Vec<usize>,
}

/// Divides samples of these classes into `count` folds, every class as evenly as its size allows;
/// with one fold, `share` of every class is held out. At least one sample of a class is always
/// trained on, so a class with one sample is never held out, and folds that hold out nothing are
/// left away.
pub(crate) fn folds(labels: &[u32], count: usize, share: f64, seed: u64) -> Vec<Fold> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    Key { seed, epoch: 0, index: 0, view: 1003 }.rng().shuffle(&mut order);
    let classes = labels.iter().max().map_or(0, |most| *most as usize + 1);
    let mut held_out = vec![Vec::new(); count];
    for class in 0..classes {
        let members: Vec<usize> =
            order.iter().copied().filter(|&i| labels[i] as usize == class).collect();
        if members.len() < 2 {
            continue;
        }
        if count == 1 {
            let n = (members.len() as f64 * share).round().max(1.0) as usize;
            held_out[0].extend(&members[..n.min(members.len() - 1)]);
        } else {
            // Classes begin at different folds, so that small ones do not all end in the first.
            let each = members.iter().enumerate();
            each.for_each(|(k, &i)| held_out[(class + k) % count].push(i));
        }
    }
    held_out.retain(|held_out| !held_out.is_empty());
    let fold = |mut held_out: Vec<usize>| {
        held_out.sort_unstable();
        let trained = (0..labels.len()).filter(|i| held_out.binary_search(i).is_err()).collect();
        Fold { trained, held_out }
    };
    held_out.into_iter().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_of_a_class_with_two_is_held_out_once() {
        let labels = [0, 0, 0, 0, 0, 1, 1, 2];
        let folds = folds(&labels, 2, 0.2, 1);
        let mut held_out: Vec<usize> = folds.iter().flat_map(|f| f.held_out.clone()).collect();
        held_out.sort_unstable();
        assert_eq!(held_out, [0, 1, 2, 3, 4, 5, 6]);
        for fold in &folds {
            for class in 0..3 {
                assert!(fold.trained.iter().any(|&i| labels[i] == class), "{fold:?}");
            }
        }
    }

    #[test]
    fn one_fold_holds_out_a_share_of_every_class() {
        let labels: Vec<u32> = (0..30).map(|i| i % 3).collect();
        let one = folds(&labels, 1, 0.2, 1);
        assert_eq!((one.len(), one[0].held_out.len(), one[0].trained.len()), (1, 6, 24));
        assert_eq!(folds(&[0, 1, 2], 3, 0.2, 1), []);
    }
}
