//! What a table holds, column by column.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::schemas::{Wanted, is_string};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn::{avg, count, max, min};
use datafusion::logical_expr::Expr;
use datafusion::prelude::{cast, col, ident, lit, when};
use std::path::PathBuf;

/// What a table holds.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Description {
    /// Its rows.
    pub rows: u64,
    /// Its columns, in their order. Lists, structures and other nested types have their nulls
    /// counted alone.
    pub columns: Vec<Described>,
}

/// What a column holds. NaN is counted as such and is no value.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Rows without a value.
    pub nulls: u64,
    /// Rows of floats that are NaN.
    pub nan: Option<u64>,
    /// How many different values there are, exactly; −0 and 0 are one.
    pub distinct: Option<u64>,
    /// The smallest of texts, numbers, truth values, dates and times, as text.
    pub least: Option<String>,
    /// The largest of them, as text.
    pub most: Option<String>,
    /// The mean of numbers; none where one is infinite.
    pub mean: Option<f64>,
}

/// Describes Parquet files as one table.
///
/// The table is read once for all columns, and each column once more for its different values,
/// which go to temporary files where memory ends.
///
/// # Errors
/// When a file cannot be read, files have columns of one name and different types (those whose
/// values one type holds as they are do not differ), or memory and disk do not suffice. Where a
/// file lacks a column of another, its values are null.
pub fn describe(engine: &Engine, files: &[PathBuf]) -> Result<Description, EngineError> {
    engine.run(async {
        let table = engine.table(files, &Wanted::All).await?;
        let fields = table.schema().fields().clone();
        let columns: Vec<Column<'_>> = fields.iter().map(|field| Column(field)).collect();
        let mut asked = vec![count(lit(1)).alias("rows")];
        for (i, column) in columns.iter().enumerate() {
            let name = |what: &str| format!("{what} {i}");
            asked.push(count(ident(column.0.name())).alias(name("count")));
            if column.is_ordered() {
                asked.push(min(column.value()).alias(name("least")));
                asked.push(max(column.value()).alias(name("most")));
            }
            if column.kind().is_floating() {
                asked.push(count(column.value()).alias(name("numbers")));
            }
            if column.kind().is_numeric() {
                asked.push(avg(column.wide()).alias(name("mean")));
            }
        }
        let found = Answer::of(table.clone(), asked).await?;
        let rows = found.count("rows");
        let mut described = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            let name = |what: &str| format!("{what} {i}");
            let counted = found.count(&name("count"));
            let nan = || counted - found.count(&name("numbers"));
            let [least, most] = ["least", "most"].map(|what| found.text(&name(what)));
            described.push(Described {
                name: column.0.name().clone(),
                kind: column.0.data_type().to_string(),
                nulls: rows - counted,
                nan: column.kind().is_floating().then(nan),
                distinct: column.distinct(&table).await?,
                least,
                most,
                mean: column.mean(&table, &found, i).await?,
            });
        }
        Ok(Description { rows, columns: described })
    })
}

/// A column of a table.
struct Column<'a>(&'a Field);

impl Column<'_> {
    /// The type of its values.
    fn kind(&self) -> &DataType {
        match self.0.data_type() {
            DataType::Dictionary(_, of) => of,
            kind => kind,
        }
    }

    /// Whether some of its values are smaller than others, for a reader too.
    fn is_ordered(&self) -> bool {
        use DataType::{Boolean, Date32, Date64, Time32, Time64, Timestamp};
        let kind = self.kind();
        let of_time = matches!(kind, Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..));
        kind.is_numeric() || is_string(kind) || of_time || *kind == Boolean
    }

    /// A value, null for NaN.
    fn value(&self) -> Expr {
        let of = ident(self.0.name());
        match (self.0.data_type(), self.kind()) {
            (DataType::Dictionary(..), kind) if !kind.is_floating() => cast(of, kind.clone()),
            // The name of a zone is not known everywhere.
            (_, DataType::Timestamp(unit, Some(_))) => {
                cast(of, DataType::Timestamp(*unit, Some("+00:00".into())))
            }
            (_, kind) if kind.is_floating() => {
                let of = cast(of, kind.clone());
                // For the engine one NaN is above infinity, and that of the other sign below.
                let is_number = cast(of.clone(), DataType::Float64)
                    .between(lit(f64::NEG_INFINITY), lit(f64::INFINITY));
                when(is_number, of.clone()).end().unwrap_or(of)
            }
            _ => of,
        }
    }

    /// A number in 64 bits.
    fn wide(&self) -> Expr {
        cast(self.value(), DataType::Float64)
    }

    /// How many different values there are; none for nested types.
    async fn distinct(&self, table: &DataFrame) -> Result<Option<u64>, EngineError> {
        use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
        let kind = self.kind();
        let binary = matches!(kind, Binary | BinaryView | FixedSizeBinary(_) | LargeBinary);
        if !self.is_ordered() && !binary {
            return Ok(None);
        }
        // −0 + 0 is 0.
        let value = if kind.is_floating() { self.wide() + lit(0.0) } else { self.value() };
        // By groups, which can go to temporary files.
        let values = table.clone().select(vec![value.alias("value")])?;
        let values = values.aggregate(vec![col("value")], vec![])?;
        let found = Answer::of(values, vec![count(col("value")).alias("distinct")]).await?;
        Ok(Some(found.count("distinct")))
    }

    /// The mean of its numbers, which are in `found` under the column's number.
    async fn mean(
        &self,
        table: &DataFrame,
        found: &Answer,
        i: usize,
    ) -> Result<Option<f64>, EngineError> {
        let all = ["mean", "least", "most"].map(|what| found.number(&format!("{what} {i}")));
        let [Some(mean), Some(least), Some(most)] = all else { return Ok(None) };
        if !self.kind().is_numeric() || !least.is_finite() || !most.is_finite() {
            return Ok(None);
        }
        if mean.is_finite() {
            return Ok(Some(mean));
        }
        // The sum was too large. Powers of two change no digit.
        let part = 2f64.powi(-64);
        let asked = vec![avg(self.wide() * lit(part)).alias("mean")];
        let found = Answer::of(table.clone(), asked).await?.number("mean");
        Ok(found.map(|mean| mean / part).filter(|mean| mean.is_finite()))
    }
}

/// The only row that aggregates without groups give.
struct Answer(RecordBatch);

impl Answer {
    async fn of(table: DataFrame, asked: Vec<Expr>) -> Result<Self, EngineError> {
        let batches = table.aggregate(vec![], asked)?.collect().await?;
        let found = batches.into_iter().find(|batch| batch.num_rows() > 0);
        found
            .map(Self)
            .ok_or_else(|| EngineError::Asked("the engine answered nothing to a count".to_owned()))
    }

    /// A number of rows.
    fn count(&self, name: &str) -> u64 {
        let column = self.0.column_by_name(name);
        column.map_or(0, |column| column.as_primitive::<Int64Type>().value(0) as u64)
    }

    /// A value as another type; none for null, and for what is no such value.
    fn value(&self, name: &str, kind: &DataType) -> Option<ArrayRef> {
        let value = compute::cast(self.0.column_by_name(name)?, kind).ok()?;
        value.is_valid(0).then_some(value)
    }

    fn text(&self, name: &str) -> Option<String> {
        let value = self.value(name, &DataType::Utf8)?;
        Some(value.as_string::<i32>().value(0).to_owned())
    }

    fn number(&self, name: &str) -> Option<f64> {
        let value = self.value(name, &DataType::Float64)?;
        Some(value.as_primitive::<Float64Type>().value(0))
    }
}
