//! Which pseudo-labelled samples a student sees, and how often (Noisy Student, arXiv 1911.04252,
//! section 2.2): [`filter_and_balance`](data_pipeline::balance::filter_and_balance) for tables that
//! no memory holds.
//!
//! Two passes. The first counts how many rows of each class lie in each bucket of confidence; from
//! these counts each class's threshold follows. The second takes what lies above, sorts it by
//! class, falling confidence and id, and counts off how often each row is taken. What is sorted is
//! little more than what is selected. Where it fits into memory it is gathered there
//! ([`gather`](crate::gather)); else, and on a cluster, the engine sorts it, with temporary files.
//! Class and confidence are one number then, by which rows are sorted; those of one number are put
//! in the order of their ids as they come ([`Ties`]), unless so many share one that memory may not
//! hold them.

use crate::columns::Columns;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::functions::balance::{bucket, class_of, place};
use crate::gather::Gathered;
use crate::parts::Parts;
use crate::ties::Ties;
use augment::rng::Rng;
use data_pipeline::balance::{Histogram, Selection};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringBuilder, UInt32Array};
use datafusion::arrow::compute::filter;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, UInt32Type, UInt64Type};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::prelude::{col, lit};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::iter::{empty, repeat_n};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was selected.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Selected {
    /// Rows of the table.
    pub rows: u64,
    /// Rows without a label (null, or the empty text), or without a confidence: it is null, NaN or
    /// outside 0 to 1.
    pub without: u64,
    /// Rows below the least confidence.
    pub below: u64,
    /// The classes that have rows above it, by name.
    pub classes: Vec<Class>,
}

/// What was selected of a class.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Class {
    /// Its name.
    pub label: String,
    /// Rows of at least the least confidence.
    pub there: u64,
    /// Rows that were taken.
    pub taken: u64,
    /// How often they were taken in all.
    pub copies: u64,
}

/// How often each of a class's rows is taken, as they come.
type Copies = Box<dyn Iterator<Item = usize> + Send>;

/// A class while its rows come.
struct Quota {
    /// Rows in the buckets from `least` on.
    least: u32,
    reached: u64,
    /// Rows of the fullest bucket.
    fullest: u64,
    class: Class,
}

/// Bytes that a row takes, about, that waits for others of its place, and is put in order.
const ROW: u64 = 256;

/// Rows at most that wait for each other.
const WAITING: u64 = 1 << 20;

/// Selects rows of a table and writes them to the folder `out`, which must not be there: Parquet
/// files of `id`, `label`, `confidence` and `copies`, how often a row is shown in an epoch, by
/// class, falling confidence and id. Random numbers follow from `seed`.
///
/// The rows and copies are those of `filter_and_balance` on the rows in the order of their ids,
/// classes in the order of their names, with `Rng::new(seed)`.
///
/// # Errors
/// When the table lacks a column or its files have different types of it, an id is null or stands
/// twice at the same place of the order, the folder is there or cannot be written, or memory and
/// disk do not suffice. Nothing is left then.
pub fn select(
    engine: &Engine,
    files: &[PathBuf],
    columns: &Columns,
    selection: &Selection,
    seed: u64,
    out: &Path,
) -> Result<Selected, EngineError> {
    if !(0.0..=1.0).contains(&selection.min_confidence) {
        let least = selection.min_confidence;
        return Err(EngineError::Asked(format!("{least} is no least confidence: 0 to 1 are")));
    }
    if selection.per_class.is_some_and(|wanted| wanted == 0 || u32::try_from(wanted).is_err()) {
        let fault = "the rows of a class must be between 1 and 4,294,967,295".to_owned();
        return Err(EngineError::Asked(fault));
    }
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let confidence = Field::new("confidence", DataType::Float32, true);
    let copies = Field::new("copies", DataType::UInt32, false);
    let schema = vec![text("id"), text("label"), confidence, copies];
    let once = || {
        let parts = Parts::create(out, schema.clone())?;
        engine.run(async {
            let table = columns.of(engine, files).await?;
            let (mut found, histograms) = counted(&table, selection).await?;
            let quotas = histograms.into_iter().map(|(label, histogram)| {
                let there = histogram.rows();
                let wanted = selection.per_class.map_or(there, |wanted| wanted as u64);
                let (least, reached) = match selection.per_class {
                    Some(_) => histogram.down_to(wanted),
                    None => (0, there),
                };
                let (fullest, class) =
                    (histogram.fullest(), Class { label, there, ..Class::default() });
                Quota { least, reached, fullest, class }
            });
            let mut quotas: Vec<Quota> = quotas.collect();
            if !write(&table, selection, (&mut quotas, seed), engine, parts).await? {
                return Err(without_id(&table, files).await?);
            }
            found.classes = quotas.into_iter().map(|quota| quota.class).collect();
            Ok(found)
        })
    };
    engine.again(once)
}

