//! Which samples of the whole batch a process computes, so that what is drawn for a sample does not
//! depend on how many processes there are.
//!
//! A batch of n samples is shared equally: rank r has the samples from r·n/N on. Where several
//! batches go through a network together, one after another, each is shared so.

use std::iter::once;
use std::ops::Range;

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

/// Which rows of all processes' batches the `rows` of this one are, where each has as many: a range
/// for each batch, in rising order; all of them where there is one process.
pub(crate) fn own_rows(rows: usize) -> Vec<Range<usize>> {
    match current() {
        None => once(0..rows).collect(),
        Some(group) => group.own_ranges(rows),
    }
}

/// Numbers of all processes' rows, each of which gives as many of its own, in the order of the
/// whole batch; and which of them are its own. All processes have to call this together.
pub(crate) fn gathered(own: &[i64]) -> (Vec<i64>, Vec<Range<usize>>) {
    let alone = || (own.to_vec(), once(0..own.len()).collect());
    let Some(group) = current() else { return alone() };
    // A failure stays with the group, which is asked before the result is used.
    let Ok(parts) = group.all_gather(&Tensor::from_slice(own)) else { return alone() };
    let parts: Vec<Vec<i64>> =
        parts.iter().map(|part| Vec::try_from(part).expect("int64")).collect();
    let (mut all, mut start) = (Vec::with_capacity(own.len() * parts.len()), 0);
    for rows in group.batches(own.len()) {
        parts.iter().for_each(|part| all.extend_from_slice(&part[start..start + rows]));
        start += rows;
    }
    (all, group.own_ranges(own.len()))
}

/// Draws random numbers `[samples, ...]` for this process's samples of a batch: `draw` is given a
/// shape and draws from libtorch's generator. Within a group it draws for the samples of all
/// processes, of which this one takes its own: the generators of all processes, which begin alike,
/// stay alike, and a sample gets what it would get in a single process.
pub fn draw_for_batch(shape: &[i64], draw: impl FnOnce(&[i64]) -> Tensor) -> Tensor {
    let _alone = rng::exclusive();
    let Some(group) = current() else { return draw(shape) };
    let mut whole = shape.to_vec();
    whole[0] *= group.size() as i64;
    let all = draw(&whole);
    let own = group.own_ranges(shape[0] as usize).into_iter().map(|rows| {
        Tensor::arange_start(rows.start as i64, rows.end as i64, (Kind::Int64, Device::Cpu))
    });
    all.index_select(0, &Tensor::cat(&own.collect::<Vec<_>>(), 0).to_device(all.device()))
}

impl Group {
    /// How many of this process's first `rows` rows each batch has.
    fn batches(&self, rows: usize) -> Vec<usize> {
        let (mut left, mut batches) = (rows, Vec::new());
        let known = self.0.rows.borrow();
        // Rows that belong to no known batch are one of their own.
        for batch in known.iter().map(|&rows| rows as usize).chain([usize::MAX]) {
            let batch = batch.min(left);
            if batch > 0 {
                batches.push(batch);
                left -= batch;
            }
        }
        batches
    }

    /// Where these rows are in the batches of all processes.
    fn own_ranges(&self, rows: usize) -> Vec<Range<usize>> {
        let (rank, size, mut before) = (self.rank(), self.size(), 0);
        let own = |batch: usize| {
            let first = before + rank * batch;
            before += size * batch;
            first..first + batch
        };
        self.batches(rows).into_iter().map(own).collect()
    }
}
