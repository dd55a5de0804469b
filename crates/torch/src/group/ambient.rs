//! The group within which a network and its loss are computed, and numbers over all its processes.

use std::cell::RefCell;

use tch::{Kind, Tensor};

use crate::grad::no_grad;

use super::processes::{Error, Group};

thread_local! {
    static CURRENT: RefCell<Option<Group>> = const { RefCell::new(None) };
}

/// Puts back the group that was there before.
struct Before(Option<Group>);

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.with(|current| *current.borrow_mut() = self.0.take());
    }
}

impl Group {
    /// Runs `f` within this group: networks and losses then see all processes' batches where they
    /// have to. An operation that fails meanwhile is the error, whatever `f` made of it.
    pub fn within<T>(&self, f: impl FnOnce() -> T) -> Result<T, Error> {
        self.check()?;
        let _before = Before(CURRENT.with(|current| current.replace(Some(self.clone()))));
        let made = f();
        self.check()?;
        Ok(made)
    }
}

/// The group within which the calling thread computes ([`Group::within`]); `None` outside of any.
pub fn current() -> Option<Group> {
    CURRENT.with(|current| current.borrow().clone())
}

/// Whether batch norm is synchronised: takes the statistics of all processes' batches together.
pub(crate) fn sync_batch_norm() -> bool {
    current().is_some_and(|group| group.0.sync_batch_norm.get())
}

/// The mean of `t` over the processes, without a gradient; `t` itself where there is one process.
///
/// A loss that divides by a number of samples that depends on the data divides by the mean of this
/// number: the mean over processes of such quotients, which is what training minimises, is then the
/// quotient of the sums, as one process computes it.
pub fn mean(t: &Tensor) -> Tensor {
    let Some(group) = current() else { return t.shallow_clone() };
    no_grad(|| {
        let kind = t.kind();
        let sum = if kind == Kind::Int64 || kind == Kind::Bool { Kind::Double } else { kind };
        let sum = t.detach().to_kind(sum).copy().contiguous();
        // A failure stays with the group, which is asked before the result is used.
        let _ = group.0.shim.all_reduce(&sum, false).and_then(|work| work.wait());
        sum / group.size() as f64
    })
}

/// The lower bound for [`mean`] of a number whose sum over all processes is to be at least `min`:
/// `min` divided by the number of processes.
pub fn min_per_process(min: f64) -> f64 {
    current().map_or(min, |group| min / group.size() as f64)
}

/// The sum of `t` over the processes, elementwise, with a gradient, which is summed likewise; `t`
/// itself where there is one process.
pub fn sum(t: &Tensor) -> Tensor {
    match current() {
        Some(group) => group.0.shim.sum_over_all(t),
        None => t.shallow_clone(),
    }
}