/// How many rows of each class lie in each bucket, and what is in none.
async fn counted(
    table: &DataFrame,
    selection: &Selection,
) -> Result<(Selected, BTreeMap<String, Histogram>), EngineError> {
    let by = vec![col("label"), bucket(col("confidence"), selection).alias("bucket")];
    let counts = vec![count(lit(1)).alias("rows")];
    let batches = table.clone().aggregate(by, counts)?.collect().await?;
    let (mut found, mut histograms) = (Selected::default(), BTreeMap::<String, Histogram>::new());
    for batch in &batches {
        let labels = batch.column(0).as_string::<i32>();
        let buckets = batch.column(1).as_primitive::<UInt32Type>();
        let rows = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let count = rows.value(row) as u64;
            found.rows += count;
            match buckets.is_valid(row).then(|| buckets.value(row)) {
                Some(bucket) if labels.is_valid(row) => match bucket.checked_sub(1) {
                    Some(bucket) => {
                        let label = labels.value(row).to_owned();
                        histograms.entry(label).or_default().add(bucket, count);
                    }
                    None => found.below += count,
                },
                _ => found.without += count,
            }
        }
    }
    Ok((found, histograms))
}

/// The error of a table with rows that have no id.
async fn without_id(table: &DataFrame, files: &[PathBuf]) -> Result<EngineError, EngineError> {
    let rows = table.clone().filter(col("id").is_null())?.count().await?;
    Ok(EngineError::Table {
        path: files.first().cloned().unwrap_or_default(),
        fault: format!("{rows} rows have no id"),
        way_out: "give every row an id, or name another column by --id".to_owned(),
    })
}

