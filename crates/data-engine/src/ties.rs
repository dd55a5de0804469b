//! Rows of one place in the order of a selection, which their ids then order.
//!
//! A sort by one number is several times as fast as one by a number and a text, and few rows share
//! a place: these are put in order here, as they come.

use datafusion::arrow::array::{AsArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::error::Result;

/// Batches in the order of their first column, a place, become batches in the order of place and
/// id, the second column. Rows of one place are in memory together.
pub(crate) struct Ties {
    schema: SchemaRef,
    /// What shares the last place so far, in several pieces.
    held: Vec<RecordBatch>,
}

impl Ties {
    /// For batches with these columns.
    pub(crate) fn new(schema: SchemaRef) -> Self {
        Self { schema, held: Vec::new() }
    }

    /// Takes the next rows, at least one; gives those that are in order, if there are any.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let places = batch.column(0).as_primitive::<UInt64Type>().values();
        let (first, last) = (places[0], places[batch.num_rows() - 1]);
        let ready = places.partition_point(|&place| place < last);
        let held =
            self.held.last().map(|held| held.column(0).as_primitive::<UInt64Type>().value(0));
        if ready == 0 && held.is_none_or(|held| held == first) {
            self.held.push(batch);
            return Ok(None);
        }
        let rest = batch.slice(ready, batch.num_rows() - ready);
        self.held.push(batch.slice(0, ready));
        let done = self.finish()?;
        self.held.push(rest);
        Ok(done)
    }

    /// What is still held.
    pub(crate) fn finish(&mut self) -> Result<Option<RecordBatch>> {
        let held = std::mem::take(&mut self.held);
        match held.iter().map(RecordBatch::num_rows).sum() {
            0 => Ok(None),
            _ => ordered(concat_batches(&self.schema, &held)?).map(Some),
        }
    }
}

/// Rows whose places rise, those of one place in the order of their ids.
fn ordered(batch: RecordBatch) -> Result<RecordBatch> {
    let places = batch.column(0).as_primitive::<UInt64Type>().values();
    if places.windows(2).all(|pair| pair[0] != pair[1]) {
        return Ok(batch);
    }
    let ids = batch.column(1).as_string::<i32>();
    let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
    for run in order.chunk_by_mut(|&a, &b| places[a as usize] == places[b as usize]) {
        run.sort_unstable_by_key(|&row| ids.value(row as usize));
    }
    Ok(take_record_batch(&batch, &UInt32Array::from(order))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ArrayRef, StringArray, UInt64Array};
    use std::sync::Arc;

    #[test]
    fn places_that_end_within_a_batch_or_go_on_over_several_are_put_in_order() {
        let mut ids = (0..20).rev().map(|n| format!("{n:02}"));
        let mut batch = |places: &[u64]| {
            let own = ids.by_ref().take(places.len()).collect::<Vec<_>>();
            let columns: [(_, ArrayRef); 2] = [
                ("place", Arc::new(UInt64Array::from(places.to_vec()))),
                ("id", Arc::new(StringArray::from(own))),
            ];
            RecordBatch::try_from_iter(columns).expect("a batch")
        };
        let all: [&[u64]; 7] = [&[1, 1], &[1, 1], &[1, 2], &[2], &[3], &[4, 5, 6], &[6, 7, 7]];
        let batches = all.map(&mut batch);
        let mut ties = Ties::new(batches[0].schema());
        let mut found = Vec::new();
        let ready = batches.map(|batch| ties.push(batch).expect("in order"));
        for batch in ready.into_iter().chain([ties.finish().expect("the rest")]).flatten() {
            let places = batch.column(0).as_primitive::<UInt64Type>().values().to_vec();
            let ids = batch.column(1).as_string::<i32>();
            found.extend(places.into_iter().zip(ids.iter().map(|id| id.expect("one").to_owned())));
        }
        let mut wanted = found.clone();
        wanted.sort();
        assert_eq!((found.len(), &found), (14, &wanted));
        assert!(ties.finish().expect("nothing").is_none());
    }
}
