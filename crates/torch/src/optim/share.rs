//! Which process keeps the state of which parameter, where several train one network.

use tch::Tensor;

use super::slot::Slot;

/// The processes' shares of an optimiser's state, as one of them sees them.
pub(super) struct Share {
    pub(super) rank: usize,
    /// Whose each parameter is.
    pub(super) owners: Vec<usize>,
}

impl Share {
    /// Shares of nearly equal size: the largest parameters first, each to the process that has the
    /// fewest numbers so far.
    pub(super) fn new(params: &[Tensor], rank: usize, size: usize) -> Self {
        assert!(rank < size, "rank {rank} of {size}");
        let numbers: Vec<usize> = params.iter().map(Tensor::numel).collect();
        let mut order: Vec<usize> = (0..params.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(numbers[i]));
        let mut loads = vec![0; size];
        let mut owners = vec![0; params.len()];
        for i in order {
            let least = (0..size).min_by_key(|&r| loads[r]).expect("at least one process");
            owners[i] = least;
            loads[least] += numbers[i];
        }
        Self { rank, owners }
    }

    /// Whether the state of a parameter is kept here.
    pub(super) fn keeps(&self, i: usize) -> bool {
        self.owners[i] == self.rank
    }

    /// Those of a list with an entry a parameter that belong to this process.
    pub(super) fn own<T>(&self, all: &[T], copy: impl Fn(&T) -> T) -> Vec<T> {
        let kept = all.iter().enumerate().filter(|(i, _)| self.keeps(*i));
        kept.map(|(_, entry)| copy(entry)).collect()
    }

    /// The state of this process's parameters.
    pub(super) fn own_slots(&self, slots: &[Slot]) -> Vec<Slot> {
        let own = |slot: &Slot| Slot {
            name: slot.name,
            tensors: self.own(&slot.tensors, Tensor::shallow_clone),
        };
        slots.iter().map(own).collect()
    }

    /// The state that `make` gives for some parameters, with stand-ins of the same shape for what
    /// others keep: a single number each. No more than one parameter's state is made and let go.
    pub(super) fn slots(
        &self,
        params: &[Tensor],
        make: impl Fn(&[Tensor]) -> Vec<Slot>,
    ) -> Vec<Slot> {
        let mut all = make(&[]);
        for (i, p) in params.iter().enumerate() {
            for (slot, mut one) in all.iter_mut().zip(make(std::slice::from_ref(p))) {
                let made = one.tensors.remove(0);
                slot.tensors.push(if self.keeps(i) { made } else { stand_in(&made) });
            }
        }
        all
    }
}

/// A tensor of the same shape and kind that is one number.
fn stand_in(t: &Tensor) -> Tensor {
    let one = vec![1_i64; t.dim()];
    Tensor::zeros(one, (t.kind(), t.device())).expand(t.size(), false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::{Device, Kind};

    use super::*;

    proptest! {
        #[test]
        fn every_parameter_has_one_owner_and_no_share_is_much_larger(
            sizes in prop::collection::vec(0_i64..2000, 0..30),
            processes in 1_usize..6,
        ) {
            let make = |&n: &i64| Tensor::zeros([n], (Kind::Float, Device::Cpu));
            let params: Vec<Tensor> = sizes.iter().map(make).collect();
            let shares: Vec<Share> =
                (0..processes).map(|rank| Share::new(&params, rank, processes)).collect();
            let load = |share: &Share| -> i64 { share.own(&sizes, |&n| n).into_iter().sum() };
            let (total, largest) = (sizes.iter().sum::<i64>(), sizes.iter().copied().max());
            prop_assert_eq!(shares.iter().map(load).sum::<i64>(), total);
            for share in &shares {
                prop_assert!(load(share) <= total / processes as i64 + largest.unwrap_or(0));
                prop_assert_eq!(&share.owners, &shares[0].owners);
            }
        }
    }
}
