//! Which samples of the whole batch a process computes, so that what is drawn for a sample does not
//! depend on how many processes there are.
//!
//! A batch of n samples is shared equally: rank r has the samples from r·n/N on. Where several
//! batches go through a network together, one after another, each is shared so.

use tch::{Device, Kind, Tensor};

use super::ambient::current;
use super::processes::Group;
use crate::rng;

/// Runs `f`, a pass over batches that were put together, of so many rows each.
pub fn joint<T>(rows: &[i64], f: impl FnOnce() -> T) -> T {
    let Some(group) = current() else { return f() };
    let before = group.0.rows.replace(rows.to_vec());
    let made = f();
    group.0.rows.replace(before);
    made
}

/// How many rows of other processes come before the `rows` of this one, where each has as many of
/// one batch; none where there is one process.
pub(crate) fn rows_before(rows: i64) -> i64 {
    current().map_or(0, |group| group.rank() as i64 * rows)
}

/// Random numbers for a tensor of this shape, whose first axis is samples: `draw` is given a shape
/// and draws from libtorch's generator. Within a group they are drawn for all processes' samples,
/// of which this one takes its own: the generators of all processes, which begin alike, stay alike,
/// and a sample gets what it would get in a single process.
pub fn drawn(shape: &[i64], draw: impl FnOnce(&[i64]) -> Tensor) -> Tensor {
    let _alone = rng::exclusive();
    let Some(group) = current() else { return draw(shape) };
    let mut whole = shape.to_vec();
    whole[0] *= group.size() as i64;
    let all = draw(&whole);
    all.index_select(0, &group.own_rows(shape[0]).to_device(all.device()))
}

impl Group {
    /// Where this process's first `rows` rows are in the batches of all processes: int64 `[rows]`.
    fn own_rows(&self, rows: i64) -> Tensor {
        let (rank, size) = (self.rank() as i64, self.size() as i64);
        let (mut left, mut before, mut own) = (rows, 0, Vec::new());
        let parts = self.0.rows.borrow();
        // Rows that belong to no known part are a batch of their own.
        for part in parts.iter().copied().chain([i64::MAX]) {
            let part = part.min(left);
            if part > 0 {
                let first = before + rank * part;
                own.push(Tensor::arange_start(first, first + part, (Kind::Int64, Device::Cpu)));
                before += size * part;
                left -= part;
            }
        }
        Tensor::cat(&own, 0)
    }
}
