//! Texts that say the same, word for word or nearly, in tables that no memory holds.
//!
//! Texts are sorted by what those have in common that are the same, and what is left by the buckets
//! of their signatures ([`data_pipeline::text::duplicates`]); sorts and groups go to temporary
//! files where memory ends.

use crate::columns::text_columns;
use crate::engine::{Engine, Steps};
use crate::error::EngineError;
use crate::functions::duplicates::{buckets_of, exact_of, same, signature_of};
use crate::parts::Parts;
use data_pipeline::text::duplicates::MinHash;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::dataframe::DataFrame;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::{bool_or, count, max};
use datafusion::functions_window::expr_fn::{first_value, row_number};
use datafusion::logical_expr::{Expr, ExprFunctionExt, SortExpr};
use datafusion::prelude::{col, ident, lit};
use futures::StreamExt;
use std::path::{Path, PathBuf};

/// Texts that are worked on together: they may be long, and a sort needs room for several such
/// batches.
const TEXTS: usize = 256;

/// How many texts went and stayed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Deduplicated {
    /// Texts of the table; rows without one are none.
    pub texts: u64,
    /// Those that are the same as another.
    pub duplicates: u64,
    /// Those that are nearly the same as another.
    pub near_duplicates: u64,
    /// Those that stay.
    pub kept: u64,
}

/// Writes the texts that stay when of the same and of nearly the same ones one is kept, to the
/// folder `out`, which must not be there: Parquet files of `id` and `text`, by id. `id` and `text`
/// name the columns of the table.
///
/// They are those of [`fates`](data_pipeline::text::duplicates::fates).
///
/// # Errors
/// When a number of `how` is out of its range, the table lacks a column or its files have different
/// types of it, an id is null or stands twice among texts that differ, the folder is there or
/// cannot be written, or memory and disk do not suffice. Nothing is left then.
pub fn deduplicate(
    engine: &Engine,
    files: &[PathBuf],
    (id, text): (&str, &str),
    how: &MinHash,
    out: &Path,
) -> Result<Deduplicated, EngineError> {
    how.hasher().map_err(|error| EngineError::Asked(error.to_string()))?;
    let column = |name: &str| Field::new(name, DataType::Utf8, true);
    engine.again(|| {
        let parts = Parts::create(out, vec![column("id"), column("text")])?;
        engine.run(async {
            let wanted = (&[id, text][..], &[][..], "name the columns by --id and --text");
            let table = text_columns(engine, files, wanted, TEXTS).await?;
            let texts = table
                .select(vec![ident(id).alias("id"), ident(text).alias("text")])?
                .filter(col("text").is_not_null())?;
            write(texts, how, files, (engine.steps(), parts)).await
        })
    })
}

fn by_id() -> Vec<SortExpr> {
    vec![col("id").sort(true, true)]
}

async fn write(
    texts: DataFrame,
    how: &MinHash,
    files: &[PathBuf],
    (mut steps, mut parts): (Steps<'_>, Parts),
) -> Result<Deduplicated, EngineError> {
    let counts = vec![count(lit(1)).alias("texts"), count(col("id")).alias("ids")];
    let counts = texts.clone().aggregate(vec![], counts)?.collect().await?;
    let number = |name: &str| {
        let columns = counts.iter().filter(|batch| batch.num_rows() > 0);
        let column = columns.filter_map(|batch| batch.column_by_name(name)).next();
        column.map_or(0, |column| column.as_primitive::<Int64Type>().value(0) as u64)
    };
    let all = number("texts");
    if number("ids") < all {
        return Err(EngineError::Table {
            path: files.first().cloned().unwrap_or_default(),
            fault: format!("{} texts have no id", all - number("ids")),
            way_out: "give every text an id, or name another column by --id".to_owned(),
        });
    }
    let by_id_and_text = [by_id(), vec![col("text").sort(true, true)]].concat();
    // Nothing may stand around it: the optimizer takes a plan's windows for functions alone.
    let place = |group: &str, order: Vec<SortExpr>| {
        let number = row_number().partition_by(vec![col(group)]).order_by(order);
        Ok::<Expr, EngineError>(number.build()?.alias("place"))
    };
    let different = texts
        .select(vec![col("id"), col("text"), exact_of(col("text")).alias("exact")])?
        .window(vec![place("exact", by_id_and_text)?])?
        .filter(col("place").eq(lit(1u64)))?
        .select(vec![col("id"), col("text")])?;
    let different = steps.done(different).await?;
    let signature = signature_of(col("text"), how).alias("signature");
    let placed = different
        .select(vec![col("id"), col("text"), signature])?
        .select(vec![
            col("id"),
            col("signature"),
            buckets_of(col("signature"), col("id"), col("text"), how).alias("placed"),
        ])?
        .unnest_columns(&["placed"])?;
    let field = |name: &str| get_field(col("placed"), name).alias(name);
    let placed =
        placed.select(vec![col("id"), col("signature"), field("bucket"), field("text")])?;
    let first = first_value(col("signature"))
        .partition_by(vec![col("bucket")])
        .order_by(by_id())
        .build()?
        .alias("first");
    let goes = col("place").gt(lit(1u64)).and(same(col("signature"), col("first"), how));
    let compared = placed.window(vec![place("bucket", by_id())?, first])?.select(vec![
        col("id"),
        col("text"),
        goes.alias("goes"),
    ])?;
    let compared = steps.done(compared).await?;
    // Without a join, which would have to keep one side in memory.
    let fates = compared.aggregate(
        vec![col("id")],
        vec![
            max(col("text")).alias("text"),
            bool_or(col("goes")).alias("goes"),
            count(col("text")).alias("of"),
        ],
    )?;
    let fates = steps.done(fates).await?;
    let mut rows = fates.sort(by_id())?.execute_stream().await?;
    let mut found = Deduplicated { texts: all, ..Deduplicated::default() };
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let ids = batch.column(0).as_string::<i32>();
        let of = batch.column(3).as_primitive::<Int64Type>();
        if let Some(row) = (0..batch.num_rows()).find(|&row| of.value(row) > 1) {
            return Err(EngineError::Asked(format!(
                "the id {} stands twice: give every text an id of its own",
                ids.value(row)
            )));
        }
        let goes = batch.column(2).as_boolean();
        found.near_duplicates += goes.true_count() as u64;
        let stays = datafusion::arrow::compute::not(goes)?;
        let stay = |i: usize| datafusion::arrow::compute::filter(batch.column(i), &stays);
        found.kept += stays.true_count() as u64;
        parts.push(vec![stay(0)?, stay(1)?])?;
    }
    found.duplicates = all - found.near_duplicates - found.kept;
    parts.finish()?;
    Ok(found)
}