/// Writes what is taken, and counts it in the quotas, which are in the order of the classes. Says
/// whether all rows of the table have an id; nothing is written if not.
async fn write(
    table: &DataFrame,
    selection: &Selection,
    (quotas, seed): (&mut [Quota], u64),
    engine: &Engine,
    mut parts: Parts,
) -> Result<bool, EngineError> {
    let classes = quotas.iter().map(|quota| (quota.class.label.clone(), quota.least)).collect();
    let place = place(selection, classes).alias("place");
    let all = table.clone().select([place, col("id"), col("confidence")])?;
    let counts: Vec<u64> = quotas.iter().map(|quota| quota.reached).collect();
    let (mut rows, in_order) = match engine.gather(all.clone(), &counts).await? {
        Gathered::All(rows) => (rows.in_order(Arc::new(all.schema().as_arrow().clone())), true),
        Gathered::WithoutId => return Ok(false),
        Gathered::TooMany => {
            let taken = all.filter(col("place").is_not_null().or(col("id").is_null()))?;
            let fullest = quotas.iter().map(|quota| quota.fullest).max().unwrap_or(0);
            let by_id = fullest > (engine.room() / 8 / ROW).min(WAITING);
            let mut order = vec![col("place").sort(true, true)];
            order.extend(by_id.then(|| col("id").sort(true, true)));
            (ahead(taken.sort(order)?.execute_stream().await?), by_id)
        }
    };
    let mut ties = Ties::new(rows.schema());
    let mut rng = Rng::new(seed);
    let mut quotas = quotas.iter_mut().enumerate();
    let mut copies: Copies = Box::new(empty());
    let mut current: Option<(usize, &mut Quota)> = None;
    let mut last: Option<RecordBatch> = None;
    let mut more = true;
    while more {
        let batch = match rows.next().await.transpose()? {
            Some(batch) if batch.num_rows() == 0 => continue,
            Some(batch) if batch.column(1).null_count() > 0 => return Ok(false),
            Some(batch) if in_order => Some(batch),
            Some(batch) => ties.push(batch)?,
            None => {
                more = false;
                ties.finish()?
            }
        };
        let Some(batch) = batch else { continue };
        all_differ(&batch, last.as_ref())?;
        last = Some(batch.slice(batch.num_rows() - 1, 1));
        let (mut counts, mut labels) = (Vec::new(), StringBuilder::new());
        for &place in batch.column(0).as_primitive::<UInt64Type>().values() {
            while current.as_ref().is_none_or(|(number, _)| *number != class_of(place)) {
                let (number, next) = quotas.next().expect("classes come in their order");
                let reached = next.reached as usize;
                copies = match selection.per_class {
                    Some(wanted) => {
                        Box::new(selection.copies(reached, wanted, &mut rng).into_iter())
                    }
                    None => Box::new(repeat_n(1, reached)),
                };
                current = Some((number, next));
            }
            let class = &mut current.as_mut().expect("it was set").1.class;
            let count = copies.next().unwrap_or(0) as u32;
            class.taken += u64::from(count > 0);
            class.copies += u64::from(count);
            counts.push(count);
            labels.append_value(&class.label);
        }
        parts.push(with_copies(&batch, labels, counts)?)?;
    }
    parts.finish()?;
    Ok(true)
}

/// A stream of these rows, which another thread merges while this one writes.
fn ahead(mut rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStream::builder(rows.schema(), 2);
    let sender = builder.tx();
    builder.spawn(async move {
        while let Some(batch) = rows.next().await {
            let failed = batch.is_err();
            // Behind an error there is nothing, and perhaps nobody wants more.
            if sender.send(batch).await.is_err() || failed {
                break;
            }
        }
        Ok(())
    });
    builder.build()
}

/// Fails if neighbours have one place and one id: which of them is taken would follow from nothing.
/// `before` is the row before the first.
fn all_differ(batch: &RecordBatch, before: Option<&RecordBatch>) -> Result<(), EngineError> {
    let columns = |batch: &RecordBatch| {
        let places = batch.column(0).as_primitive::<UInt64Type>().clone();
        (places, batch.column(1).as_string::<i32>().clone())
    };
    let (places, ids) = columns(batch);
    let same = (1..batch.num_rows())
        .find(|&row| {
            places.value(row - 1) == places.value(row) && ids.value(row - 1) == ids.value(row)
        })
        .or_else(|| {
            let (place, id) = columns(before?);
            (place.value(0) == places.value(0) && id.value(0) == ids.value(0)).then_some(0)
        });
    match same {
        Some(row) => Err(EngineError::Asked(format!(
            "the id {} stands twice with the same confidence: give every row an id of its own",
            ids.value(row)
        ))),
        None => Ok(()),
    }
}

/// The columns of the rows that are taken: id, label, confidence, and how often.
fn with_copies(
    batch: &RecordBatch,
    mut labels: StringBuilder,
    counts: Vec<u32>,
) -> Result<Vec<ArrayRef>, EngineError> {
    let taken = counts.iter().map(|&count| Some(count > 0)).collect();
    let (labels, counts): (ArrayRef, ArrayRef) =
        (Arc::new(labels.finish()), Arc::new(UInt32Array::from(counts)));
    let columns = [batch.column(1), &labels, batch.column(2), &counts];
    Ok(columns.into_iter().map(|column| filter(column, &taken)).collect::<Result<_, _>>()?)
}
