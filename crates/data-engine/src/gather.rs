//! The rows of a selection in memory, in order: where they fit, no sort of the engine's is needed.
//!
//! How many rows a class gives is known beforehand. Classes are put together in ranges of some
//! [`ROWS`] rows; rows go to their ranges as they are read, and each range is sorted by itself,
//! within the processor's caches.

use crate::error::EngineError;
use crate::functions::balance::class_of;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, RecordBatch, StringBuilder, UInt64Array,
};
use datafusion::arrow::datatypes::{Float32Type, SchemaRef, UInt64Type};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::StreamExt;
use futures::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows of a range, about, and of a batch that is given at most.
const ROWS: u64 = 1 << 16;

/// Bytes of a row at least.
pub(crate) const LEAST_ROW: u64 = 8 + 4 + 8;

/// What a selection's rows came to.
pub(crate) enum Gathered {
    /// All of them.
    All(Rows),
    /// There is no room for them.
    TooMany,
    /// One has no id.
    WithoutId,
}

/// Rows in ranges, of each several lists.
pub(crate) struct Rows {
    ranges: Vec<Vec<Range>>,
    room: Vec<MemoryReservation>,
}

/// Rows of some classes.
#[derive(Default)]
struct Range {
    places: Vec<u64>,
    confidences: Vec<f32>,
    ids: String,
    /// Where each id ends.
    ends: Vec<usize>,
}

impl Range {
    fn push(&mut self, place: u64, id: &str, confidence: f32) {
        self.places.push(place);
        self.confidences.push(confidence);
        self.ids.push_str(id);
        self.ends.push(self.ids.len());
    }

    fn id(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.ids[start..self.ends[row]]
    }

    fn bytes(&self) -> usize {
        let each = self.places.capacity() * 8 + self.confidences.capacity() * 4;
        each + self.ids.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// Which range a class is in, for classes that give so many rows.
fn ranges(rows: &[u64]) -> Vec<usize> {
    let mut before = 0;
    let range = |rows: &u64| {
        let range = before / ROWS;
        before += rows;
        range
    };
    let numbers: Vec<u64> = rows.iter().map(range).collect();
    // Large classes leave numbers out.
    let mut used = numbers.clone();
    used.dedup();
    numbers.iter().map(|number| used.partition_point(|other| other < number)).collect()
}

/// Takes the rows of streams: place, id and confidence, those without a place left out. `rows` are
/// how many each class has.
pub(crate) async fn gather(
    streams: Vec<SendableRecordBatchStream>,
    rows: &[u64],
    pool: &Arc<dyn MemoryPool>,
) -> Result<Gathered, EngineError> {
    let ranges = Arc::new(ranges(rows));
    let count = ranges.last().map_or(0, |last| last + 1);
    let ends = Arc::new(AtomicBool::new(false));
    let room = || MemoryConsumer::new("rows of a selection").register(pool);
    let parts = streams
        .into_iter()
        .map(|stream| tokio::spawn(part(stream, (ranges.clone(), count), room(), ends.clone())));
    let parts = try_join_all(parts).await.expect("no task is stopped, and none panics");
    let mut all = Rows { ranges: Vec::new(), room: Vec::new() };
    all.ranges.resize_with(count, Vec::new);
    let mut too_many = false;
    for part in parts {
        match part? {
            Part::Done(own, room) => {
                all.ranges.iter_mut().zip(own).for_each(|(range, own)| range.push(own));
                all.room.push(room);
            }
            Part::TooMany => too_many = true,
            Part::WithoutId => return Ok(Gathered::WithoutId),
        }
    }
    // What says how the largest range is ordered.
    let largest = all.ranges.iter().map(|lists| lists.iter().map(|list| list.places.len()).sum());
    let order = room();
    let largest: usize = largest.max().unwrap_or(0);
    too_many |= order.try_resize(largest * size_of::<Numbered>()).is_err();
    all.room.push(order);
    Ok(if too_many { Gathered::TooMany } else { Gathered::All(all) })
}

/// The rows of one stream.
enum Part {
    Done(Vec<Range>, MemoryReservation),
    TooMany,
    WithoutId,
}

async fn part(
    mut stream: SendableRecordBatchStream,
    (range_of, count): (Arc<Vec<usize>>, usize),
    room: MemoryReservation,
    ends: Arc<AtomicBool>,
) -> Result<Part> {
    let mut ranges: Vec<Range> = Vec::new();
    ranges.resize_with(count, Range::default);
    while let Some(batch) = stream.next().await.transpose()? {
        let (places, ids) = (batch.column(0).as_primitive::<UInt64Type>(), batch.column(1));
        if ids.null_count() > 0 {
            ends.store(true, Ordering::Relaxed);
            return Ok(Part::WithoutId);
        }
        let (ids, confidences) =
            (ids.as_string::<i32>(), batch.column(2).as_primitive::<Float32Type>());
        for row in (0..batch.num_rows()).filter(|&row| places.is_valid(row)) {
            let place = places.value(row);
            ranges[range_of[class_of(place)]].push(place, ids.value(row), confidences.value(row));
        }
        let bytes = ranges.iter().map(Range::bytes).sum();
        // Where one has no room, no other need go on.
        if ends.load(Ordering::Relaxed) || room.try_resize(bytes).is_err() {
            ends.store(true, Ordering::Relaxed);
            return Ok(Part::TooMany);
        }
    }
    Ok(Part::Done(ranges, room))
}

impl Rows {
    /// The rows in the order of place and id, sorted by another thread while they are taken.
    pub(crate) fn in_order(self, schema: SchemaRef) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(schema.clone(), 2);
        let sender = builder.tx();
        builder.spawn(async move {
            let Rows { ranges, room } = self;
            for range in ranges {
                for rows in order(&range).chunks(ROWS as usize) {
                    if sender.send(batch(&range, rows, &schema)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            drop(room);
            Ok(())
        });
        builder.build()
    }
}

/// A row of a range: its place, the number of its list, and its number there.
type Numbered = (u64, u32, u32);

fn id_of<'a>(lists: &'a [Range], &(_, list, row): &Numbered) -> &'a str {
    lists[list as usize].id(row as usize)
}

/// The order of the rows of a range.
fn order(lists: &[Range]) -> Vec<Numbered> {
    let mut order = Vec::with_capacity(lists.iter().map(|list| list.places.len()).sum());
    for (number, list) in (0..).zip(lists) {
        order.extend((0..).zip(&list.places).map(|(row, &place)| (place, number, row)));
    }
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| id_of(lists, a).cmp(id_of(lists, b))));
    order
}

/// Some rows of a range.
fn batch(lists: &[Range], rows: &[Numbered], schema: &SchemaRef) -> Result<RecordBatch> {
    let mut ids = StringBuilder::with_capacity(rows.len(), 16 * rows.len());
    rows.iter().for_each(|row| ids.append_value(id_of(lists, row)));
    let places = UInt64Array::from_iter_values(rows.iter().map(|row| row.0));
    let confidence = |row: &Numbered| lists[row.1 as usize].confidences[row.2 as usize];
    let confidences = Float32Array::from_iter_values(rows.iter().map(confidence));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(places), Arc::new(ids.finish()), Arc::new(confidences)];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_about_as_many_rows_are_a_range() {
        let half = ROWS / 2;
        assert_eq!(ranges(&[half, half, half, 3 * ROWS, 1, 2]), [0, 0, 1, 1, 2, 2]);
        assert_eq!(ranges(&[]), [0; 0]);
    }
}
