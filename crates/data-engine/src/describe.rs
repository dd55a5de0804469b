//! What a table holds, column by column.

use crate::engine::Engine;
use crate::error::EngineError;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use datafusion::functions_aggregate::expr_fn::{approx_distinct, avg, count, max, min};
use datafusion::logical_expr::Expr;
use datafusion::prelude::{cast, ident, lit};
use std::path::PathBuf;

/// What a table holds.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Description {
    /// Its rows.
    pub rows: u64,
    /// Its columns, in their order. Others than texts and numbers have counts alone.
    pub columns: Vec<Described>,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Rows without a value.
    pub nulls: u64,
    /// Different values of texts and whole numbers, to some 2 % (HyperLogLog).
    pub distinct: Option<u64>,
    /// The smallest value, as text; NaN is none.
    pub least: Option<String>,
    /// The largest value, as text; NaN is none.
    pub most: Option<String>,
    /// The mean of numbers, of which NaN is none.
    pub mean: Option<f64>,
}

/// Describes Parquet files as one table.
///
/// # Errors
/// When a file cannot be read, or files have columns of one name and different types. Where a file
/// lacks a column of another, its values are null.
pub fn describe(engine: &Engine, files: &[PathBuf]) -> Result<Description, EngineError> {
    engine.run(async {
        let table = engine.table(files).await?;
        let fields = table.schema().fields().clone();
        let mut asked = vec![count(lit(1)).alias("rows")];
        for (i, field) in fields.iter().enumerate() {
            let (name, kind) = (|| ident(field.name()), field.data_type());
            asked.push(count(name()).alias(format!("count {i}")));
            if kind.is_integer() || kind.is_string() {
                asked.push(approx_distinct(name()).alias(format!("distinct {i}")));
            }
            if kind.is_numeric() || kind.is_string() {
                let of = number(name(), kind);
                asked.push(min(of.clone()).alias(format!("least {i}")));
                asked.push(max(of).alias(format!("most {i}")));
            }
            if kind.is_numeric() {
                let wide = cast(number(name(), kind), DataType::Float64);
                asked.push(avg(wide).alias(format!("mean {i}")));
            }
        }
        let batches = table.aggregate(vec![], asked)?.collect().await?;
        let found = batches.first().ok_or_else(|| {
            EngineError::Asked("the engine answered nothing to a count".to_owned())
        })?;
        let whole =
            |name: &str| Some(found.column_by_name(name)?.as_primitive::<Int64Type>().value(0));
        let rows = whole("rows").unwrap_or(0) as u64;
        let column = |(i, field): (usize, &std::sync::Arc<datafusion::arrow::datatypes::Field>)| {
            let counted = whole(&format!("count {i}")).unwrap_or(0) as u64;
            let distinct = found.column_by_name(&format!("distinct {i}"));
            let mean = found.column_by_name(&format!("mean {i}"));
            let mean = mean.map(|mean| mean.as_primitive::<Float64Type>());
            Described {
                name: field.name().clone(),
                kind: field.data_type().to_string(),
                nulls: rows - counted,
                distinct: distinct.map(|found| found.as_primitive::<UInt64Type>().value(0)),
                least: text(found, &format!("least {i}")),
                most: text(found, &format!("most {i}")),
                mean: mean.filter(|mean| mean.is_valid(0)).map(|mean| mean.value(0)),
            }
        };
        Ok(Description { rows, columns: fields.iter().enumerate().map(column).collect() })
    })
}

/// A value as it is, null for NaN.
fn number(of: Expr, kind: &DataType) -> Expr {
    if !kind.is_floating() {
        return of;
    }
    // For the engine one NaN is above infinity, and that of the other sign below.
    let wide = cast(of.clone(), DataType::Float64);
    let is_number = wide.between(lit(f64::NEG_INFINITY), lit(f64::INFINITY));
    datafusion::prelude::when(is_number, of.clone()).end().unwrap_or(of)
}

/// The value of the only row, as text.
fn text(found: &RecordBatch, name: &str) -> Option<String> {
    let value = compute::cast(found.column_by_name(name)?, &DataType::Utf8).ok()?;
    let value = value.as_string::<i32>();
    value.is_valid(0).then(|| value.value(0).to_owned())
}
