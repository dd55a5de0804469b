//! Which pseudo-labelled samples a student sees, and how often (Noisy Student, arXiv 1911.04252,
//! section 2.2): [`filter_and_balance`](data_pipeline::balance::filter_and_balance) for tables that
//! no memory holds.
//!
//! Two passes. The first counts how many rows of each class lie in each bucket of confidence; from
//! these counts each class's threshold follows. The second takes what lies above, sorts it by
//! class, falling confidence and id, and counts off how often each row is taken. What is sorted is
//! little more than what is selected, and goes to temporary files where memory ends.

use crate::columns::Columns;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::functions::balance::{bucket, rank};
use crate::parts::Parts;
use augment::rng::Rng;
use data_pipeline::balance::{self, Histogram, Selection};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::filter;
use datafusion::arrow::datatypes::{DataType, Field, Float32Type, Int64Type, UInt32Type};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Case, Expr};
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
    /// Rows without a label, or with a confidence that is null or NaN.
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
    class: Class,
}

/// Selects rows of a table and writes them to the folder `out`, which must not be there: Parquet
/// files of `id`, `label`, `confidence` and `copies`, how often a row is shown in an epoch, by
/// class, falling confidence and id. Random numbers follow from `seed`.
///
/// The rows and copies are those of `filter_and_balance` on the rows in the order of their ids,
/// classes in the order of their names, with `Rng::new(seed)`.
///
/// # Errors
/// When the table lacks a column, an id is null or stands twice at the same place of the order, the
/// folder is there or cannot be written, or memory and disk do not suffice. Nothing is left then.
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
            let (mut found, histograms) = counted(&table, selection, files).await?;
            let quotas = histograms.into_iter().map(|(label, histogram)| {
                let there = histogram.rows();
                let wanted = selection.per_class.map_or(there, |wanted| wanted as u64);
                let (least, reached) = match selection.per_class {
                    Some(_) => histogram.down_to(wanted),
                    None => (0, there),
                };
                let class = Class { label, there, ..Class::default() };
                Quota { least, reached, class }
            });
            let mut quotas: Vec<Quota> = quotas.collect();
            write(&table, selection, (&mut quotas, seed), parts).await?;
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
    files: &[PathBuf],
) -> Result<(Selected, BTreeMap<String, Histogram>), EngineError> {
    let by = vec![col("label"), bucket(col("confidence"), selection).alias("bucket")];
    let counts = vec![count(lit(1)).alias("rows"), count(col("id")).alias("ids")];
    let batches = table.clone().aggregate(by, counts)?.collect().await?;
    let (mut found, mut histograms) = (Selected::default(), BTreeMap::<String, Histogram>::new());
    let mut ids = 0;
    for batch in &batches {
        let labels = batch.column(0).as_string::<i32>();
        let buckets = batch.column(1).as_primitive::<UInt32Type>();
        let [rows, with_id] = [2, 3].map(|i| batch.column(i).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let count = rows.value(row) as u64;
            found.rows += count;
            ids += with_id.value(row) as u64;
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
    if ids < found.rows {
        return Err(EngineError::Table {
            path: files.first().cloned().unwrap_or_default(),
            fault: format!("{} rows have no id", found.rows - ids),
            way_out: "give every row an id, or name another column by --id".to_owned(),
        });
    }
    Ok((found, histograms))
}

/// Writes what is taken, and counts it in the quotas, which are in the order of the classes.
async fn write(
    table: &DataFrame,
    selection: &Selection,
    (quotas, seed): (&mut [Quota], u64),
    mut parts: Parts,
) -> Result<(), EngineError> {
    if quotas.is_empty() {
        return parts.finish();
    }
    let least = |quota: &Quota| {
        let [label, least] = [lit(quota.class.label.as_str()), lit(quota.least + 1)];
        (Box::new(label), Box::new(least))
    };
    let least = Expr::Case(Case {
        expr: Some(Box::new(col("label"))),
        when_then_expr: quotas.iter().map(least).collect(),
        else_expr: None,
    });
    let taken = table.clone().filter(bucket(col("confidence"), selection).gt_eq(least))?;
    let order = vec![
        col("label").sort(true, false),
        rank(col("confidence")).sort(false, false),
        col("id").sort(true, false),
    ];
    let mut rows = ahead(taken.sort(order)?.execute_stream().await?);
    let mut rng = Rng::new(seed);
    let mut quotas = quotas.iter_mut();
    let mut copies: Copies = Box::new(empty());
    let mut quota: Option<&mut Quota> = None;
    let mut last: Option<RecordBatch> = None;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        let labels = batch.column(1).as_string::<i32>();
        let mut counts = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let label = labels.value(row);
            while quota.as_ref().is_none_or(|quota| quota.class.label != label) {
                let next = quotas.next().expect("classes come in their order");
                let reached = next.reached as usize;
                copies = match selection.per_class {
                    Some(wanted) => {
                        Box::new(selection.copies(reached, wanted, &mut rng).into_iter())
                    }
                    None => Box::new(repeat_n(1, reached)),
                };
                quota = Some(next);
            }
            let count = copies.next().unwrap_or(0) as u32;
            counts.push(count);
            let class = &mut quota.as_mut().expect("it was set").class;
            class.taken += u64::from(count > 0);
            class.copies += u64::from(count);
        }
        all_differ(&batch, last.as_ref())?;
        last = Some(batch.slice(batch.num_rows() - 1, 1));
        parts.push(with_copies(&batch, counts)?)?;
    }
    parts.finish()
}

/// The same rows, which another thread merges while this one writes.
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

/// Fails if neighbours have one id: which of them is taken would follow from nothing. `before` is
/// the row before the first.
fn all_differ(batch: &RecordBatch, before: Option<&RecordBatch>) -> Result<(), EngineError> {
    let place = |batch: &RecordBatch, row: usize| {
        let confidence = batch.column(2).as_primitive::<Float32Type>().value(row);
        let [id, label] = [0, 1].map(|i| batch.column(i).as_string::<i32>().value(row).to_owned());
        (id, label, balance::rank(confidence))
    };
    let ids = batch.column(0).as_string::<i32>();
    let same = (1..batch.num_rows())
        .find(|&row| {
            ids.value(row - 1) == ids.value(row) && place(batch, row - 1) == place(batch, row)
        })
        .or_else(|| (place(before?, 0) == place(batch, 0)).then_some(0));
    match same {
        Some(row) => Err(EngineError::Asked(format!(
            "the id {} stands twice with the same confidence: give every row an id of its own",
            ids.value(row)
        ))),
        None => Ok(()),
    }
}

/// The columns of the rows that are taken, with how often.
fn with_copies(batch: &RecordBatch, counts: Vec<u32>) -> Result<Vec<ArrayRef>, EngineError> {
    let taken = counts.iter().map(|&count| Some(count > 0)).collect();
    let counts: ArrayRef = Arc::new(UInt32Array::from(counts));
    let columns = batch.columns().iter().chain([&counts]);
    Ok(columns.map(|column| filter(column, &taken)).collect::<Result<_, _>>()?)
}
