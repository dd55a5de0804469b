//! Which columns of a table are meant.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::schemas::{Column, Holds, Wanted};
use datafusion::arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::prelude::{Expr, cast, ident, lit};
use datafusion::scalar::ScalarValue;
use std::path::PathBuf;

/// The columns of a table of pseudo-labels; by default those that `tutor predict` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// What a sample is called: text or a whole number, each one once.
    pub id: String,
    /// Its class: text, a whole number or a truth value; null or the empty text where it has none.
    pub label: String,
    /// The confidence of the label, a 32-bit or 64-bit float, which is rounded to 32 bits before
    /// it is compared; null, NaN or a number outside 0 to 1 where there is none.
    pub confidence: String,
}

impl Default for Columns {
    fn default() -> Self {
        let [id, label, confidence] = ["image", "label", "confidence"].map(str::to_owned);
        Self { id, label, confidence }
    }
}

impl Columns {
    /// The rows of these files, or of folders of them, as a table of `id` and `label` as text and
    /// `confidence` in 32 bits.
    pub(crate) async fn of(
        &self,
        engine: &Engine,
        files: &[PathBuf],
    ) -> Result<DataFrame, EngineError> {
        let Self { id, label, confidence } = self;
        let column = |name, holds| Column { name, holds, needed: true };
        let columns = vec![
            column(id, Holds::Text),
            column(label, Holds::Text),
            column(confidence, Holds::Floats),
        ];
        let way_out = "name the columns by --id, --label and --confidence";
        let table = engine.of_few_groups(files, &Wanted::Named { columns, way_out }).await?;
        Ok(table.select([
            cast(ident(id), DataType::Utf8).alias("id"),
            // Programs that go by way of CSV have no null there.
            nullif(cast(ident(label), DataType::Utf8), lit("")).alias("label"),
            cast(ident(confidence), DataType::Float32).alias("confidence"),
        ])?)
    }
}

/// Columns of text: those that are `needed`, and `others`, which are null where a table has them
/// not. `way_out` says what to do where one of the first is not there. So many rows are worked on
/// together.
pub(crate) async fn text_columns(
    engine: &Engine,
    files: &[PathBuf],
    (needed, others, way_out): (&[&str], &[&str], &'static str),
    rows: usize,
) -> Result<DataFrame, EngineError> {
    let named = needed.iter().map(|&name| (name, true));
    let named = named.chain(others.iter().map(|&name| (name, false)));
    let columns = named.map(|(name, needed)| Column { name, holds: Holds::Text, needed });
    let wanted = Wanted::Named { columns: columns.collect(), way_out };
    let table = engine.few_rows_at_once(files, &wanted, rows).await?;
    let column = |&name: &&str| {
        let is_there = table.schema().fields().iter().any(|field| field.name() == name);
        let value = if is_there { ident(name) } else { lit(ScalarValue::Utf8(None)) };
        cast(value, DataType::Utf8).alias(name)
    };
    let columns: Vec<Expr> = needed.iter().chain(others).map(column).collect();
    Ok(table.select(columns)?)
}
