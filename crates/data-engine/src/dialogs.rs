//! Meena's pairs of a context and a response from trees of messages (Adiwardana et al. 2020, arXiv
//! 2001.09977, section 3.1), for tables that no memory holds.
//!
//! Texts that occur too often are counted first. Then the messages of each conversation come
//! together and go through the rules of [`data_pipeline::dialog`]; of near-duplicates in all
//! conversations one is kept. A conversation has to fit in memory.

use crate::columns::text_columns;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::functions::dialogs::{Rules, fields, message, pairs};
use crate::functions::duplicates::exact_of;
use crate::parts::Parts;
use data_pipeline::dialog::{DialogPart, DialogSplit, Filters, Funnel};
use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use datafusion::arrow::compute::filter;
use datafusion::arrow::datatypes::{DataType, Field, UInt8Type};
use datafusion::common::JoinType;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::{array_agg, count};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt};
use datafusion::prelude::{col, lit};
use futures::StreamExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Conversations that become pairs together: what a step takes beside the limit of memory.
const CONVERSATIONS: usize = 256;

/// What of messages becomes pairs.
#[derive(Clone, Debug, Default)]
pub struct DialogOptions {
    /// What is dropped.
    pub filters: Filters,
    /// How conversations are split whose messages do not say it.
    pub split: DialogSplit,
    /// The folder or file of the tokenizer that counts subwords; words and marks are counted
    /// without one. In a cluster all executors see it.
    pub tokenizer: Option<PathBuf>,
}

/// Makes pairs of the messages of a table and writes them to the folder `out`, which must not be
/// there: Parquet files of `conversation`, `id` (that of the response), `part`, `context` (a list
/// of turns, the oldest first) and `response`, by conversation and id. Gives what became of the
/// messages.
///
/// Columns are `id` and `text`, and where they are there `conversation`, `parent`, `author` and
/// `part`. Messages without a conversation are worked on together, apart from those of a
/// conversation that is called as one of them.
///
/// The pairs are those of [`Dialogs::select`](data_pipeline::dialog::Dialogs::select) without
/// [near-duplicates](data_pipeline::dialog::Selected::remove_near_duplicates).
///
/// # Errors
/// When the options make no sense, the table or one of its files lacks a column, files have
/// different types of one, a message has no id, the folder is there or cannot be written, or memory
/// and disk do not suffice. Nothing is left then.
pub fn dialogs(
    engine: &Engine,
    files: &[PathBuf],
    options: &DialogOptions,
    out: &Path,
) -> Result<Funnel, EngineError> {
    let asked = |error: data_pipeline::error::DataError| EngineError::Asked(error.to_string());
    options.filters.check().map_err(asked)?;
    options.split.check().map_err(asked)?;
    let tokenizer = options.tokenizer.as_deref();
    let rules = Rules::new(options.filters.clone(), options.split, tokenizer)?;
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let found = fields();
    let context = found.find("context").map(|(_, field)| field.as_ref().clone());
    let context = context.unwrap_or_else(|| text("context"));
    let columns = vec![text("conversation"), text("id"), text("part"), context, text("response")];
    engine.again(|| {
        let parts = Parts::create(out, columns.clone())?;
        engine.run(write(engine, files, &rules, parts))
    })
}

async fn write(
    engine: &Engine,
    files: &[PathBuf],
    rules: &Rules,
    mut parts: Parts,
) -> Result<Funnel, EngineError> {
    let (needed, others) = (["id", "text"], ["conversation", "parent", "author", "part"]);
    let mut steps = engine.steps();
    let wanted = (&needed[..], &others[..], "name a table with such columns");
    let messages = text_columns(engine, files, wanted, CONVERSATIONS).await?;
    // One conversation without a name.
    let named = |name: &str| datafusion::prelude::coalesce(vec![col(name), lit("")]).alias(name);
    let mut all = vec![named("conversation"), named("author"), named("text")];
    all.extend([col("id"), col("parent"), col("part"), exact_of(col("text")).alias("line")]);
    let messages = messages.select(all)?;
    let most = lit(i64::from(rules.filters.max_occurrences));
    let frequent = messages
        .clone()
        .aggregate(vec![col("line")], vec![count(lit(1)).alias("often")])?
        .filter(col("often").gt(most))?
        .select(vec![col("line").alias("frequent"), col("often")])?;
    // The side that stands first has to fit in memory.
    let messages = frequent.join(messages, JoinType::Right, &["frequent"], &["line"], None)?;
    let conversations = messages
        .select(vec![col("conversation"), message().alias("message")])?
        .aggregate(vec![col("conversation")], vec![array_agg(col("message")).alias("messages")])?;
    let all = conversations
        .select(vec![pairs(col("messages"), rules).alias("pair")])?
        .unnest_columns(&["pair"])?;
    let fields = fields();
    let field = |name: &str| get_field(col("pair"), name).alias(name);
    let all = all.select(fields.iter().map(|f| field(f.name())).collect::<Vec<Expr>>())?;
    let all = steps.done(all).await?;
    // The test part's stay before those of the others.
    let place = row_number()
        .partition_by(vec![col("fingerprint")])
        .order_by(vec![col("part").sort(true, false), col("place").sort(true, false)])
        .build()?
        .alias("among");
    let first = col("among").eq(lit(1u64));
    let kept = all.window(vec![place])?.filter(first.or(col("funnel").is_not_null()))?;
    let kept = kept.select(
        ["conversation", "id", "part", "context", "response", "funnel"].map(col).to_vec(),
    )?;
    let kept = steps.done(kept).await?;
    let order = vec![col("conversation").sort(true, false), col("id").sort(true, false)];
    let mut rows = kept.sort(order)?.execute_stream().await?;
    let (mut funnel, mut written) = (Funnel::default(), 0);
    while let Some(batch) = rows.next().await {
        let (columns, count) = split(&batch?, &mut funnel)?;
        written += count;
        parts.push(columns)?;
    }
    funnel.near_duplicates = funnel.pairs - written;
    parts.finish()?;
    Ok(funnel)
}

/// The columns of pairs, and how many these are; what became of messages is added to the funnel.
fn split(batch: &RecordBatch, funnel: &mut Funnel) -> Result<(Vec<ArrayRef>, u64), EngineError> {
    let notes = batch.column(5).as_string::<i32>();
    for note in notes.iter().flatten() {
        let read = serde_json::from_str(note);
        funnel.add(&read.map_err(|error| EngineError::Asked(format!("a funnel: {error}")))?);
    }
    let is_pair: BooleanArray = notes.iter().map(|note| Some(note.is_none())).collect();
    let part = |number: Option<u8>| {
        DialogPart::ALL.into_iter().find(|part| Some(*part as u8) == number).map(DialogPart::name)
    };
    let parts = batch.column(2).as_primitive::<UInt8Type>();
    let names: StringArray = parts.iter().map(part).collect();
    let mut columns = batch.columns()[..5].to_vec();
    columns[2] = Arc::new(names);
    let pairs: Result<Vec<ArrayRef>, _> =
        columns.iter().map(|column| filter(column, &is_pair)).collect();
    Ok((pairs?, is_pair.true_count() as u64))
}
