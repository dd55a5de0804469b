//! An optimiser whose state is kept in parts, one in each of the processes that train together
//! (ZeRO's first stage, Rajbhandari et al. 2020, arXiv 1910.02054, section 5.1).
//!
//! Gradients are averaged as ever. Each process then changes the parameters whose state it has, and
//! gives them to the others. What is computed is what a single process computes, bit by bit: an
//! optimiser's step goes by one parameter at a time.

use std::collections::BTreeMap;

use torch::group::{Error, Group, Work};
use torch::optim::Optimizer;
use torch::{Tensor, no_grad};

/// Bytes of parameters that go in one operation, if they are several.
const LIMIT: usize = 25 << 20;

/// Operations that are under way at once: they bound the memory for copies.
const AT_ONCE: usize = 4;

/// Parameters of one process, which go to the others together.
struct Bucket {
    owner: usize,
    tensors: Vec<Tensor>,
}

impl Bucket {
    fn bytes(&self) -> usize {
        self.tensors.iter().map(|t| t.numel() * t.kind().elt_size_in_bytes()).sum()
    }

    fn takes(&self, t: &Tensor) -> bool {
        let like = |one: &Tensor| (one.kind(), one.device()) == (t.kind(), t.device());
        self.tensors.first().is_some_and(like)
            && self.bytes() + t.numel() * t.kind().elt_size_in_bytes() <= LIMIT
    }

    /// All values in a row, or room for them where they are another's: a copy, unless it is one
    /// tensor that lies so.
    fn packed(&self, own: bool) -> Tensor {
        match self.tensors.as_slice() {
            [one] if one.is_contiguous() => one.view([-1]),
            all if own => Tensor::cat(&all.iter().map(|t| t.reshape([-1])).collect::<Vec<_>>(), 0),
            all => {
                let numbers = all.iter().map(|t| t.numel() as i64).sum::<i64>();
                Tensor::empty([numbers], (all[0].kind(), all[0].device()))
            }
        }
    }

    /// Takes over what [`packed`](Self::packed) gave, here or elsewhere.
    fn unpack(&self, packed: &Tensor) {
        let mut start = 0;
        for t in &self.tensors {
            let count = t.numel() as i64;
            let own = packed.narrow(0, start, count);
            if own.data_ptr() != t.data_ptr() {
                t.shallow_clone().copy_(&own.view_as(t));
            }
            start += count;
        }
    }
}

/// What keeps the parameters of all processes equal, and collects the state for a checkpoint.
pub(crate) struct Shards {
    group: Group,
    buckets: Vec<Bucket>,
}

impl Shards {
    /// Leaves to an optimiser without state the share of this process, unless it has that already.
    pub(crate) fn new(group: &Group, optimizer: &mut Optimizer) -> Self {
        if optimizer.owners().is_none() {
            optimizer.share(group.rank(), group.size());
        }
        let owners = optimizer.owners().expect("it is shared");
        let mut buckets: Vec<Bucket> = Vec::new();
        for (t, &owner) in optimizer.params().iter().zip(owners) {
            let t = t.detach();
            match buckets.iter_mut().rev().find(|bucket| bucket.owner == owner) {
                Some(last) if last.takes(&t) => last.tensors.push(t),
                _ => buckets.push(Bucket { owner, tensors: vec![t] }),
            }
        }
        Self { group: group.clone(), buckets }
    }

    /// After a step: gives every process the parameters that the others changed.
    pub(crate) fn spread(&self) -> Result<(), Error> {
        for some in self.buckets.chunks(AT_ONCE) {
            let own = |bucket: &Bucket| bucket.packed(bucket.owner == self.group.rank());
            let packed: Vec<Tensor> = no_grad(|| some.iter().map(own).collect());
            let start =
                |(bucket, t): (&Bucket, &Tensor)| self.group.start_broadcast(t, bucket.owner);
            let works: Result<Vec<Work>, Error> = some.iter().zip(&packed).map(start).collect();
            works?.into_iter().try_for_each(Work::wait)?;
            no_grad(|| some.iter().zip(&packed).for_each(|(bucket, t)| bucket.unpack(t)));
        }
        Ok(())
    }

    /// The state of all parts in rank 0; nothing in the others, which give theirs.
    pub(crate) fn gather(&self, optimizer: &Optimizer) -> Result<Vec<(String, Tensor)>, Error> {
        let mut whole = Vec::new();
        for ((name, tensor), owner) in optimizer.state().into_iter().zip(optimizer.state_owners()) {
            let tensor = match owner {
                None => tensor,
                Some(owner) => {
                    let own = owner == self.group.rank();
                    let sent = if own { tensor.contiguous() } else { room(&tensor) };
                    if sent.numel() > 0 {
                        self.group.broadcast(&sent, owner)?;
                    }
                    sent
                }
            };
            if self.group.is_first() {
                whole.push((name, tensor));
            }
        }
        Ok(whole)
    }

    /// Gives each process its part of the state that rank 0 has read from a checkpoint.
    pub(crate) fn scatter(
        &self,
        optimizer: &Optimizer,
        stored: Option<&BTreeMap<String, Tensor>>,
    ) -> Result<(), Error> {
        for ((name, tensor), owner) in optimizer.state().into_iter().zip(optimizer.state_owners()) {
            if tensor.numel() == 0 {
                continue;
            }
            let sent = match stored {
                Some(stored) => stored[&name].to_device(tensor.device()).contiguous(),
                None => room(&tensor),
            };
            self.group.broadcast(&sent, 0)?;
            if owner.is_none_or(|owner| owner == self.group.rank()) {
                no_grad(|| tensor.shallow_clone().copy_(&sent));
            }
        }
        Ok(())
    }
}

/// Room for the values of a tensor of this shape and kind.
fn room(t: &Tensor) -> Tensor {
    Tensor::empty(t.size(), (t.kind(), t.device()))
}
