//! Which samples of the whole batch a process computes, so that what is drawn for a sample does not
//! depend on how many processes there are.
//!
//! A batch of n samples is shared equally: rank r has the samples from r·n/N on. Where several
//! batches go through a network together, one after another, each is shared so, or as the processes
//! tell one another ([`joint_unequal`]).

use std::iter::once;
use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::ambient::current;
use super::processes::Group;
use crate::rng;

/// Runs `f`, a pass over batches that were put together, of so many rows each in every process.
pub fn joint<T>(rows: &[i64], f: impl FnOnce() -> T) -> T {
    let Some(group) = current() else { return f() };
    within(&group, rows.iter().map(|&rows| vec![rows as usize; group.size()]).collect(), f)
}

/// The same where each process may have other numbers of rows, which the processes tell one another
/// first: all of them have to call this together. The whole batch has the rows of the processes in
/// the order of their ranks.
pub fn joint_unequal<T>(rows: &[i64], f: impl FnOnce() -> T) -> T {
    let Some(group) = current() else { return f() };
    // A failure stays with the group, which is asked before the result is used.
    let Ok(all) = group.all_gather(&Tensor::from_slice(rows)) else { return f() };
    let all: Vec<Vec<i64>> = all.iter().map(|t| Vec::try_from(t).expect("int64")).collect();
    let of_batch = |batch: usize| all.iter().map(|rows| rows[batch] as usize).collect();
    within(&group, (0..rows.len()).map(of_batch).collect(), f)
}

fn within<T>(group: &Group, rows: Vec<Vec<usize>>, f: impl FnOnce() -> T) -> T {
    let before = group.0.rows.replace(rows);
    let made = f();
    group.0.rows.replace(before);
    made
}

/// Which rows of all processes' batches the `rows` of this one are: a range for each batch, in
/// rising order; all of them where there is one process.
pub(crate) fn own_rows(rows: usize) -> Vec<Range<usize>> {
    match current() {
        None => once(0..rows).collect(),
        Some(group) => group.own_ranges(rows),
    }
}

/// Numbers of all processes' rows, of which each gives its own, in the order of the whole batch;
/// and which of them are its own. All processes have to call this together.
pub(crate) fn gathered(own: &[i64]) -> (Vec<i64>, Vec<Range<usize>>) {
    let alone = || (own.to_vec(), once(0..own.len()).collect());
    let Some(group) = current() else { return alone() };
    let batches = group.batches(own.len());
    let rows_of = |rank: usize| batches.iter().map(|batch| batch[rank]).sum::<usize>();
    let mut padded = own.to_vec();
    padded.resize((0..group.size()).map(rows_of).max().unwrap_or(0), 0);
    // A failure stays with the group, which is asked before the result is used.
    let Ok(parts) = group.all_gather(&Tensor::from_slice(&padded)) else { return alone() };
    let parts: Vec<Vec<i64>> =
        parts.iter().map(|part| Vec::try_from(part).expect("int64")).collect();
    let (mut all, mut starts) = (Vec::new(), vec![0; group.size()]);
    for batch in &batches {
        for ((part, start), &rows) in parts.iter().zip(&mut starts).zip(batch) {
            all.extend_from_slice(&part[*start..*start + rows]);
            *start += rows;
        }
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
    whole[0] = group.batches(shape[0] as usize).iter().flatten().sum::<usize>() as i64;
    let all = draw(&whole);
    let own = group.own_ranges(shape[0] as usize).into_iter().map(|rows| {
        Tensor::arange_start(rows.start as i64, rows.end as i64, (Kind::Int64, Device::Cpu))
    });
    all.index_select(0, &Tensor::cat(&own.collect::<Vec<_>>(), 0).to_device(all.device()))
}

impl Group {
    /// How many of the first rows of each process each batch has; `rows` is how many there are in
    /// this one.
    fn batches(&self, rows: usize) -> Vec<Vec<usize>> {
        let (mut left, mut batches) = (rows, Vec::new());
        for batch in self.0.rows.borrow().iter() {
            let own = batch[self.rank()];
            if own > left {
                break;
            }
            batches.push(batch.clone());
            left -= own;
        }
        // Rows that belong to no known batch are one of their own, of which all have as many.
        if left > 0 {
            batches.push(vec![left; self.size()]);
        }
        batches
    }

    /// Where these rows are in the batches of all processes.
    fn own_ranges(&self, rows: usize) -> Vec<Range<usize>> {
        let mut before = 0;
        let own = |batch: Vec<usize>| {
            let first = before + batch[..self.rank()].iter().sum::<usize>();
            before += batch.iter().sum::<usize>();
            first..first + batch[self.rank()]
        };
        self.batches(rows).into_iter().map(own).collect()
    }
}
